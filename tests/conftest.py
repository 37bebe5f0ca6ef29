"""Small networks and batches that several test files share."""

import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest
import torch
from forked import Forks
from torch import Tensor, nn
from toy_language import sentence
from transformers import PreTrainedTokenizerFast

from vaswani.data.tokenizer import learn_tokenizer
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration

Network = TypeVar("Network", bound=nn.Module)


def outspoken(model: Network) -> Network:
    """Return a network of random weights, made far from uniform, so that what comes out depends on what goes in."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(6)
    return model


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that have the most slow tests, so that no process ends long after the others."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(scope="session")
def tiny_config() -> Callable[..., VaswaniConfig]:
    """Return `tiny_config(**changes)`: without dropout, and with unlike stacks so that none passes for the other."""

    def build(**changes: Any) -> VaswaniConfig:
        tiny = {"vocab_size": 29, "d_model": 16, "d_ff": 24, "num_heads": 2, "encoder_layers": 2, "decoder_layers": 3}
        return VaswaniConfig(**{**tiny, "dropout": 0.0, **changes})

    return build


@pytest.fixture(autouse=True, scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what runs keep for later runs out of the user's own cache, here and in started processes."""
    os.environ["VASWANI_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True, scope="session")
def _threads() -> None:
    """Compute in one thread, here and in started processes, as with `make test`, unless a number is given."""
    torch.set_num_threads(int(os.environ.setdefault("OMP_NUM_THREADS", "1")))


@pytest.fixture(autouse=True)
def _no_deepspeed_left() -> Iterator[None]:
    """Let no later test find the configuration of DeepSpeed that a refused run left to the garbage collector."""
    yield
    if "transformers.integrations.deepspeed" in sys.modules:
        sys.modules["transformers.integrations.deepspeed"].unset_hf_deepspeed_config()


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Return what starts processes that train together."""
    forks = Forks()
    yield forks
    forks.close()


VARIANTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "d_k and d_v apart": {"d_k": 6, "d_v": 10},
    "three heads, deeper encoder": {"num_heads": 3, "d_k": 8, "d_v": 4, "encoder_layers": 4, "decoder_layers": 1},
    "learned positions, pre-norm": {"positions": "learned", "norm": "pre"},
    "a descendant": {"attention_bias": True, "activation": "silu", "output_bias": True, "d_k": 6, "d_v": 10},
}


@pytest.fixture(params=VARIANTS.values(), ids=list(VARIANTS))
def variant(request: pytest.FixtureRequest) -> Any:
    """Be, in turn, the changes to `tiny_config` that take another path through the network."""
    return request.param


@pytest.fixture(scope="session")
def randomise() -> Callable[[nn.Module], None]:
    """Return `randomise(module)`: it draws all that is learned, so that no bias of 0 or norm of 1 hides a mistake."""

    def draw(module: nn.Module) -> None:
        with torch.no_grad():
            for parameter in filter(lambda p: p.requires_grad, module.parameters()):
                noise = torch.randn_like(parameter)
                if parameter.dim() == 1:
                    parameter.add_(0.3 * noise)
                else:
                    parameter.copy_(noise * 1.5 * parameter.shape[1] ** -0.5)

    return draw


@pytest.fixture(scope="session")
def tiny_model(
    tiny_config: Callable[..., VaswaniConfig], randomise: Callable[[nn.Module], None]
) -> Callable[..., VaswaniForConditionalGeneration]:
    """Return `tiny_model(seed, attention, **changes)`: all parameters drawn, in float64, in evaluation mode."""

    def build(seed: int = 0, attention: str = "eager", **changes: Any) -> VaswaniForConditionalGeneration:
        torch.manual_seed(seed)
        model = VaswaniForConditionalGeneration(tiny_config(**changes)).double().eval()
        randomise(model)
        model.set_attn_implementation(attention)
        return model

    return build


@pytest.fixture(scope="session")
def toy_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer of 280 tokens: bytes, and a few merges such as " the" and "at"."""
    return learn_tokenizer(["the cat sat on the mat and the dog sat by the door"] * 3, 280, show_progress=False)


@pytest.fixture(scope="session")
def talker(toy_tokenizer: PreTrainedTokenizerFast) -> Callable[..., VaswaniForConditionalGeneration]:
    """Return `talker(seed, **changes)`: a network for the toy tokenizer that says something else to each sentence."""

    def build(seed: int = 0, **changes: Any) -> VaswaniForConditionalGeneration:
        torch.manual_seed(seed)
        dimensions = {"d_model": 16, "d_ff": 32, "num_heads": 2, "encoder_layers": 1, "decoder_layers": 1}
        config = VaswaniConfig(**{"vocab_size": len(toy_tokenizer), **dimensions, **changes})
        model = VaswaniForConditionalGeneration(config).double().eval()
        return outspoken(model)

    return build


@pytest.fixture(scope="module")
def talker_folder(
    talker: Callable[[], VaswaniForConditionalGeneration],
    toy_tokenizer: PreTrainedTokenizerFast,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Return the folder of a saved talker, to be read alone."""
    path = tmp_path_factory.mktemp("model")
    talker().save_pretrained(path)
    toy_tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="session")
def padded_batch() -> Callable[..., dict[str, Tensor]]:
    """Return `padded_batch(seed, ...)`: random sentences of unequal lengths on both sides, as keyword arguments."""

    def build(
        seed: int = 0, rows: int = 3, source_length: int = 7, target_length: int = 6, vocab_size: int = 29
    ) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(seed)

        def side(longest: int) -> tuple[Tensor, Tensor]:
            lengths = torch.randint(1, longest, (rows, 1), generator=generator)
            lengths[0] = longest
            ids = torch.randint(4, vocab_size, (rows, longest), generator=generator)
            places = torch.arange(longest).expand(rows, -1)
            return ids.masked_fill(places == lengths - 1, 3), places < lengths  # each sentence ends in </s>

        source, source_real = side(source_length)
        target, target_real = side(target_length)
        return {
            "input_ids": source.masked_fill(~source_real, 1),
            "attention_mask": source_real.long(),
            "labels": target.masked_fill(~target_real, -100),
        }

    return build


class Translator(NamedTuple):
    """A network that has learned the toy language, in evaluation mode."""

    model: VaswaniForConditionalGeneration
    tokenizer: PreTrainedTokenizerFast
    folder: Path
    """Where it is saved."""
    lines: list[str]
    """300 texts of one or two sentences that it has not seen."""


@pytest.fixture(scope="session")
def toy_translator(tmp_path_factory: pytest.TempPathFactory) -> Translator:
    """Be trained in some seconds, so that what engines find can be compared where translations make sense."""
    draw = random.Random(1)

    def text() -> tuple[str, str]:
        pairs = [sentence(draw) for _ in range(draw.randint(1, 2))]
        return " ".join(pair[0] for pair in pairs), " ".join(pair[1] for pair in pairs)

    pairs = [text() for _ in range(2000)]
    tokenizer = learn_tokenizer((side for pair in pairs for side in pair), 340, show_progress=False)
    sources, targets = (tokenizer(list(side), padding=True, return_tensors="pt") for side in zip(*pairs, strict=True))
    labels = targets["input_ids"].masked_fill(targets["attention_mask"] == 0, -100)
    torch.manual_seed(0)
    model = VaswaniForConditionalGeneration(
        VaswaniConfig(
            vocab_size=len(tokenizer), d_model=48, d_ff=96, num_heads=2, encoder_layers=1, decoder_layers=1, dropout=0
        )
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3, betas=(0.9, 0.98))
    warmup = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1 / 40, total_iters=40)
    for _ in range(200):
        rows = torch.randint(len(pairs), (32,))
        model(sources["input_ids"][rows], sources["attention_mask"][rows], labels=labels[rows]).loss.backward()
        optimizer.step()
        warmup.step()
        optimizer.zero_grad()
    folder = tmp_path_factory.mktemp("toy")
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Translator(model, tokenizer, folder, [text()[0] for _ in range(300)])
