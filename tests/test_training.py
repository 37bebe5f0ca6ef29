"""Training by the Trainer equals the paper's recipe written as a plain loop, however it is split or interrupted."""

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from corpus_of_numbers import NumberedCorpus, number_tokenizer, numbered_stream
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerFast, TrainerCallback, set_seed

from vaswani.data import Pair, TrainingStream
from vaswani.data.stream import MicroBatches
from vaswani.experiment.data_arguments import DataArguments
from vaswani.experiment.output_scoring import scoring_of
from vaswani.experiment.validation import PairSet, figures
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.training import VaswaniTrainer, VaswaniTrainingArguments, average_weights
from vaswani.training.checkpointing.checkpoints import (
    IncompleteCheckpointError,
    checkpoint_fault,
    checkpoints,
    newest_whole,
    prune,
    seal,
    set_aside,
)
from vaswani.training.trainer import POSITION

STEPS = 6
WARMUP = 3
CORPUS = NumberedCorpus((30, 25, 35, 20))


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return number_tokenizer()


def network(dropout: float) -> VaswaniForConditionalGeneration:
    set_seed(7)
    return VaswaniForConditionalGeneration(
        VaswaniConfig(
            vocab_size=280, d_model=16, d_ff=32, num_heads=2, encoder_layers=1, decoder_layers=1, dropout=dropout
        )
    )


def train(
    folder: Path,
    tokenizer: PreTrainedTokenizerFast,
    *,
    dropout: float = 0.0,
    checkpoint: Path | None = None,
    evaluate: Callable[..., dict[str, float]] | None = None,
    prepare: Callable[[VaswaniTrainer], None] = lambda _: None,
    bpe_dropout: float = 0.0,
    **changes: Any,
) -> tuple[VaswaniForConditionalGeneration, VaswaniTrainer, TrainingStream]:
    settings: dict[str, Any] = {
        "max_steps": STEPS,
        "warmup_steps": WARMUP,
        "eval_strategy": "no",
        "save_steps": 3,
        "logging_steps": 1,
        "dataloader_num_workers": 0,
        "report_to": "none",
        "disable_tqdm": True,
        "seed": 7,
    }
    model = network(dropout)
    stream = numbered_stream(CORPUS, tokenizer, streams=2, bpe_dropout=bpe_dropout)
    arguments = VaswaniTrainingArguments(output_dir=str(folder), **(settings | changes))
    nothing = evaluate or (lambda _: {"loss": 0.0, "perplexity": 1.0, "bleu": 0.0})
    trainer = VaswaniTrainer(model, arguments, stream, nothing, tokenizer)
    prepare(trainer)
    trainer.train_from(checkpoint)
    return model, trainer, stream


def plain_loop(
    tokenizer: PreTrainedTokenizerFast, batches_per_step: int, left: Callable[[int], float] = lambda _: 1.0
) -> VaswaniForConditionalGeneration:
    """Section 5.3 from its text: Adam, eq. 3 from step 1, the loss of a step divided once by its target tokens.

    `left` is the share of the rate that is left in a step.
    """
    model = network(0.0).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0, betas=(0.9, 0.98), eps=1e-9)
    batches = iter(MicroBatches(numbered_stream(CORPUS, tokenizer, streams=2), 0, 1))
    for step in range(1, STEPS + 1):
        taken = list(islice(batches, batches_per_step))
        tokens = sum(int((batch["labels"] != -100).sum()) for batch in taken)
        for batch in taken:
            logits = model(**{name: batch[name] for name in ("input_ids", "attention_mask", "labels")}).logits
            log_p = logits.log_softmax(-1)
            real = batch["labels"] != -100
            true = log_p.gather(-1, batch["labels"].clamp(min=0)[..., None])[..., 0]
            smoothed = -(0.9 * true + 0.1 * log_p.mean(-1))[real].sum()
            (smoothed / tokens).backward()
        optimizer.param_groups[0]["lr"] = left(step) * 16**-0.5 * min(step**-0.5, step * WARMUP**-1.5)
        optimizer.step()
        optimizer.zero_grad()
    return model


