"""Memory and traffic by formula are those of the libraries: counted in processes that train together over gloo."""

import gc
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from accelerate import PartialState
from corpus_of_numbers import number_tokenizer, numbered_stream
from forked import Forks
from test_same_learning import CORPUS
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import set_seed

from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.training import VaswaniTrainer, VaswaniTrainingArguments
from vaswani.training.estimates.memory_and_traffic import SHARINGS, memory, traffic

ROOT = Path(__file__).resolve().parents[1]
VOCABULARY, D = 280, 128
BUCKET = 20_000  # weights; small beside the network's, as the real ones are beside a real network's
KINDS = {"ddp": "DDP", "fsdp": "FSDP2", "zero1": "ZeRO-1", "zero2": "ZeRO-2", "zero3": "ZeRO-3"}


def network() -> VaswaniForConditionalGeneration:
    """A network whose weights outweigh everything else that a process holds."""
    set_seed(7)
    return VaswaniForConditionalGeneration(
        VaswaniConfig(
            vocab_size=VOCABULARY, d_model=D, d_ff=2 * D, num_heads=2, encoder_layers=3, decoder_layers=3, dropout=0.0
        )
    )


class Sent(TorchDispatchMode):
    """Adds up the bytes that this process sends in collective operations, by rings.

    It also shows their tensors to Python, where `bytes_held` can find them: DDP's buckets among them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0.0

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if (name := re.match(r"_?c10d\.(\w+?)_?\.", str(operation))) is not None:
            groups = [each if isinstance(each, (list, tuple)) else [each] for each in args]
            sizes = [
                sum(t.numel() * t.element_size() for t in group if isinstance(t, torch.Tensor)) for group in groups
            ]
            around = 2 if "allreduce" in name[1] else 1
            processes = PartialState().num_processes
            self.bytes += around * max(sizes) * (processes - 1) / processes
        return operation(*args, **(kwargs or {}))


def bytes_held() -> int:
    """The bytes of all tensors that Python sees in this process, each storage once."""
    gc.collect()
    tensors = [each for each in gc.get_objects() if isinstance(each, torch.Tensor)]
    tensors += [each.grad for each in tensors if each.is_leaf and each.grad is not None]
    tensors = [getattr(each, "_local_tensor", each) for each in tensors]  # what FSDP spreads
    storages = [each.untyped_storage() for each in tensors]
    return sum({storage.data_ptr(): storage.size() for storage in storages}.values())


def count(bf16: bool, accumulates: int, found: Path) -> None:
    """Be one of the processes that train together; write down the most that is held in a step, and what it sends."""
    if config := os.environ.get("ACCELERATE_DEEPSPEED_CONFIG_FILE"):
        stage = json.loads(Path(config).read_text())["zero_optimization"]["stage"]
        settings = json.loads((ROOT / f"accelerate_configs/deepspeed_zero{stage}.json").read_text())
        of_zero = settings["zero_optimization"]
        # In proportion to the network: what is of a fixed size would be most of it here.
        for name, value in of_zero.items():
            of_zero[name] = BUCKET if isinstance(value, int) and value > 1_000_000 else value
        of_zero["stage3_param_persistence_threshold"] = 0
        Path(config).write_text(json.dumps(settings))
    processes = int(os.environ["WORLD_SIZE"])
    arguments = VaswaniTrainingArguments(
        output_dir=str(found.parent),
        batches_per_step=processes * accumulates,
        max_steps=2,
        bf16=bf16,
        eval_strategy="no",
        save_strategy="no",
        report_to="none",
        dataloader_num_workers=0,
        disable_tqdm=True,
    )
    tokenizer = number_tokenizer()
    stream = numbered_stream(CORPUS, tokenizer, streams=2)
    trainer = VaswaniTrainer(network(), arguments, stream, lambda _: {}, tokenizer)
    held: dict[int, list[int]] = {0: [], 1: []}  # in each step
    sent: dict[int, float] = {0: 0.0, 1: 0.0}
    take_gradients = trainer.training_step

    def step(*args: Any, **given: Any) -> torch.Tensor:
        now = trainer.state.global_step
        with Sent() as sending:
            loss = take_gradients(*args, **given)
        sent[now] += sending.bytes
        held[now].append(bytes_held())
        return loss

    trainer.training_step = step  # type: ignore[method-assign]
    register_optimizer_step_pre_hook(lambda *_: held[trainer.state.global_step].append(bytes_held()))
    trainer.train_from(None)
    if arguments.process_index == 0:
        found.write_text(json.dumps({"held": max(held[1]), "sent": sent[1]}))


@pytest.mark.parametrize(
    ("kind", "accumulates", "bf16"),
    [
        ("ddp", 2, True),
        ("fsdp", 1, True),
        ("fsdp", 2, False),
        *((kind, 2, bf16) for kind in ("zero1", "zero2", "zero3") for bf16 in (True, False)),
    ],
)
def test_the_formulas_count_what_the_libraries_hold_and_send(
    kind: str, accumulates: int, bf16: bool, forks: Forks, tmp_path: Path
) -> None:
    forks.run(count, bf16, accumulates, tmp_path / "found.json", kind=kind, folder=tmp_path)
    found = json.loads((tmp_path / "found.json").read_text())
    weights, embedding = network().num_parameters(), VOCABULARY * D
    how = (2, KINDS[kind], bf16, accumulates)
    assert found["held"] == pytest.approx(sum(memory(weights, *how)), rel=0.03)
    assert found["sent"] == pytest.approx(traffic(weights, embedding, *how), rel=0.03)


class Network(NamedTuple):
    """One of the paper's, with its vocabulary of section 5.1."""

    name: str
    fields: dict[str, Any]


