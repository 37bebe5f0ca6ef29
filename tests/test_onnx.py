"""ONNX: the graphs compute what the network does, whatever its shape and theirs, and stay right in 8 bits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from vaswani.modeling.generation_vaswani import Search, start
from vaswani.serving.onnx import Decoder, Engine, export
from vaswani.serving.search import padded

MakeModel = Callable[..., Any]
END = 3


def random_rows(seed: int, lengths: list[int], symbols: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(seed)
    return [[*torch.randint(4, symbols, (length,), generator=generator).tolist(), END] for length in lengths]


def begun(sentences: int, beams: int = 1) -> Search:
    return start(torch.full((sentences, 1, 1), 2), torch.full((sentences,), 9), beams, 1, torch.float32)


def written(search: Search, symbols: torch.Tensor, rows: torch.Tensor) -> Search:
    """The search after `[B, n]` symbols were written, by hypotheses that go on from `rows`."""
    length = search.length + 1
    running = search.running._replace(
        symbols=search.running.symbols[:, :1].expand(-1, symbols.shape[1], -1).clone(),
        parents=search.running.parents[:, :1].expand(-1, symbols.shape[1], -1),
    )
    running.symbols[:, :, length] = symbols
    return search._replace(running=running, rows=rows, length=length)


def test_every_network_gives_the_probabilities_of_torch(
    tiny_model: MakeModel, toy_tokenizer: PreTrainedTokenizerFast, variant: dict[str, Any], tmp_path: Path
) -> None:
    """Step by step, from no symbol on, three hypotheses that fork, five sentences and one, and one that leaves."""
    model = tiny_model(vocab_size=290, **variant)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    export(model, toy_tokenizer, tmp_path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    engine = Engine(tmp_path)
    for sentences in (5, 1):
        sources = random_rows(1, [4, 11, 1, 7, 2][:sentences], 290)
        input_ids, mask = padded(sources, 1)
        decoder, search = Decoder(engine, input_ids, mask), begun(sentences)
        prefixes = torch.full((sentences, 1, 1), 2)
        for step in range(4):
            with torch.no_grad():
                logits = model(
                    input_ids, mask, decoder_input_ids=prefixes.flatten(0, 1), encoder_outputs=None
                ) if prefixes.shape[1] == 1 else model(
                    input_ids.repeat_interleave(3, 0), mask.repeat_interleave(3, 0),
                    decoder_input_ids=prefixes.flatten(0, 1),
                )  # fmt: skip
            expected = logits.logits[:, -1].log_softmax(-1).view(sentences, -1, 290)
            torch.testing.assert_close(decoder.log_p(search).double(), expected, rtol=0, atol=2e-5)
            generator = torch.Generator().manual_seed(step)
            parents = torch.randint(prefixes.shape[1], (sentences, 3), generator=generator)
            symbols = torch.randint(4, 290, (sentences, 3), generator=generator)
            before_them = prefixes.gather(1, parents[:, :, None].expand(-1, -1, prefixes.shape[2]))
            rows = torch.arange(sentences)[:, None] * prefixes.shape[1] + parents
            prefixes = torch.cat([before_them, symbols[:, :, None]], dim=2)
            search = written(search, symbols, rows)
            if step == 2 and sentences > 1:  # the second and the last are done
                staying = torch.tensor([True, False, True, True, False])
                search, sentences = search.of(staying), 3
                prefixes, input_ids, mask = prefixes[staying], input_ids[staying], mask[staying]
