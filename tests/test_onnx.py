"""ONNX: the graphs compute what the network does, whatever its shape and theirs, and stay right in 8 bits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from vaswani.engines.onnx import Decoder, Engine
from vaswani.engines.onnx_graph import write
from vaswani.engines.onnx_network import export
from vaswani.modeling.search_vaswani import SearchState, beam_search, start
from vaswani.translation.hypotheses import BeamSettings
from vaswani.translation.search import padded

MakeModel = Callable[..., Any]
END = 3


def random_rows(seed: int, lengths: list[int], vocab_size: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(seed)
    return [[*torch.randint(4, vocab_size, (length,), generator=generator).tolist(), END] for length in lengths]


def begun(sentences: int, beams: int = 1) -> SearchState:
    return start(torch.full((sentences, 1, 1), 2), torch.full((sentences,), 9), beams, 1, torch.float32)


def written(search: SearchState, tokens: torch.Tensor, rows: torch.Tensor) -> SearchState:
    """The search after `[B, n]` tokens were written, by hypotheses that go on from `rows`."""
    length = search.length + 1
    running = search.running._replace(
        tokens=search.running.tokens[:, :1].expand(-1, tokens.shape[1], -1).clone(),
        parents=search.running.parents[:, :1].expand(-1, tokens.shape[1], -1),
    )
    running.tokens[:, :, length] = tokens
    return search._replace(running=running, rows=rows, length=length)


@pytest.mark.parametrize(
    "shape",
    [
        {"num_heads": 3, "d_k": 6, "d_v": 10, "encoder_layers": 1, "decoder_layers": 2},
        {"positions": "learned", "norm": "pre", "encoder_layers": 2, "decoder_layers": 1, "max_positions": 12},
        {"attention_bias": True, "activation": "gelu", "output_bias": True, "encoder_layers": 1, "decoder_layers": 1},
    ],
    ids=["d_k and d_v apart, three heads", "learned positions, pre-norm", "a descendant"],
)
def test_every_network_gives_the_probabilities_of_torch(
    tiny_model: MakeModel, toy_tokenizer: PreTrainedTokenizerFast, shape: dict[str, Any], tmp_path: Path
) -> None:
    """Step by step, from no token on, three hypotheses that fork, five sentences and one, and one that leaves."""
    model = tiny_model(vocab_size=290, **shape)
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
            same = prefixes.shape[1]
            with torch.no_grad():
                logits = model(
                    input_ids.repeat_interleave(same, 0),
                    mask.repeat_interleave(same, 0),
                    decoder_input_ids=prefixes.flatten(0, 1),
                ).logits
            expected = logits[:, -1].log_softmax(-1).view(sentences, same, 290)
            torch.testing.assert_close(decoder.log_p(search).double(), expected, rtol=0, atol=2e-5)
            generator = torch.Generator().manual_seed(step)
            parents = torch.randint(prefixes.shape[1], (sentences, 3), generator=generator)
            tokens = torch.randint(4, 290, (sentences, 3), generator=generator)
            before_them = prefixes.gather(1, parents[:, :, None].expand(-1, -1, prefixes.shape[2]))
            rows = torch.arange(sentences)[:, None] * prefixes.shape[1] + parents
            prefixes = torch.cat([before_them, tokens[:, :, None]], dim=2)
            search = written(search, tokens, rows)
            if step == 2 and sentences > 1:  # the second and the last are done
                staying = torch.tensor([True, False, True, True, False])
                search, sentences = search.of(staying), 3
                prefixes, input_ids, mask = prefixes[staying], input_ids[staying], mask[staying]
    if engine.max_positions == 12:
        engine.search(random_rows(1, [11], 290), BeamSettings(2))
        with pytest.raises(ValueError, match="13 tokens, and the exported model has 12 positions"):
            engine.search(random_rows(1, [12], 290), BeamSettings(2))


def test_a_dimension_that_the_code_fixes_is_not_fixed_in_the_file(tmp_path: Path) -> None:
    class Fixing(torch.nn.Module):
        def forward(self, tokens: torch.Tensor) -> list[torch.Tensor]:
            return [tokens.reshape(len(tokens), -1)]  # len is a number, that of the example

    dimensions = ({0: torch.export.Dim("B"), 1: torch.export.Dim("S")},)
    with pytest.raises(Exception, match="specialized"):
        write(Fixing(), (torch.ones(2, 3),), tmp_path / "fixed.onnx", ["symbols"], ["same"], dimensions)
    assert not list(tmp_path.iterdir())


def test_what_is_not_a_graph_and_another_device_are_refused(tmp_path: Path, tiny_config: MakeModel) -> None:
    tiny_config().to_json_file(tmp_path / "config.json")
    (tmp_path / "encoder.onnx").write_bytes(b"abc")
    with pytest.raises(ValueError, match=r"onnxruntime cannot load .*INVALID_PROTOBUF"):
        Engine(tmp_path)
    with pytest.raises(ValueError, match="--device cuda:1: a model exported to onnx runs on the CPU"):
        Engine(tmp_path, "cuda:1")


def test_one_beam_never_takes_the_second_best_symbol() -> None:
    """A beam of one would keep the end, second best at the first step, as a hypothesis that ended."""

    class Says(Decoder):
        def __init__(self) -> None:
            pass

        def log_p(self, search: SearchState) -> torch.Tensor:  # noqa: ARG002 - the same at each step
            return torch.tensor([0.0, 0.0, 0.0, 0.4, 0.6]).log()[None, None]

    ends = torch.tensor([END])
    lengths = [
        int((beam_search(read, begun(1), 1, ends, 0.6).parents >= 0).sum()) for read in (Says().best, Says().log_p)
    ]
    assert lengths == [9, 1]
