"""What the page writes, computed here: greedy search with the graphs of an exported folder, by onnxruntime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from vaswani.engines.engine import check_lengths
from vaswani.modeling.generation_vaswani import UNBOUNDED, length_limits
from vaswani.translation.settings import GenerationSettings, saved_settings

from .graphs import DECODER, ENCODER
from .record import read_browser

SUFFIXES = {"float32": "", "int8": "_quantized"}
"""Of the graphs' names, by the kind of numbers in them; the suffixes of transformers.js for fp32 and q8."""


def load_greedy(folder: Path, threads: int = 1) -> "Greedy":
    """Load the graphs of what `vaswani export --to browser` wrote."""
    record = read_browser(folder)
    suffix = SUFFIXES[record.quantization]
    encoder, decoder = (session(folder / "onnx" / f"{name}{suffix}.onnx", threads) for name in (ENCODER, DECODER))
    return Greedy(encoder, decoder, saved_settings(folder), record.max_positions or UNBOUNDED)


def session(graph: Path | bytes, threads: int = 1) -> "Session":
    """Return a graph, in a file or in memory, that runs on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    loaded: Session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return loaded


class Session(Protocol):
    """A graph that runs."""

    def get_inputs(self) -> Sequence[Any]:
        """Return what it takes, with names and shapes."""

    def run(self, names: None, given: dict[str, Any]) -> Sequence[Any]:
        """Return all outputs."""


class Greedy:
    """Greedy search by an encoder and a decoder.

    Args:
        encoder: the graph of the encoder.
        decoder: the graph of the decoder.
        settings: saved with the model.
        max_positions: the most tokens of a source and of a translation.

    """

    def __init__(
        self, encoder: Session, decoder: Session, settings: GenerationSettings, max_positions: int = UNBOUNDED
    ) -> None:
        self.encoder, self.decoder = encoder, decoder
        self.settings, self.max_positions = settings, max_positions

    def search(self, source: list[int]) -> list[int]:
        """Return the ids of the translation of one source, with the end if it has ended.

        Raises:
            ValueError: the source is longer than the positions of the network.

        """
        settings = self.settings
        check_lengths([source], self.max_positions)
        longest = min(self.max_positions, settings.most_tokens)
        limit = int(length_limits(torch.tensor(len(source)), settings.extra_tokens, longest))
        mask = np.ones((1, len(source)), dtype=np.int64)
        given = {"input_ids": np.array([source]), "attention_mask": mask}
        [hidden] = self.encoder.run(None, given)
        past: list[Any] = [np.zeros(shape, dtype=np.float32) for shape in self.empty()]
        names = [each.name for each in self.decoder.get_inputs()]
        tokens: list[int] = []
        while len(tokens) < limit and not (tokens and tokens[-1] in settings.ends):
            last = np.array([[tokens[-1] if tokens else settings.start]])
            logits, *past = self.decoder.run(None, dict(zip(names, [last, mask, hidden, *past], strict=True)))
            tokens.append(self.best(torch.from_numpy(logits)[0, -1], len(tokens) == limit - 1))
        return tokens

    def empty(self) -> list[list[int]]:
        """Return the shapes of the cache before the first step, as the graph declares them: what varies is 1 or 0."""
        cache = [each.shape for each in self.decoder.get_inputs()[3:]]
        return [[size if isinstance(size, int) else int(size == "batch_size") for size in shape] for shape in cache]

    def best(self, logits: Tensor, is_last: bool) -> int:
        """Return the best token of `[V]`, but none that is forbidden, and the end at the limit where that is forced."""
        if is_last and self.settings.forces_end:
            return self.settings.ends[0]
        return int(logits.index_fill(0, torch.tensor(self.settings.forbidden, dtype=torch.int64), -torch.inf).argmax())
