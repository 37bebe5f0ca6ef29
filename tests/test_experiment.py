"""Whole runs by their own commands: text in, a scored model that the Auto classes load out, and every refusal."""

import importlib.metadata
import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import evaluate
import pytest
import torch
from forked_python import ForkedPopen, forked
from safetensors.torch import load_file, save_file
from toy_language import write_toy_text
from transformers import AutoConfig, AutoModel, AutoModelForSeq2SeqLM, AutoTokenizer, GenerationConfig, pipeline

import vaswani.modeling  # noqa: F401  (teaches the Auto classes)
from vaswani.data.retrying import RetryPolicy, with_retries
from vaswani.experiment import parse
from vaswani.experiment.error_messages import exit_on_bad_input
from vaswani.experiment.run import new_model
from vaswani.publishing import model_card, read_records
from vaswani.training import VaswaniTrainingArguments
from vaswani.translation.translate import translate

ROOT = Path(__file__).resolve().parents[1]
FLAGS = {
    "vocab_size": 300,
    "d_model": 48,
    "d_ff": 96,
    "num_heads": 2,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "dropout": 0,
    "label_smoothing": 0,
    "tokens_per_batch": 512,
    "warmup_steps": 60,
    "peak_learning_rate": 8e-3,
    "bf16": False,
    "report_to": "none",
    "dataloader_num_workers": 0,
}
TINY = [word for name, value in FLAGS.items() for word in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_text(tmp_path_factory.mktemp("text"))


def toy_text(folder: Path) -> Path:
    """Write text files into a folder: 3,000 pairs to train on, and 60 each to validate and to test."""
    return write_toy_text(folder, 3000, 60, 60)


def fresh(*flags: str | Path) -> list[str]:
    return [sys.executable, str(ROOT / "recipes" / "multi30k.py"), *map(str, flags)]


def one_thread() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"}


def recipe(*flags: str | Path) -> list[str]:
    """The command of a process that has imported everything; to be started with the variables of `one_thread`."""
    return forked(*fresh(*flags), environment=one_thread())


def run(
    *flags: str | Path, check: bool = True, of: Callable[..., list[str]] = recipe
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(of(*flags), env=one_thread(), capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stdout[-1500:] + done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def trained(text: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished run, and what it printed."""
    folder = tmp_path_factory.mktemp("runs") / "toy"
    schedule = ["--max_steps", "300", "--eval_steps", "150", "--save_steps", "50", "--average_checkpoints", "3"]
    done = run("--data_dir", text, "--direction", "en-nds", "--output_dir", folder, *TINY, *schedule, of=fresh)
    return folder, done.stdout


@pytest.mark.slow
def test_a_tiny_model_learns_to_translate_and_evaluate_says_so(trained: tuple[Path, str], text: Path) -> None:
    """The gate: BLEU by `evaluate` on sentences that the model has to have understood to get right."""
    folder, _ = trained
    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    lines = (text / "test_toy.en").read_text(encoding="utf-8").splitlines()
    references = (text / "test_toy.nds").read_text(encoding="utf-8").splitlines()
    translations = translate(model, tokenizer, lines)
    metric = evaluate.load(str(ROOT / "evaluation" / "metrics" / "sacrebleu"))
    bleu = metric.compute(predictions=translations, references=references)["bleu"]
    assert bleu > 90
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["test"]["test"]["sacrebleu"]["value"] == pytest.approx(bleu)
    assert (folder / "test.translations.txt").read_text(encoding="utf-8").splitlines() == translations


@pytest.mark.slow
def test_the_run_folder_holds_all_that_it_should(trained: tuple[Path, str], text: Path) -> None:
    folder, output = trained
    for name in (
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "run.json",
        "metrics.json",
        "history.json",
        "curve.png",
        "curve.svg",
        "test.samples.txt",
        "pipeline_vaswani.py",
    ):
        assert (folder / name).stat().st_size > 0, name
    description = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert description["model"]["d_model"] == 48
    assert description["data"]["direction"] == "en-nds"
    assert description["versions"]["torch"] == importlib.metadata.version("torch")
    assert output.count("  reference  ") == 10
    assert "[WARNING]" not in output  # of libraries that look for a GPU
    assert "sacreBLEU" in output
    assert "nrefs:1|case:mixed" in output
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    overlap = metrics["test_text_in_training"]
    for split, found in overlap["splits"].items():
        said = (
            f"{split} in the training text: {found['pairs']:,} of the 60 pairs, {found['sources']:,} of the 60 sources"
        )
        assert output.index(said) < output.index("Trained to step")
    assert (overlap["left_out"], overlap["row_groups"], set(overlap["splits"])) == (
        False,
        [3, 3],
        {"validation", "test"},
    )
    train, test = ((text / f"{split}.en").read_text(encoding="utf-8").splitlines() for split in ("train", "test_toy"))
    assert overlap["splits"]["test"]["sources"] == sum(line in train for line in test) > 0
    config = AutoConfig.from_pretrained(folder)
    assert config.auto_map.keys() == {"AutoConfig", "AutoModel", "AutoModelForSeq2SeqLM"}
    assert type(AutoModel.from_pretrained(folder)).__name__ == "VaswaniModel"
    assert config.use_cache
    assert AutoModelForSeq2SeqLM.from_pretrained(folder).generation_config.num_beams == 4
    first = (folder / "test.translations.txt").read_text(encoding="utf-8").splitlines()[0]
    source = (text / "test_toy.en").read_text(encoding="utf-8").splitlines()[0]
    assert pipeline("translation", model=str(folder))(source) == [{"translation_text": first}]  # type: ignore[call-overload]


@pytest.mark.slow
def test_lines_that_cannot_be_scored_are_told_and_counted(text: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(text, tmp_path / "text")
    for language in ("en", "nds"):
        for split in ("val", "test_toy"):
            lines = (text / f"{split}.{language}").read_text(encoding="utf-8").splitlines()[:4]
            (folder / f"{split}.{language}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    lines[1] = ""  # of the target side of the test set
    (folder / "test_toy.nds").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    flags: list[str | Path] = ["--data_dir", folder, "--direction", "en-nds", *TINY, "--output_dir", tmp_path / "run"]
    done = run(*flags, "--max_steps", "2", "--eval_steps", "2", "--save_steps", "2")
    assert "test_toy.nds: 3 pairs kept, 1 dropped:\n  1 empty (" in done.stdout
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["scored_pairs"] == {
        "validation": {"kept": 4, "dropped": {}, "line_breaks_as_spaces": 0, "blank_references": 0},
        "test": {"kept": 3, "dropped": {"empty": 1}, "line_breaks_as_spaces": 0, "blank_references": 0},
    }
    assert len((tmp_path / "run" / "test.translations.txt").read_text(encoding="utf-8").splitlines()) == 3
    said = "1 of 4 pairs are not scored (1 empty); these figures cannot be compared with figures of the whole set"
    assert f"\ntest:\n  {said}\n  sacreBLEU " in done.stdout
    assert metrics["not_scored"] == {"test": [said]}
    card = model_card("ann/model", *read_records(tmp_path / "run"), {})
    assert f"Of test, {said}." in card


@pytest.mark.slow
@pytest.mark.parametrize("beams", [1, 4])
def test_a_model_is_saved_with_the_search_it_was_tested_by(tmp_path: Path, beams: int) -> None:
    """One beam has no length penalty, and transformers refuses to save one: at the end of a run."""
    quickstart = runpy.run_path(str(ROOT / "recipes/quickstart.py"))["RECIPE"]
    flags = ["--test_beams", str(beams), "--length_penalty", "0.7", "--output_dir", str(tmp_path / "run")]
    arguments = parse(quickstart, flags)
    new_model({"vocab_size": 20, "d_model": 8, "num_heads": 2}, arguments.training).save_pretrained(tmp_path)
    saved = GenerationConfig.from_pretrained(tmp_path)
    assert (saved.num_beams, saved.length_penalty) == (beams, 0.7 if beams > 1 else None)


def test_the_model_loads_where_this_package_is_not_installed(trained: tuple[Path, str], tmp_path: Path) -> None:
    """Its code lies beside it; the process cannot see this package, and translates all the same."""
    folder, _ = trained
    script = tmp_path / "load.py"
    script.write_text(
        "import sys\n"
        "sys.modules['vaswani'] = None  # importing it fails from here on\n"
        "from transformers import AutoModel, AutoModelForSeq2SeqLM, AutoTokenizer\n"
        "tokenizer = AutoTokenizer.from_pretrained(sys.argv[1], trust_remote_code=True)\n"  # it reads the config too
        "AutoModel.from_pretrained(sys.argv[1], trust_remote_code=True)\n"
        "model = AutoModelForSeq2SeqLM.from_pretrained(sys.argv[1], trust_remote_code=True)\n"
        "ids = model.generate(**tokenizer('the red cat sees the old dog.', return_tensors='pt'))\n"
        "print(tokenizer.decode(ids[0], skip_special_tokens=True))\n"
    )
    environment = os.environ | {"HF_MODULES_CACHE": str(tmp_path / "modules"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, str(script), str(folder)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "de kat rot de hund alt süht."


@pytest.mark.slow
def test_a_run_that_was_killed_ends_as_if_nothing_had_happened(text: Path, tmp_path: Path) -> None:
    """kill -9 once the second checkpoint is whole, then --resume: the weights are those of the run left alone."""
    flags: list[str | Path] = ["--data_dir", text, "--direction", "en-nds", *TINY, "--dropout", "0.2"]
    flags += ["--max_steps", "90", "--eval_steps", "90", "--save_steps", "30", "--average_checkpoints", "1"]
    run(*flags, "--output_dir", tmp_path / "alone")
    folder = tmp_path / "killed"
    process: ForkedPopen[bytes] = ForkedPopen(
        recipe(*flags, "--output_dir", folder),
        env=one_thread(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in polling(120):
        if (folder / "checkpoint-60" / "manifest.json").exists() or process.poll() is not None:
            break
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
    (folder / "checkpoint-60" / "manifest.json").unlink()  # and the last save was cut off
    done = run(*flags, "--output_dir", folder, "--resume")
    assert "Skipping checkpoint-60: it was not saved to the end" in done.stdout
    assert "Resuming from checkpoint-30" in done.stdout
    expected, found = (load_file(tmp_path / name / "model.safetensors") for name in ("alone", "killed"))
    for name, tensor in expected.items():
        assert torch.equal(tensor, found[name]), name
    again = run(*flags, "--output_dir", folder, "--resume")
    assert "holds a run that has ended; there is nothing to do" in again.stdout


def polling(seconds: float) -> Iterator[None]:
    """Come round until the time is up; the caller leaves when it has seen what it waits for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.05)
    pytest.fail(f"waited {seconds} s in vain")


# --- what is refused, and how ---


def refusal(*flags: str | Path) -> str:
    done = run(*flags, check=False)
    assert done.returncode == 2, (done.returncode, done.stdout[-500:], done.stderr[-2000:])
    assert "Traceback" not in done.stderr
    return done.stderr


def test_an_unknown_flag_is_an_error_that_names_the_nearest() -> None:
    message = refusal("--drop_out", "0.1")
    assert "unknown: --drop_out 0.1; similar flags are --dropout" in message
    assert len(message) < 400


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--num_heads", "3"], "num_heads=3 does not divide d_model=128"),
        (["--dropout", "1.5"], "argument --dropout: 1.5 is out of range; give from 0 to less than 1"),
        (["--direction", "german"], "two languages joined by a hyphen are needed"),
        (["--learning_rate", "0.1"], "use --peak_learning_rate"),
        (
            ["--metric_for_best_model", "f1"],
            "is f1, but text in 'en' is scored by BLEU: give bleu, chrf, ter, "
            "wmt14_bleu, multi30k_bleu, iwslt14_bleu, loss or perplexity",
        ),
        (
            ["--direction", "en-trees", "--metric_for_best_model", "ter"],
            "is ter, but text in 'trees' is scored by F1: give f1, loss or perplexity",
        ),
        (["--metric_for_best_model", "eval_f1"], "--metric_for_best_model is f1"),
    ],
)
def test_values_that_do_not_fit_are_named_with_the_way_out(flags: list[str], words: str) -> None:
    assert words in refusal(*flags)


def test_a_folder_that_holds_another_run_or_other_files_is_left_alone(text: Path, tmp_path: Path) -> None:
    flags: list[str | Path] = ["--data_dir", text, "--direction", "en-nds", *TINY, "--output_dir", tmp_path]
    (tmp_path / "thesis.tex").write_text("years of work")
    assert "holds files that do not belong to a run; name another --output_dir" in refusal(*flags)
    (tmp_path / "run.json").write_text("{}")
    assert "holds a run already; continue it with --resume, or name another --output_dir" in refusal(*flags)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_what_would_be_another_run_is_not_gone_on_with(trained: tuple[Path, str], text: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(trained[0], tmp_path / "run")
    (folder / "metrics.json").unlink()
    flags: list[str | Path] = ["--data_dir", text, "--direction", "en-nds", *TINY, "--output_dir", folder, "--resume"]
    heads = 2
    message = refusal(*flags, "--num_heads", str(2 * heads))
    assert f"is of another network: num_heads was {heads} and is {2 * heads}" in message
    assert "is of another network: vocab_size was 300 and is 290" in refusal(*flags, "--vocab_size", "290")
    assert "the saved position does not fit this run: seed was" in refusal(*flags, "--seed", "7")
    assert (folder / "run.json").read_bytes() == (trained[0] / "run.json").read_bytes()
    run(*flags, "--max_steps", "301")
    assert json.loads((folder / "run.json").read_text())["training"]["max_steps"] == 301


@pytest.mark.slow
def test_a_damaged_checkpoint_is_neither_averaged_nor_chosen(
    trained: tuple[Path, str], text: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained[0], folder := tmp_path / "run")
    before = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    (folder / "metrics.json").unlink()
    weights = folder / "checkpoint-250" / "model.safetensors"
    tensors = load_file(weights)
    save_file({name: torch.zeros_like(tensor) for name, tensor in tensors.items()}, weights, {"format": "pt"})
    flags: list[str | Path] = ["--data_dir", text, "--direction", "en-nds", "--output_dir", folder, *TINY, "--resume"]
    flags += ["--max_steps", "300", "--eval_steps", "150", "--save_steps", "50", "--average_checkpoints", "3"]
    done = run(*flags)
    assert "Skipped: checkpoint-250, model.safetensors was changed after it was saved" in done.stdout
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    average = "average of the last 3 checkpoints"
    assert metrics["candidates"][average]["perplexity"] < 1.1 * before["candidates"][average]["perplexity"]
    assert metrics["candidates"]["last checkpoint"] == before["candidates"]["last checkpoint"]


def test_learned_positions_reach_to_the_end_of_all_that_is_read(text: Path, tmp_path: Path) -> None:
    """Or a run would end in its middle, or with its test set after the last step."""
    flags: list[str | Path] = ["--data_dir", text, "--direction", "en-nds", "--output_dir", tmp_path / "run", *TINY]
    flags += ["--positions", "learned"]
    assert "--max_positions is 8 and --max_tokens 256" in refusal(*flags, "--max_positions", "8")
    shutil.copytree(text, longer := tmp_path / "text")
    for language in ("en", "nds"):
        with (longer / f"test_toy.{language}").open("a", encoding="utf-8") as file:
            file.write("word " * 40 + "\n")
    flags[1] = longer
    said = refusal(*flags, "--max_positions", "30", "--max_tokens", "30")
    assert re.search(
        r"test has a sentence of \d+ tokens, and there are 30 learned positions; raise --max_positions", said
    )


def test_weights_are_not_chosen_by_what_cannot_be_measured_on_the_validation_set(text: Path, tmp_path: Path) -> None:
    """The paper's BLEU of what is no German, and TER of lines without end."""
    shutil.copytree(text, longer := tmp_path / "text")
    with (longer / "val.nds").open("a", encoding="utf-8") as file:
        file.write("word " * 301 + "\n")
    with (longer / "val.en").open("a", encoding="utf-8") as file:
        file.write("word " * 301 + "\n")
    flags: list[str | Path] = ["--direction", "en-nds", *TINY, "--output_dir", tmp_path / "run", "--max_tokens", "500"]
    said = refusal(*flags, "--data_dir", text, "--metric_for_best_model", "wmt14_bleu")
    assert "wmt14_bleu, which cannot be measured on the validation set: it was made for German, and the lang" in said
    said = refusal(*flags, "--data_dir", longer, "--metric_for_best_model", "ter")
    assert "is ter, which cannot be measured on the validation set: its cost on long lines has no bound" in said
    assert "Give bleu, chrf, loss or perplexity" in said


def test_a_run_that_would_leave_no_checkpoint_does_not_begin(text: Path, tmp_path: Path) -> None:
    flags: list[str | Path] = ["--data_dir", text, "--direction", "en-nds", *TINY, "--output_dir", tmp_path / "run"]
    assert "--save_strategy is no, " in refusal(*flags, "--save_strategy", "no")
    assert "with --eval_strategy no there are none" in refusal(
        *flags, "--save_strategy", "best", "--eval_strategy", "no"
    )
    assert "--save_only_model leaves checkpoints that no run can resume from" in refusal(*flags, "--save_only_model")
    assert not (tmp_path / "run").exists()


def test_files_of_unequal_length_end_the_run_before_it_begins(text: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(text, tmp_path / "text")
    with (folder / "train.nds").open("a", encoding="utf-8") as file:
        file.write("one line too many\n")
    message = refusal("--data_dir", folder, "--direction", "en-nds", *TINY, "--output_dir", tmp_path / "run")
    assert "3,000" in message
    assert "3,001" in message


def test_a_source_that_is_lost_while_opening_is_told_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    def unreachable() -> None:
        raise ConnectionResetError("reset by peer")

    with pytest.raises(SystemExit) as ended, exit_on_bad_input():
        with_retries(unreachable, "owner/name", RetryPolicy(seconds=0))
    assert ended.value.code == 2
    assert (
        "error: owner/name did not arrive within 0 s (ConnectionResetError: reset by peer)" in capsys.readouterr().err
    )


def test_a_disk_that_cannot_be_written_is_told_plainly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "none", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a disk")
    try:
        with pytest.raises(SystemExit) as ended, exit_on_bad_input():
            (tmp_path / "cache").mkdir()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert ended.value.code == 2
    assert "is on a disk that is read-only" in (message := capsys.readouterr().err)
    assert message.endswith("; name another --output_dir or --cache_dir\n")


@pytest.mark.parametrize("workers", ["0", "1"])
def test_too_many_unreadable_rows_end_the_run_and_are_listed(text: Path, tmp_path: Path, workers: str) -> None:
    folder = shutil.copytree(text, tmp_path / "text")
    lines = (folder / "train.en").read_bytes().split(b"\n")
    for number in (4, 40, 400):
        lines[number] = b"caf\xe9"
    (folder / "train.en").write_bytes(b"\n".join(lines))
    flags: list[str | Path] = ["--data_dir", folder, "--direction", "en-nds", *TINY, "--max_steps", "2"]
    flags += ["--eval_strategy", "no", "--output_dir", tmp_path / "run", "--dataloader_num_workers", workers]
    message = refusal(*flags, "--max_unreadable", "0.0009")
    assert "error: 3 rows of" in message
    assert "more than 0.09% of 3,000; fix the source, or allow more with --max_unreadable" in message
    listed = json.loads((tmp_path / "run" / "unreadable-0.json").read_text(encoding="utf-8"))
    places = [f"{folder / 'train.en'}, line {number + 1}, byte 4" for number in (4, 40, 400)]
    assert (listed["rows"], sorted(listed["places"]["undecodable"])) == (3, sorted(places))


@pytest.mark.parametrize("workers", ["0", "1"])
def test_text_of_which_no_pair_is_left_ends_the_run_with_the_reasons(text: Path, tmp_path: Path, workers: str) -> None:
    flags: list[str | Path] = ["--data_dir", text, "--direction", "en-nds", *TINY, "--dataloader_num_workers", workers]
    message = refusal(*flags, "--max_tokens", "2", "--output_dir", tmp_path / "run")
    assert f"error: no pair of {text / 'train.en'}" in message
    assert "is left to train on; fix the data, or lower --streams. 0 pairs kept, 3,000 dropped:" in message
    assert "3,000 too long (more tokens than --max_tokens" in message


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_text_that_changes_under_a_run_ends_it_in_a_line(text: Path, tmp_path: Path, workers: str) -> None:
    folder = shutil.copytree(text, tmp_path / "text")
    flags: list[str | Path] = ["--data_dir", folder, "--direction", "en-nds", *TINY, "--output_dir", tmp_path / "run"]
    flags += ["--max_steps", "5000", "--eval_strategy", "no", "--dataloader_num_workers", workers, "--streams", "1"]
    flags += ["--save_strategy", "steps", "--save_steps", "5", "--save_total_limit", "1"]
    process = subprocess.Popen(
        recipe(*flags), env=one_thread(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    for _ in polling(120):
        if list((tmp_path / "run").glob("checkpoint-*")) or process.poll() is not None:
            break
    with (folder / "train.en").open("a", encoding="utf-8") as file:
        file.write("one line more\n")
    _, output = process.communicate()
    assert process.returncode == 2, output[-2000:]
    assert "Traceback" not in output
    assert (
        f"error: {folder / 'train.en'} has changed since it was opened. Start again on the file as it is now." in output
    )


def test_a_full_disk_is_named_and_the_last_checkpoint_survives(text: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk")
    flags: list[str | Path] = ["--data_dir", text, "--direction", "en-nds", *TINY, "--output_dir", disk / "run"]
    flags += ["--max_steps", "100", "--eval_steps", "100", "--save_steps", "5"]
    (disk / "ballast").write_bytes(bytes(1 << 20))
    try:
        message = refusal(*flags)
        assert "no space is left on the disk" in message
        assert "--resume" in message
        (disk / "ballast").unlink()
        done = run(*flags, "--save_total_limit", "1", "--max_steps", "40", "--resume")
        assert "Resuming from checkpoint-" in done.stdout
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("keeps", [True, False])
def test_a_saved_model_caches_as_it_was_asked(tmp_path: Path, keeps: bool) -> None:
    training = VaswaniTrainingArguments(output_dir=str(tmp_path), use_cache=keeps, peak_learning_rate=1e-3)
    model = new_model({"vocab_size": 20, "d_model": 8, "num_heads": 2, "d_ff": 8}, training)
    assert model.generation_config.use_cache is keeps