def assert_same_weights(one: torch.nn.Module, other: torch.nn.Module, rtol: float) -> None:
    for (name, a), b in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=rtol, atol=rtol, msg=name)


@pytest.mark.parametrize("batches_per_step", [1, 3])
def test_the_trainer_equals_a_plain_loop(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, batches_per_step: int
) -> None:
    model, _, _ = train(tmp_path, tokenizer, batches_per_step=batches_per_step)
    # At these rates, the rounding of a ReLU's input near 0 comes to 5e-5 on some processors.
    assert_same_weights(model, plain_loop(tokenizer, batches_per_step), rtol=1e-4)


def test_the_rate_falls_to_0_at_the_end_of_a_run(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    """Four last steps of six: 4/5, 3/5, 2/5 and 1/5 of eq. 3, where a seventh would have none."""
    shares = {1: 1.0, 2: 1.0, 3: 0.8, 4: 0.6, 5: 0.4, 6: 0.2}
    model, trainer, _ = train(tmp_path / "whole", tokenizer, cooldown_steps=4)
    assert_same_weights(model, plain_loop(tokenizer, 1, shares.__getitem__), rtol=1e-4)
    logged = {line["step"]: line["learning_rate"] for line in trainer.state.log_history if "learning_rate" in line}
    expected = {step: shares[step] * 16**-0.5 * min(step**-0.5, step * WARMUP**-1.5) for step in shares}
    assert logged == pytest.approx(expected, rel=1e-6)
    by_share, _, _ = train(tmp_path / "share", tokenizer, cooldown_steps=0.6)  # 3.6 of 6 steps
    assert_same_weights(model, by_share, rtol=0)
    checkpoint = tmp_path / "whole" / "checkpoint-3"
    resumed, _, _ = train(tmp_path / "whole", tokenizer, cooldown_steps=4, checkpoint=checkpoint)
    assert_same_weights(model, resumed, rtol=0)
    without, _, _ = train(tmp_path / "none", tokenizer)
    assert not torch.equal(model.model.tokens.weight, without.model.tokens.weight)


def test_two_processes_equal_one_that_accumulates(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    """Real processes on the gloo back end; the loss is divided once by the tokens of both."""
    script = tmp_path / "train.py"
    script.write_text(
        "import sys, torch\n"
        "from pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_training import train, number_tokenizer\n"
        "from vaswani.experiment.exit_codes import exiting_with_code\n"
        "with exiting_with_code():\n"
        "    model, trainer, _ = train(Path(sys.argv[1]), number_tokenizer(), batches_per_step=2)\n"
        "    assert trainer.args.world_size == 2, trainer.args.world_size\n"
    )
    launch = "--multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no --dynamo_backend no"
    ends = ["--main_process_port", "0", str(script)]
    command = [sys.executable, "-m", "accelerate.commands.launch", *launch.split(), *ends]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(tmp_path / "two")], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    alone, _, _ = train(tmp_path / "one", tokenizer, batches_per_step=2)
    together = network(0.0)
    together.load_state_dict(load_file(tmp_path / "two" / f"checkpoint-{STEPS}" / "model.safetensors"), strict=False)
    together.tie_weights()
    assert_same_weights(alone, together, rtol=2e-5)
    one, two = (json.loads((tmp_path / d / f"checkpoint-{STEPS}" / "stream.json").read_text()) for d in ("one", "two"))
    assert one == two


def test_eq_3_holds_from_the_first_step(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    _, trainer, _ = train(tmp_path, tokenizer)
    logged = {line["step"]: line["learning_rate"] for line in trainer.state.log_history if "learning_rate" in line}
    for step in range(1, STEPS + 1):
        assert logged[step] == pytest.approx(16**-0.5 * min(step**-0.5, step * WARMUP**-1.5), rel=1e-6)


def test_a_resumed_run_is_bit_for_bit_the_uninterrupted_one(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    whole, _, whole_stream = train(tmp_path / "whole", tokenizer, dropout=0.3)
    train(tmp_path / "stopped", tokenizer, dropout=0.3, max_steps=3)
    checkpoint = tmp_path / "stopped" / "checkpoint-3"
    resumed, trainer, stream = train(tmp_path / "stopped", tokenizer, dropout=0.3, checkpoint=checkpoint)
    assert trainer.state.global_step == STEPS
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    assert stream.state(STEPS, [stream.notes()]) == whole_stream.state(STEPS, [whole_stream.notes()])


def test_resuming_at_the_last_step_trains_no_more(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    train(tmp_path, tokenizer)
    checkpoint = tmp_path / f"checkpoint-{STEPS}"
    model, trainer, _ = train(tmp_path, tokenizer, checkpoint=checkpoint)
    assert trainer.state.global_step == STEPS
    for name, tensor in load_file(checkpoint / "model.safetensors").items():
        assert torch.equal(tensor, model.state_dict()[name]), name


def test_early_stopping_and_the_best_checkpoint(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    bleus = iter([10.0, 30.0, 20.0, 25.0, 29.0])
    _, trainer, _ = train(
        tmp_path,
        tokenizer,
        max_steps=100,
        eval_strategy="steps",
        eval_steps=2,
        save_steps=2,
        save_total_limit=1,
        patience=2,
        evaluate=lambda _: {"loss": 1.0, "perplexity": math.e, "bleu": next(bleus)},
    )
    assert trainer.state.global_step == 8
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-4", "checkpoint-8"]
    assert str(trainer.state.best_model_checkpoint).endswith("checkpoint-4")


def test_patience_goes_on_where_it_was_and_one_that_is_spent_trains_no_more(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    bleus = [10.0, 30.0, 20.0, 25.0, 29.0, 28.0, 27.0]
    asked: dict[str, Any] = {"eval_strategy": "steps", "eval_steps": 1, "save_steps": 1}

    def stopped_at(first: int, patience: int, steps: int = 7) -> int:
        figures = iter(bleus[first:])
        _, trainer, _ = train(
            tmp_path,
            tokenizer,
            max_steps=steps,
            patience=patience,
            **asked,
            checkpoint=tmp_path / f"checkpoint-{first}" if first else None,
            evaluate=lambda _: {"loss": 1.0, "perplexity": math.e, "bleu": next(figures)},
        )
        return trainer.state.global_step

    assert stopped_at(0, 3, steps=3) == 3  # one without gain
    assert stopped_at(3, 3) == 5  # two more
    assert stopped_at(5, 3) == 5
    assert stopped_at(5, 4) == 6


def test_the_best_checkpoint_is_found_where_the_run_was_moved_to(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    bleus = iter([10.0, 30.0, 20.0, 25.0, 29.0, 28.0])
    asked: dict[str, Any] = {"eval_strategy": "steps", "eval_steps": 1, "save_steps": 1, "save_total_limit": 1}
    asked["evaluate"] = lambda _: {"loss": 1.0, "perplexity": math.e, "bleu": next(bleus)}
    train(tmp_path / "here", tokenizer, max_steps=3, **asked)
    there = (tmp_path / "here").rename(tmp_path / "there")
    for steps in (5, 5):  # the second one has ended
        checkpoint = checkpoints(there)[-1]
        _, trainer, _ = train(there, tokenizer, max_steps=steps, checkpoint=checkpoint, **asked)
        assert trainer.state.best_model_checkpoint == str(there / "checkpoint-2")
    assert [path.name for path in checkpoints(there)] == ["checkpoint-2", "checkpoint-5"]


def test_what_flags_say_when_a_run_goes_on_holds(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    train(tmp_path, tokenizer, max_steps=3, adam_beta1=0.8)
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-3"]
    _, trainer, _ = train(
        tmp_path, tokenizer, checkpoint=tmp_path / "checkpoint-3", peak_learning_rate=1e-4, adam_beta2=0.5, save_steps=1
    )
    assert [path.name for path in checkpoints(tmp_path)] == [f"checkpoint-{step}" for step in range(3, STEPS + 1)]
    logged = {line["step"]: line["learning_rate"] for line in trainer.state.log_history if "learning_rate" in line}
    for step in range(4, STEPS + 1):
        assert logged[step] == pytest.approx(1e-4 * (WARMUP / step) ** 0.5, rel=1e-6)
    optimizer = torch.load(tmp_path / f"checkpoint-{STEPS}" / "optimizer.pt")
    assert [tuple(group["betas"]) for group in optimizer["param_groups"]] == [(0.9, 0.5)] * len(
        optimizer["param_groups"]
    )


def test_another_metric_at_a_resume_judges_the_evaluations_of_before(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    """The loss falls to the end, and BLEU was best at the second step: as a perplexity, no BLEU would be a gain."""
    figures = [(90.0, 10.0), (80.0, 30.0), (70.0, 20.0), (60.0, 25.0), (50.0, 31.0), (40.0, 30.0)]
    asked: dict[str, Any] = {"eval_strategy": "steps", "eval_steps": 1, "save_steps": 1, "patience": 3}

    def best_after(metric: str, begin: int, steps: int) -> tuple[float | None, int | None]:
        left = iter(figures[begin:])

        def evaluate(_: Any) -> dict[str, float]:
            perplexity, bleu = next(left)
            return {"loss": math.log(perplexity), "perplexity": perplexity, "bleu": bleu}

        _, trainer, _ = train(
            tmp_path,
            tokenizer,
            max_steps=steps,
            metric_for_best_model=metric,
            evaluate=evaluate,
            checkpoint=tmp_path / f"checkpoint-{begin}" if begin else None,
            **asked,
        )
        assert trainer.state.best_model_checkpoint == str(tmp_path / f"checkpoint-{trainer.state.best_global_step}")
        return trainer.state.best_metric, trainer.state.best_global_step

    assert best_after("perplexity", 0, 3) == (70.0, 3)
    assert best_after("bleu", 3, 4) == (30.0, 2)
    assert best_after("bleu", 4, 5) == (31.0, 5)  # two without gain before it; three would have ended the run
    assert best_after("eval_loss", 5, 5) == (math.log(50.0), 5)  # it has ended


def test_a_model_is_judged_in_the_numbers_of_its_weights(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    """As it computes when it is loaded; autocast is for training alone, and is back for it."""
    seen: dict[str, set[torch.dtype]] = {"training": set(), "evaluation": set()}

    def evaluate(model: VaswaniForConditionalGeneration) -> dict[str, float]:
        ids = torch.tensor([[5, 6, 1]])
        with torch.inference_mode():
            assert model(input_ids=ids, labels=ids).logits.dtype == torch.float32
            model.generate(input_ids=ids, max_new_tokens=3)
        return {"loss": 1.0, "perplexity": math.e, "bleu": 0.0}

    def watch(trainer: VaswaniTrainer) -> None:
        assert isinstance(trainer.model, torch.nn.Module)
        for module in trainer.model.modules():
            if type(module) is torch.nn.Linear:  # the projection gives the loss, too
                module.register_forward_hook(
                    lambda module, _, out: seen["training" if module.training else "evaluation"].add(out.dtype)
                )

    model, _, _ = train(
        tmp_path, tokenizer, bf16=True, eval_strategy="steps", eval_steps=2, evaluate=evaluate, prepare=watch
    )
    assert seen == {"training": {torch.bfloat16}, "evaluation": {torch.float32}}
    evaluate(model.eval())  # and after the end
    assert seen["evaluation"] == {torch.float32}


def test_what_ends_training_before_its_first_step_is_what_is_told(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    """There is no bar to close yet; and a tracker that fails at the end, as this one, does not hide the first error."""

    class Failing(TrainerCallback):
        def on_train_end(self, *_: Any, **__: Any) -> None:
            raise OSError("the tracker is away")

    def spoil(trainer: VaswaniTrainer) -> None:
        trainer.add_callback(Failing())
        trainer.create_scheduler = unready  # type: ignore[method-assign]

    def unready(*_: Any, **__: Any) -> None:
        raise RuntimeError("the schedule is not ready")

    with pytest.raises(RuntimeError, match="the schedule is not ready") as raised:
        train(tmp_path, tokenizer, disable_tqdm=False, prepare=spoil)
    assert "the tracker is away" in "".join(raised.value.__notes__)


def test_another_optimizer_has_settings_of_its_own(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    train(tmp_path, tokenizer, optim="sgd", max_steps=3)
    train(tmp_path, tokenizer, optim="sgd", checkpoint=tmp_path / "checkpoint-3")
    assert checkpoint_fault(tmp_path / f"checkpoint-{STEPS}") is None


def test_the_perplexity_of_training_that_diverged_is_infinite(tokenizer: PreTrainedTokenizerFast) -> None:
    """Rather than an OverflowError, at the evaluation and again at the end of the run."""
    model = network(0.0).eval()
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(1e4)
    pairs = PairSet([Pair("1 2", "2 1")], tokenizer, 100, scoring_of(DataArguments(direction="en-de")))
    found = figures(model, pairs, ["2 1"])
    assert math.isfinite(found["loss"])
    assert found["loss"] > 710
    assert found["perplexity"] == math.inf


def test_steps_of_another_size_go_on_where_the_last_ended(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    """Three steps of two micro-batches, two of one, one of four: 6, 8 and 12 are behind."""
    _, _, whole = train(tmp_path / "whole", tokenizer, max_steps=12, batches_per_step=1)
    checkpoint = None
    for steps, size, consumed in ((3, 2, 6), (5, 1, 8), (6, 4, 12)):
        _, _, stream = train(
            tmp_path, tokenizer, checkpoint=checkpoint, max_steps=steps, batches_per_step=size, save_steps=1
        )
        checkpoint = tmp_path / f"checkpoint-{steps}"
        assert json.loads((checkpoint / POSITION).read_text())["consumed"] == consumed
    assert stream.state(12, [stream.notes()]) == whole.state(12, [whole.notes()])


def test_a_lower_loss_is_a_better_one(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    losses = iter([5.0, 4.0, 3.0, 2.0, 2.5, 2.6])
    _, trainer, _ = train(
        tmp_path,
        tokenizer,
        eval_strategy="steps",
        eval_steps=1,
        save_steps=1,
        patience=2,
        metric_for_best_model="loss",
        evaluate=lambda _: {"loss": next(losses), "perplexity": 1.0, "bleu": 0.0},
    )
    assert trainer.state.global_step == 6
    assert str(trainer.state.best_model_checkpoint).endswith("checkpoint-4")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"per_device_train_batch_size": 32}, "use --tokens_per_batch"),
        ({"gradient_accumulation_steps": 2}, "use --batches_per_step"),
        ({"learning_rate": 1e-3}, "use --peak_learning_rate"),
        ({"warmup_steps": 0}, "--warmup_steps is 0; give at least 1"),
        ({"cooldown_steps": 7, "max_steps": 6}, "--cooldown_steps is 7, and --max_steps 6: give fewer, or a share"),
        ({"label_smoothing_factor": 0.1}, "use --label_smoothing, which is the network's"),
        ({"num_train_epochs": 1.0}, "use --max_steps"),
        ({"lr_scheduler_type": "cosine"}, "the schedule is eq. 3"),
        ({"max_steps": -1}, "--max_steps is -1; give at least 1"),
        ({"peak_learning_rate": 0.0}, "--peak_learning_rate is 0.0; give more than 0"),
        ({"test_beams": 0}, "--test_beams is 0; give at least 1"),
        ({"validation_beams": 0}, "--validation_beams is 0; give at least 1"),
        ({"patience": 3, "eval_strategy": "no"}, "--patience counts evaluations"),
        ({"fp16": True, "bf16": True}, "add --bf16 false"),
        ({"resume_from_checkpoint": "checkpoint-3"}, "--resume_from_checkpoint cannot be used here; use --resume"),
        ({"data_seed": 7}, "use --seed"),
        ({"auto_find_batch_size": True}, "use --tokens_per_batch"),
        ({"ignore_data_skip": False}, "a resumed run goes to its place in the text by itself"),
        ({"average_tokens_across_devices": False}, "a mean over the tokens of all processes"),
        ({"eval_strategy": "epoch"}, "--eval_strategy is epoch"),
        ({"logging_strategy": "epoch"}, "--logging_strategy is epoch"),
        ({"patience": 0}, "--patience is 0; give at least 1"),
        ({"length_penalty": math.nan}, "--length_penalty is nan; give from -10 to 10"),
        ({"extra_tokens": -1}, "--extra_tokens is -1; give at least 0"),
        ({"seed": 2**32}, "--seed is 4294967296; give from 0 to 4,294,967,295"),
        ({"seed": -1}, "--seed is -1"),
        ({"greater_is_better": True, "metric_for_best_model": "loss"}, "would choose the worst loss as the best"),
        ({"greater_is_better": False}, "would choose the worst bleu as the best"),
        (
            {"metric_for_best_model": "comet"},
            "--metric_for_best_model is comet; while training, one of bleu, f1, chrf, ter",
        ),
    ],
)
def test_flags_that_would_do_nothing_are_refused(tmp_path: Path, flags: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VaswaniTrainingArguments(output_dir=str(tmp_path), **flags)


# --- checkpoints ---


def fake_checkpoint(run: Path, step: int) -> Path:
    folder = run / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    save_file({"w": torch.full((3,), float(step))}, folder / "model.safetensors")
    (folder / "optimizer.pt").write_bytes(b"moments" * 100)
    seal(folder)
    return folder


def test_a_damaged_checkpoint_is_passed_over_with_its_reason(tmp_path: Path) -> None:
    for step in (10, 20, 30, 40, 100):
        fake_checkpoint(tmp_path, step)
    (tmp_path / "checkpoint-100" / "manifest.json").unlink()  # killed while saving
    (tmp_path / "checkpoint-40" / "optimizer.pt").unlink()
    weights = tmp_path / "checkpoint-30" / "model.safetensors"
    for step, text in ((50, ""), (60, '{"a'), (70, "{}")):
        (fake_checkpoint(tmp_path, step) / "manifest.json").write_text(text, encoding="utf-8")
    damaged = bytearray(weights.read_bytes())
    damaged[-2] ^= 1
    weights.write_bytes(damaged)
    newest, skipped = newest_whole(tmp_path)
    assert newest == tmp_path / "checkpoint-20"
    assert skipped == {
        "checkpoint-100": "it was not saved to the end",
        "checkpoint-70": "manifest.json is damaged",
        "checkpoint-60": "manifest.json is damaged",
        "checkpoint-50": "manifest.json is damaged",
        "checkpoint-40": "optimizer.pt is missing",
        "checkpoint-30": "model.safetensors was changed after it was saved",
    }


def test_pruning_keeps_the_last_and_the_best(tmp_path: Path) -> None:
    for step in (10, 20, 30, 40):
        fake_checkpoint(tmp_path, step)
    (tmp_path / "checkpoint-50").mkdir()  # begun, not sealed: it protects nothing and is not counted
    prune(tmp_path, keep=2, best=str(tmp_path / "checkpoint-10"))
    assert [path.name for path in checkpoints(tmp_path)] == [f"checkpoint-{n}" for n in (10, 30, 40, 50)]
    assert checkpoint_fault(tmp_path / "checkpoint-40") is None


def test_pruning_clears_away_what_was_begun_and_will_not_be_returned_to(tmp_path: Path) -> None:
    """As a process leaves it that is killed, because it took too long to save after a signal, or with its node."""
    for step in (10, 11, 20, 25, 30):
        fake_checkpoint(tmp_path, step)
    for step in (11, 25):
        (tmp_path / f"checkpoint-{step}" / "manifest.json").unlink()
    (tmp_path / "checkpoint-35").mkdir()
    prune(tmp_path, keep=5, best=None)
    assert [path.name for path in checkpoints(tmp_path)] == [f"checkpoint-{n}" for n in (10, 20, 30, 35)]


def test_an_average_is_the_mean_in_double_precision(tmp_path: Path) -> None:
    torch.manual_seed(0)
    folders = []
    for step in range(5):
        folders.append(tmp_path / str(step))
        folders[-1].mkdir()
        save_file({"w": torch.randn(50, 7), "half": torch.randn(9).bfloat16()}, folders[-1] / "model.safetensors")
    mean = average_weights(folders)
    for name, dtype, tolerance in (("w", torch.float32, 1e-6), ("half", torch.bfloat16, 1e-2)):
        expected = torch.stack([load_file(f / "model.safetensors")[name].double() for f in folders]).mean(0)
        assert mean[name].dtype == dtype
        torch.testing.assert_close(mean[name].double(), expected, rtol=tolerance, atol=tolerance)
    save_file({"other": torch.zeros(1)}, folders[0] / "model.safetensors")
    with pytest.raises(ValueError, match="not of the same model"):
        average_weights(folders)


def test_a_damaged_newer_checkpoint_does_not_push_out_a_good_one(tmp_path: Path) -> None:
    """Left where it was, 60 would be the one to keep, and 40, saved after resuming from 30, would be deleted."""
    for step in (30, 60):
        fake_checkpoint(tmp_path, step)
    (tmp_path / "checkpoint-60" / "optimizer.pt").write_bytes(b"?")
    _, skipped = newest_whole(tmp_path)
    set_aside(tmp_path, skipped)
    fake_checkpoint(tmp_path, 40)
    prune(tmp_path, keep=1, best=None)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["checkpoint-40", "damaged-60"]


def test_a_checkpoint_is_not_mixed_with_what_an_earlier_attempt_left(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    left = fake_checkpoint(tmp_path, 3)
    (left / "rng_state_1.pth").write_bytes(b"of a run on two processes")
    train(tmp_path, tokenizer)
    names = {path.name for path in left.iterdir()}
    assert "rng_state.pth" in names
    assert "rng_state_1.pth" not in names
    assert newest_whole(tmp_path) == (tmp_path / f"checkpoint-{STEPS}", {})


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory: pytest.TempPathFactory, tokenizer: PreTrainedTokenizerFast) -> Path:
    folder = tmp_path_factory.mktemp("once")
    train(folder, tokenizer, max_steps=3)
    return folder / "checkpoint-3"


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth", "stream.json", "trainer_state.json"])
def test_a_part_that_is_missing_is_an_error(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, trained_once: Path, name: str
) -> None:
    folder = shutil.copytree(trained_once, tmp_path / "checkpoint-3")
    (folder / name).unlink()
    assert checkpoint_fault(folder) == f"{name} is missing"
    with pytest.raises(IncompleteCheckpointError, match="restore what is missing"):
        train(tmp_path, tokenizer, checkpoint=folder)
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-3"]


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to see the order of system calls")
def test_everything_is_on_the_disk_before_the_list_is_named_and_the_list_before_anything_is_deleted(
    tmp_path: Path,
) -> None:
    """What a cut of the power would otherwise show: a list without its files, or neither new nor old checkpoint."""
    body = (
        "import sys; from pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_training import fake_checkpoint, prune\n"
        "run = Path(sys.argv[1]); fake_checkpoint(run, 10); fake_checkpoint(run, 20); prune(run, 1, None)\n"
    )
    log = tmp_path / "calls"
    command = ["strace", "-f", "-y", "-o", str(log), "-e", "trace=fsync,rename,unlink,unlinkat,rmdir"]
    done = subprocess.run(
        [*command, sys.executable, "-c", body, str(tmp_path / "run")], capture_output=True, text=True, check=False
    )
    if "PTRACE" in done.stderr:
        pytest.skip("may not trace")
    assert done.returncode == 0, done.stderr[-2000:]
    calls = [line for line in log.read_text().splitlines() if str(tmp_path / "run") in line]
    new, old = str(tmp_path / "run" / "checkpoint-20"), str(tmp_path / "run" / "checkpoint-10")

    def first(*words: str) -> int:
        return next(at for at, line in enumerate(calls) if all(word in line for word in words))

    draft = "/.manifest.json.0.vaswani-draft"
    named = first("rename(", f"{new}{draft}")
    before = ("/model.safetensors", "/optimizer.pt", draft, "")
    assert all(first("fsync(", f"<{new}{file}>") < named for file in before), calls
    assert first("fsync(", f"<{tmp_path / 'run'}>") < named
    deleted = first("unlink", f"{old}/manifest.json")
    assert any("fsync(" in line and f"<{new}>" in line for line in calls[named:deleted]), calls
