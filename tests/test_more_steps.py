"""A run that ended, by itself or by a signal, goes on as if it had never stopped: to the bit, log and choice too."""

import json
import math
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from corpus_of_numbers import number_tokenizer
from forked import Forks
from safetensors.torch import load_file
from test_sharded_runs import run_recipe
from test_training import train
from toy_language import write_toy_text
from transformers import PreTrainedTokenizerFast, TrainerCallback

from vaswani.experiment.checkpoint_selection import candidates_of
from vaswani.training import VaswaniTrainer
from vaswani.training import trainer as trainer_of_runs
from vaswani.training.checkpointing import checkpoints as checkpointing
from vaswani.training.checkpointing.checkpoints import UNSCHEDULED, checkpoint_fault, checkpoints, counted, newest_whole
from vaswani.training.exceptions import SignalledError, ValidationStoppedError

LAST = 14
BLEU = {step: float((step * 7) % 5) for step in range(1, 20)}
"""Of a validation after so many steps: rises and falls, with ties."""


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return number_tokenizer()


@pytest.fixture
def signals_as_they_were() -> Iterator[None]:
    """A run that a signal ended leaves it ignored, for which its process has no use any more."""
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


def trained(folder: Path, tokenizer: PreTrainedTokenizerFast, **changes: Any) -> VaswaniTrainer:
    """Train on from what is in the folder; what a validation finds follows from the weights and the step."""
    seen: list[VaswaniTrainer] = []
    prepare = changes.pop("prepare", lambda _: None)

    def keep(trainer: VaswaniTrainer) -> None:
        seen.append(trainer)
        prepare(trainer)

    def evaluate(model: torch.nn.Module) -> dict[str, float]:
        size = sum(float(weight.detach().double().abs().sum()) for weight in model.parameters())
        return {"loss": size / 1e3, "perplexity": math.exp(size / 1e3), "bleu": BLEU[seen[0].state.global_step]}

    settings: dict[str, Any] = {
        "dropout": 0.3,
        "eval_strategy": "steps",
        "eval_steps": 4,
        "save_steps": 3,
        "logging_steps": 5,
        "max_steps": LAST,
        "save_total_limit": 3,
        "average_checkpoints": 3,
    }
    newest, _ = newest_whole(folder)
    _, trainer, _ = train(folder, tokenizer, checkpoint=newest, evaluate=evaluate, prepare=keep, **(settings | changes))
    return trainer


def logged(checkpoint: Path) -> dict[str, Any]:
    """What the Trainer wrote down, without what hangs on the clock and on where the run is."""
    state: dict[str, Any] = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    best = state.pop("best_model_checkpoint")
    for line in state["log_history"]:
        line.pop("tokens_per_second", None)
    return state | {"best": best and Path(best).name}


def tensors_of(state: Any) -> list[torch.Tensor]:
    """All numbers of a nested state, in order and in double precision, which holds each of them exactly."""
    match state:
        case dict():
            return [tensor for key in state for tensor in tensors_of(state[key])]
        case list() | tuple():
            return [tensor for each in state for tensor in tensors_of(each)]
        case torch.Tensor() | int() | float() | np.ndarray():
            return [torch.as_tensor(state).double().reshape(-1)]
    return []


def assert_same(one: VaswaniTrainer, other: VaswaniTrainer) -> None:
    """The same checkpoints with the same weights, moments, random states, places in the text and logs, and choice."""
    runs = [Path(str(trainer.args.output_dir)) for trainer in (one, other)]
    kept = [[folder.name for folder in counted(run)] for run in runs]
    assert kept[0] == kept[1]
    for a, b in zip(*(counted(run) for run in runs), strict=True):
        for x, y in zip(*(load_file(each / "model.safetensors").items() for each in (a, b)), strict=True):
            assert x[0] == y[0]
            assert torch.equal(x[1], y[1]), (a.name, x[0])
        for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
            states = [torch.load(each / name, weights_only=False) for each in (a, b)]
            assert torch.equal(*(torch.cat(tensors_of(state)) for state in states)), (a.name, name)
        for name in ("stream.json", "since_log.json"):
            assert (a / name).read_text() == (b / name).read_text(), (a.name, name)
    assert logged(counted(runs[0])[-1]) == logged(counted(runs[1])[-1])
    names = [
        {name: [path.name for path in paths] for name, paths in candidates_of(each).items()} for each in (one, other)
    ]
    assert names[0] == names[1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tokenizer: PreTrainedTokenizerFast) -> VaswaniTrainer:
    return trained(tmp_path_factory.mktemp("whole"), tokenizer)