BASE = Network("base", {})
BIG = Network("big", {"d_model": 1024, "d_ff": 4096, "num_heads": 16, "dropout": 0.3})


def on_meta(network: Network) -> VaswaniForConditionalGeneration:
    with torch.device("meta"):
        return VaswaniForConditionalGeneration(VaswaniConfig(vocab_size=37_000, **network.fields))


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs" / "distributed.md").read_text(encoding="utf-8")


def rows(page: str, heading: str) -> dict[str, list[str]]:
    """The table under a heading: its cells by the first one of a row."""
    table = page.split(f"\n{heading}\n")[1].split("\n#")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]
    return {first: rest for first, *rest in cells[2:]}


@pytest.mark.parametrize("network", [BASE, BIG], ids=["base", "big"])
def test_the_table_of_memory_and_traffic_is_that_of_the_formulas(network: Network, page: str) -> None:
    model = on_meta(network)
    n, e = model.num_parameters(), model.model.tokens.weight.numel()
    assert f"{n:,}" in page
    table = rows(page, f"### {network.name.capitalize()}")
    assert list(table) == list(SHARINGS)
    for sharing, cells in table.items():
        how = (1 if sharing == "one process" else 8, sharing, True, 1)
        needed = memory(n, *how)
        expected = [*needed, sum(needed), traffic(n, e, *how)]
        assert cells == [f"{each / 1e9:.2f}" for each in expected], sharing


def saved_for_backward(network: Network, sentences: int) -> int:
    """The bytes that autograd keeps for the backward pass of so many pairs of 16 tokens a side, weights aside."""
    model = VaswaniForConditionalGeneration(VaswaniConfig(vocab_size=1000, **network.fields)).train()
    model.set_attn_implementation("sdpa")
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if (place := tensor.untyped_storage().data_ptr()) not in weights:
            kept[place] = tensor  # so that no other takes its place
        return tensor

    ids = torch.randint(4, 1000, (sentences, 16))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), torch.autocast("cpu", torch.bfloat16):
        model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids)
    return sum(tensor.untyped_storage().size() for tensor in kept.values())


@pytest.mark.parametrize("network", [BASE, BIG], ids=["base", "big"])
def test_activations_are_as_the_page_says(network: Network, page: str) -> None:
    """By the difference of two batches, which leaves out weights that were cast."""
    few, many = 4, 8
    of_a_pair = (saved_for_backward(network, many) - saved_for_backward(network, few)) / (16 * (many - few))
    of_logits = 6 * 1000
    found = re.search(rf"{network.name} keeps (\d+) kB", " ".join(page.split()))
    assert found
    assert (of_a_pair - of_logits) / 1e3 == pytest.approx(int(found[1]), abs=0.5)


def test_what_is_spread_is_less_and_nothing_else_is() -> None:
    for sharing in SHARINGS:
        one, eight = (sum(memory(1000, processes, sharing, True, 1)) for processes in (1, 8))
        assert (eight == one) == (sharing in ("one process", "DDP"))
        assert traffic(1000, 100, 1, sharing, True, 1) == 0
    formulas: list[Callable[..., Any]] = [memory, traffic]
    for formula in formulas:
        given = (1000, 2, "FSDP1", True, 1) if formula is memory else (1000, 100, 2, "FSDP1", True, 1)
        with pytest.raises(ValueError, match="one of one process, DDP"):
            formula(*given)
