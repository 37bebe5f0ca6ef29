"""ONNX: the paper's own search over the output of the two graphs that `onnx_network` writes.

Search, penalty and limits are the functions of modeling/search_vaswani.py, without exception.

Shapes: B sentences, S source tokens, n running hypotheses of each, R hypotheses of the step before, P tokens before,
H heads, V = vocab_size.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf
from torch import Tensor
from transformers import AutoConfig

from vaswani.modeling.generation_vaswani import UNBOUNDED, length_limits
from vaswani.modeling.search_vaswani import NEVER, SearchState, beam_search, start
from vaswani.translation.hypotheses import BeamSettings
from vaswani.translation.loading import check_network
from vaswani.translation.model_files import check_files
from vaswani.translation.search import padded
from vaswani.translation.settings import saved_settings

from .engine import Candidate, check_lengths, check_probabilities


class Engine:
    """An exported model, loaded."""

    def __init__(self, folder: Path, device: str | None = None, threads: int = 1) -> None:
        """Load.

        Args:
            folder: what `export` wrote.
            device: None or "cpu".
            threads: to compute with.

        Raises:
            ValueError: another device is asked for, or a file is damaged.

        """
        if device not in (None, "cpu"):
            raise ValueError(
                f"--device {device}: a model exported to onnx runs on the CPU; leave --device out, or use --engine "
                "ctranslate2 or torch"
            )
        check_files(folder)
        check_network(folder)
        self.config: Any = AutoConfig.from_pretrained(folder)
        self.max_positions: int = self.config.max_positions if self.config.positions == "learned" else UNBOUNDED
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self.encoder, self.decoder = (
                onnxruntime.InferenceSession(folder / name, options, providers=["CPUExecutionProvider"])
                for name in ("encoder.onnx", "decoder.onnx")
            )
        except (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf) as error:
            raise ValueError(f"onnxruntime cannot load {folder}: {error}; export it again") from error
        self.settings = saved_settings(folder)

    @torch.inference_mode()
    def search(self, sources: list[list[int]], beams: BeamSettings) -> list[list[Candidate]]:
        """Return the best candidates of each sentence, by the search of the paper; one beam is greedy.

        Raises:
            ValueError: a sentence is longer than the positions of the network.

        """
        check_lengths(sources, self.max_positions)
        settings = self.settings
        input_ids, mask = padded(sources, settings.padding)
        longest = min(self.max_positions, settings.most_tokens)
        limits = length_limits(mask.sum(1), settings.extra_tokens, longest)
        prompt = torch.full((len(sources), 1, 1), settings.start)
        begun = start(prompt, limits, beams.number, settings.padding, torch.float32)
        decoder = Decoder(self, input_ids, mask)
        read = decoder.best if beams.number == 1 else decoder.log_p
        found = beam_search(read, begun, 1, torch.tensor(settings.ends), beams.length_penalty, beams.n_best)
        lengths = (found.parents >= 0).sum(-1)  # what was written, the prompt not counted
        return [
            [
                Candidate(tokens[1 : 1 + length], score)
                for tokens, length, score in zip(*rows, strict=True)
                if score > NEVER
            ]
            for rows in zip(found.tokens.tolist(), lengths.tolist(), found.scores.tolist(), strict=True)
        ]


def empty(config: Any, rows: int, tokens: int = 0) -> list[Tensor]:
    """Return keys and values of each layer, of hypotheses that have `tokens` tokens."""
    widths = (config.d_k, config.d_v) * config.decoder_layers
    return [torch.zeros(rows, config.num_heads, tokens, width) for width in widths]


class Decoder:
    """The decoder during the search of a batch, with the state that it keeps from step to step."""

    def __init__(self, engine: Engine, input_ids: Tensor, mask: Tensor) -> None:
        self.session, self.settings = engine.decoder, engine.settings
        self.mask = mask.numpy()
        self.source = engine.encoder.run(None, {"input_ids": input_ids.numpy(), "attention_mask": self.mask})
        self.past: list[NDArray[np.float32]] = [each.numpy() for each in empty(engine.config, len(mask))]

    def log_p(self, search: SearchState) -> Tensor:
        """Return log P `[B, n, V]` of the tokens that may follow the running hypotheses."""
        if len(search.places) < len(self.mask):
            places = search.places.numpy()
            self.mask, self.source = self.mask[places], [each[places] for each in self.source]
        tokens = search.running.tokens[:, :, search.length].numpy()
        given = [tokens, search.rows.numpy(), self.mask, *self.source, *self.past]
        names = [each.name for each in self.session.get_inputs()]
        log_p, *self.past = self.session.run(None, dict(zip(names, given, strict=True)))
        found = torch.from_numpy(log_p)
        check_probabilities(log_p[..., 0].ravel())  # all of a softmax are numbers, or none
        return self.settings.obeyed(found, search)

    def best(self, search: SearchState) -> Tensor:
        """Return the same with only the best token, which turns beam search into greedy search."""
        log_p = self.log_p(search)
        best = log_p.argmax(-1, keepdim=True)
        return torch.full_like(log_p, NEVER).scatter(-1, best, log_p.gather(-1, best))