@pytest.mark.parametrize("first", [(3,), (5,), (8,), (7, 10), (1, 2, 13)])
def test_more_steps_after_the_end_are_those_of_a_run_that_never_stopped(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, whole: VaswaniTrainer, first: tuple[int, ...]
) -> None:
    for steps in first:
        ended = trained(tmp_path, tokenizer, max_steps=steps)
        assert ended.state.global_step == steps
        assert (checkpoints(tmp_path)[-1] / UNSCHEDULED).exists() == bool(steps % 3)
    assert_same(trained(tmp_path, tokenizer), whole)


def test_the_epoch_that_is_logged_is_that_of_the_slowest_stream_after_a_resume_too(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    """At step 18 one of the two streams is in its second epoch; the other's last batch lies before the resume."""
    asked: dict[str, Any] = {"logging_steps": 1, "eval_steps": 30, "save_steps": 30}
    for first in (None, 17):
        for steps in filter(None, (first, 19)):
            trainer = trained(tmp_path / str(first), tokenizer, max_steps=steps, **asked)
        logged = [(line["step"], line["data_epoch"]) for line in trainer.state.log_history if "loss" in line]
        assert logged == [(step, int(step == 19)) for step in range(1, 20)]


def test_the_last_step_of_each_start_is_not_counted_where_all_checkpoints_are_kept(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    everything: dict[str, Any] = {"save_total_limit": None}
    alone = trained(tmp_path / "alone", tokenizer, **everything)
    trained(tmp_path / "longer", tokenizer, max_steps=7, **everything)
    assert_same(trained(tmp_path / "longer", tokenizer, **everything), alone)
    assert (tmp_path / "longer" / "checkpoint-7").exists()


def test_the_best_of_the_schedule_survives_a_better_one_at_the_end(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step is validated though no validation is due; a run that goes on does not count it."""
    for step, value in {4: 9.0, 8: 3.0, 10: 99.0, 12: 2.0, 14: 1.0}.items():
        monkeypatch.setitem(BLEU, step, value)
    asked: dict[str, Any] = {"save_steps": 2, "save_total_limit": 1, "average_checkpoints": 1, "patience": 2}
    alone = trained(tmp_path / "alone", tokenizer, **asked)
    ended = trained(tmp_path / "longer", tokenizer, max_steps=10, **asked)
    assert ended.state.best_model_checkpoint == str(tmp_path / "longer" / "checkpoint-10")
    assert [path.name for path in checkpoints(tmp_path / "longer")] == ["checkpoint-4", "checkpoint-10"]
    longer = trained(tmp_path / "longer", tokenizer, **asked)
    assert_same(longer, alone)
    assert longer.state.global_step == 12  # by patience


def test_a_run_that_patience_ended_goes_on_with_more_of_it(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    asked: dict[str, Any] = {"eval_steps": 1}
    alone = trained(tmp_path / "alone", tokenizer, **asked)
    for patience in (1, 2):
        ended = trained(tmp_path / "longer", tokenizer, patience=patience, **asked)
        assert ended.ended().by == "patience"
        assert (checkpoints(tmp_path / "longer")[-1]).name == f"checkpoint-{ended.state.global_step}"
    assert_same(trained(tmp_path / "longer", tokenizer, **asked), alone)


class Tell(TrainerCallback):
    """Sends this process a signal in the midst of a step."""

    def __init__(self, trainer: VaswaniTrainer, step: int, number: signal.Signals) -> None:
        self.trainer, self.step, self.number = trainer, step, number

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        if state.global_step + 1 == self.step:
            os.kill(os.getpid(), self.number)
            while self.trainer._signals.received is None:  # a thread hears it
                os.sched_yield()


@pytest.mark.parametrize("step", [4, 7, 8, 12])
@pytest.mark.usefixtures("signals_as_they_were")
def test_a_run_that_a_signal_ended_logs_validates_and_chooses_as_one_that_never_stopped(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, whole: VaswaniTrainer, step: int
) -> None:
    """Also where a validation was due at that very step, for which there was no time."""
    with pytest.raises(SignalledError, match=f"step {step} is saved"):
        trained(
            tmp_path,
            tokenizer,
            prepare=lambda trainer: trainer.add_callback(Tell(trainer, step, signal.SIGTERM)),
        )
    assert checkpoint_fault(tmp_path / f"checkpoint-{step}") is None
    assert_same(trained(tmp_path, tokenizer), whole)


def killed_before_it_prunes(folder: Path) -> None:
    """Be a process that is killed when its last checkpoint is sealed and those that are one too many still stand."""
    prune = checkpointing.prune

    def kill_at_the_end(run: Path, *rest: Any) -> None:
        if newest_whole(run)[0] == run / f"checkpoint-{LAST}":
            os.kill(os.getpid(), signal.SIGKILL)
        prune(run, *rest)

    vars(trainer_of_runs)["prune"] = kill_at_the_end
    trained(folder, number_tokenizer())


def test_a_kill_between_the_last_seal_and_the_pruning_leaves_no_checkpoint_too_many(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, whole: VaswaniTrainer, forks: Forks
) -> None:
    run = tmp_path / "killed"
    forks.run(killed_before_it_prunes, run, kind="ddp", folder=tmp_path, processes=1, code=-signal.SIGKILL)
    left = [folder.name for folder in checkpoints(run)]
    assert_same(trained(run, tokenizer), whole)
    assert len(checkpoints(run)) < len(left)
    assert [folder.name for folder in checkpoints(run)] == [
        folder.name for folder in checkpoints(Path(str(whole.args.output_dir)))
    ]


MISSED: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "at the last step": ({"max_steps": 9, "eval_steps": 3, "save_steps": 2}, (9,)),
    "at the last step, where no validation is due": ({"max_steps": 10, "eval_steps": 4, "save_steps": 4}, (10,)),
    "where patience ends": (
        {"max_steps": 12, "eval_steps": 2, "save_steps": 5, "patience": 3, "save_total_limit": 1},
        (6, 8),
    ),
    "at the best, where no checkpoint is due": ({"eval_steps": 2, "save_steps": 3, "save_total_limit": None}, (2,)),
    "at the last step, the best, where the best alone is saved": (
        {"max_steps": 12, "eval_steps": 5, "save_strategy": "best", "save_total_limit": 2},
        (12,),
    ),
    "where the best alone is saved": ({"eval_steps": 2, "save_strategy": "best", "save_total_limit": 2}, (2, 5, 12)),
}
"""Validations that a signal prevented, by the settings of the run and the steps of the signal."""


@pytest.mark.parametrize("case", MISSED)
@pytest.mark.usefixtures("signals_as_they_were")
def test_a_validation_that_a_signal_prevented_is_made_up_for_at_the_resume(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, case: str
) -> None:
    """So that log, patience, best checkpoint, candidates and the folders that are left are those of no signal."""
    asked, steps = MISSED[case]
    alone = trained(tmp_path / "alone", tokenizer, **asked)
    for step in steps:
        run = tmp_path / f"told at {step}"
        with pytest.raises(SignalledError):
            trained(
                run,
                tokenizer,
                **asked,
                prepare=lambda trainer, step=step: trainer.add_callback(Tell(trainer, step, signal.SIGTERM)),
            )
        resumed = trained(run, tokenizer, **asked)
        assert_same(resumed, alone)
        assert resumed.ended() == alone.ended()
        left = [[folder.name for folder in checkpoints(each)] for each in (run, tmp_path / "alone")]
        assert left[0] == left[1]
        for name in left[0]:
            assert logged(run / name) == logged(tmp_path / "alone" / name), name
        assert_same(trained(run, tokenizer, **asked), alone)  # ended, and asked once more


def test_the_last_step_stays_where_it_is_the_best_and_the_best_alone_is_saved(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    """Though --eval_steps does not divide --max_steps, so that a longer run would not save there."""
    ended = trained(tmp_path, tokenizer, max_steps=12, eval_steps=5, save_strategy="best")
    assert (ended.best().step, BLEU[12]) == (12, max(BLEU.values()))
    assert candidates_of(ended)["last checkpoint"] == [tmp_path / "checkpoint-12"]


def test_an_average_of_the_last_takes_none_that_is_kept_as_the_best(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    asked = {"max_steps": 11, "eval_steps": 1, "save_steps": 1, "save_total_limit": 2, "average_checkpoints": 5}
    found = candidates_of(trained(tmp_path, tokenizer, **asked))
    assert [folder.name for folder in checkpoints(tmp_path)] == ["checkpoint-2", "checkpoint-10", "checkpoint-11"]
    assert found["average of the last 2 checkpoints"] == [tmp_path / "checkpoint-10", tmp_path / "checkpoint-11"]


@pytest.mark.usefixtures("signals_as_they_were")
def test_a_signal_in_the_validation_that_is_made_up_for_changes_nothing(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    asked: dict[str, Any] = {"max_steps": 11, "eval_steps": 4, "save_strategy": "best", "save_total_limit": 2}
    alone = trained(tmp_path / "alone", tokenizer, **asked)
    run = tmp_path / "told"

    def told_at_8(trainer: VaswaniTrainer) -> None:
        trainer.add_callback(Tell(trainer, 8, signal.SIGTERM))

    def told_while_validating(trainer: VaswaniTrainer) -> None:
        def stop(_: Any) -> dict[str, float]:
            os.kill(os.getpid(), signal.SIGTERM)
            while not trainer.is_asked_to_end:
                os.sched_yield()
            raise ValidationStoppedError

        trainer.evaluate_model = stop

    for prepare in (told_at_8, told_while_validating):
        with pytest.raises(SignalledError, match="step 8 is saved"):
            trained(run, tokenizer, **asked, prepare=prepare)
        assert (run / "checkpoint-8" / UNSCHEDULED).exists()
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(each, signal.SIG_DFL)
    assert_same(trained(run, tokenizer, **asked), alone)
    assert [folder.name for folder in checkpoints(run)] == [folder.name for folder in checkpoints(tmp_path / "alone")]


@pytest.mark.usefixtures("signals_as_they_were")
def test_a_validation_that_is_made_up_for_may_end_the_run(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    asked: dict[str, Any] = {"patience": 1, "eval_steps": 4}
    alone = trained(tmp_path / "alone", tokenizer, **asked)
    end = alone.state.global_step
    assert alone.ended().by == "patience"
    with pytest.raises(SignalledError):
        trained(
            tmp_path / "told",
            tokenizer,
            **asked,
            prepare=lambda trainer: trainer.add_callback(Tell(trainer, end, signal.SIGTERM)),
        )
    ended = trained(tmp_path / "told", tokenizer, **asked)
    assert ended.state.global_step == end
    assert ended.ended() == alone.ended()


# --- whole runs ---

SCHEDULE = {
    "vocab_size": 300,
    "d_model": 16,
    "d_ff": 32,
    "num_heads": 2,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "dropout": 0.2,
    "tokens_per_batch": 256,
    "warmup_steps": 5,
    "batches_per_step": 2,
    "bf16": False,
    "report_to": "none",
    "dataloader_num_workers": 0,
    "test_splits": "test_toy",
    "packed_cache": True,
    "test_beams": 1,
    "eval_steps": 4,
    "save_steps": 3,
    "logging_steps": 5,
    "average_checkpoints": 2,
    "save_total_limit": 2,
}


@pytest.fixture
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_text(tmp_path_factory.mktemp("text"), 400, 6, 6)


class Runs:
    """Whole runs of a recipe, on two processes."""

    def __init__(self, forks: Forks, text: Path, folder: Path) -> None:
        self.forks, self.text, self.folder = forks, text, folder

    def __call__(self, name: str, steps: int, *flags: str, code: int = 0) -> str:
        """Run it, and return what its first process said."""
        words = self.words(name, steps, *flags)
        return self.forks.run(run_recipe, *words, *flags, kind="ddp", folder=self.folder, code=code)[0]

    def words(self, name: str, steps: int, *flags: str) -> list[str]:
        """Return its flags, before those of a single start."""
        settings = SCHEDULE | {
            **({} if "--dataset" in flags else {"data_dir": self.text}),
            "direction": "en-nds",
            "output_dir": self.folder / name,
            "max_steps": steps,
            "cache_dir": self.folder / "cache",
        }
        return [word for flag, value in settings.items() for word in (f"--{flag}", str(value))]

    def read(self, name: str, file: str) -> Any:
        return json.loads((self.folder / name / file).read_text(encoding="utf-8"))


@pytest.fixture
def runs(forks: Forks, text: Path, tmp_path: Path) -> Runs:
    return Runs(forks, text, tmp_path)


def test_a_whole_run_trains_longer_and_keeps_what_it_scored_before(runs: Runs) -> None:
    runs("alone", 11)
    runs("longer", 5)
    before = runs.read("longer", "metrics.json")
    said = runs("longer", 5, "--resume")
    assert "holds a run that has ended; there is nothing to do: it has reached step 5; a higher --max_steps" in said
    assert "continue it with --resume" in runs("longer", 11, code=2)
    assert runs.read("longer", "metrics.json") == before

    said = runs("longer", 11, "--resume")
    assert "Resuming from checkpoint-5" in said
    assert f"After 5 steps: test_toy sacreBLEU {before['test']['test_toy']['sacrebleu']['value']:.2f}, test_" in said
    alone, longer = (runs.read(name, "metrics.json") for name in ("alone", "longer"))
    kept = ("chosen", "chosen_by", "ended", "validation", "candidates", "search", "test", "left_out", "remarks")
    assert longer["earlier"] == {"5": {name: before[name] for name in kept}}
    weights = [load_file(runs.folder / name / "model.safetensors") for name in ("alone", "longer")]
    for name, weight in weights[0].items():
        assert torch.equal(weight, weights[1][name]), name
    of_start = ("training_seconds", "resumed_from", "earlier")
    assert {k: v for k, v in longer.items() if k not in of_start} == {
        k: v for k, v in alone.items() if k not in of_start
    }
    of_the_clock = ("tokens_per_second", "train_runtime", "train_samples_per_second", "train_steps_per_second")
    logs = [
        [
            {name: value for name, value in line.items() if name not in of_the_clock}
            for line in runs.read(name, "history.json")
        ]
        for name in ("alone", "longer")
    ]
    assert logs[0][-1].keys() == {"step", "total_flos", "train_loss"}
    assert logs[0] == logs[1]
    assert runs.read("longer", "metrics-5.json") == before
    assert runs.read("longer", "run.json")["training"]["max_steps"] == 11


def test_more_steps_are_refused_by_name_where_they_could_not_follow(runs: Runs) -> None:
    runs("short", 4, "--eval_steps", "0.5")
    before = {path.name: path.stat().st_mtime_ns for path in (runs.folder / "short").glob("*.json")}
    said = runs("short", 8, "--resume", "--eval_steps", "0.5", code=2)
    assert "error: --eval_steps 0.5 is a share of --max_steps, which was 4 and is 8" in said
    assert "give steps, such as --eval_steps 2, as before" in said
    for checkpoint in checkpoints(runs.folder / "short"):
        shutil.rmtree(checkpoint)
    said = runs("short", 8, "--resume", code=2)
    assert (
        "holds a run that has ended at step 4, and no checkpoint from which step 5 could follow (no checkpoint is left)"
        in said
    )
    assert "Restore checkpoint-4, or train anew in another --output_dir" in said
    assert {path.name: path.stat().st_mtime_ns for path in (runs.folder / "short").glob("*.json")} == before


def test_a_rate_that_rises_again_is_told(runs: Runs) -> None:
    runs("cooled", 4, "--cooldown_steps", "2")
    said = runs("cooled", 8, "--resume", "--cooldown_steps", "2")
    assert "Note: steps 3 to 4 were made in the cooldown of --max_steps 4, and the rate rises again" in said
    assert "a run of --max_steps 8 from its start would resume from a checkpoint up to step 2" in said
    runs("warm", 4)
    assert "cooldown" not in runs("warm", 8, "--resume", "--cooldown_steps", "2")


def test_flags_that_make_another_text_of_it_are_named_with_both_values(runs: Runs, text: Path, tmp_path: Path) -> None:
    runs("short", 4)
    before = (runs.folder / "short" / "run.json").read_bytes()
    other = shutil.copytree(text, tmp_path / "other text")
    for name in ("train.en", "train.nds"):
        (other / name).write_text((other / name).read_text(encoding="utf-8") * 2, encoding="utf-8")
    for flags, words in {
        ("--drop_duplicates",): "this run: drop_duplicates was False and is True. Resume with",
        ("--max_tokens", "100"): "this run: max_tokens was 256 and is 100. Resume with",
        ("--data_dir", str(other)): f"this run: data_dir was '{text}' and is '{other}'. Resume with",
        ("--seed", "7", "--window_groups", "3"): "this run: seed was 42 and is 7; window_groups was 64 and is 3. Res",
        ("--extra_dirs", str(other)): f"this run: extra_dirs was [] and is ['{other}']. Resume with",
    }.items():
        said = runs("short", 8, "--resume", *flags, code=2)
        assert f"error: the saved position does not fit {words}" in said
    assert (runs.folder / "short" / "run.json").read_bytes() == before
    moved = text.rename(text.with_name("moved"))
    runs.text = moved
    assert "Resuming from checkpoint-4" in runs("short", 5, "--resume")
    for name in ("train.en", "train.nds"):
        with (moved / name).open("a", encoding="utf-8") as file:
            file.write("one\n")
    said = runs("short", 8, "--resume", code=2)
    moved.rename(text)
    assert "this run: the flags are the same, and the text itself has changed since. Resume with" in said


def test_more_steps_do_not_follow_where_patience_would_have_ended_the_longer_run_too(runs: Runs) -> None:
    """BLEU is 0.00 and the rate so small that not even the loss falls by what a float tells."""
    asked = ["--patience", "1", "--eval_steps", "1", "--peak_learning_rate", "1e-30"]
    said = runs("spent", 8, *asked)
    assert "Training ended at step 2 of 8: the last validation found nothing better" in said
    assert runs.read("spent", "metrics.json")["ended"]["by"] == "patience"
    said = runs("spent", 20, *asked, "--resume")
    assert "there is nothing to do: the last validation found nothing better than BLEU 0.00 of step 1" in said
    assert "raise --patience, or leave it out, to train on from step 2" in said
    assert "Resuming from checkpoint-2" in runs("spent", 4, "--resume", *asked[2:])
    assert runs.read("spent", "metrics.json")["steps"] == 4


def test_a_run_is_chosen_by_the_score_that_was_asked_for(runs: Runs) -> None:
    said = runs("ter", 9, "--metric_for_best_model", "ter", "--peak_learning_rate", "0.01")
    metrics = runs.read("ter", "metrics.json")
    figures = {name: (round(each["ter"], 2), each["loss"]) for name, each in metrics["candidates"].items()}
    assert metrics["chosen"] == min(figures, key=lambda name: figures[name])
    assert "ter" in metrics["validation"]
    assert "  TER " in said
