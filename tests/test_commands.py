"""The command line in real processes: lines in, lines out, and errors that say what to do."""

import json
import os
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import outspoken
from forked_python import ForkedPopen, forked
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerFast

from vaswani import __version__
from vaswani.commands import main
from vaswani.commands.line_files import check_writable, distinct, write_lines
from vaswani.data.tokenizer import learn_tokenizer
from vaswani.evaluation.scores import by_cost, score
from vaswani.evaluation.significance import compare
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.translation.models import find_device
from vaswani.translation.translate import translate

VASWANI = str(Path(sys.executable).with_name("vaswani"))


def run(*args: str | Path, given: bytes = b"", code: int = 0, is_fresh: bool = False) -> tuple[bytes, str]:
    """Run `vaswani`, check its exit code and that it shows no traceback; return stdout and stderr."""
    command = [VASWANI, *map(str, args)]
    done = subprocess.run(command if is_fresh else forked(*command), input=given, capture_output=True, check=False)
    error = done.stderr.decode()
    assert done.returncode == code, error
    assert "Traceback" not in error
    return done.stdout, error


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return learn_tokenizer(["the cat sat on the mat and the dog sat by the door"] * 3, 280, show_progress=False)


@pytest.fixture(scope="module")
def folder(tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model that knows 64 positions."""
    torch.manual_seed(0)
    config = VaswaniConfig(
        vocab_size=len(tokenizer),
        d_model=16,
        d_ff=32,
        num_heads=2,
        encoder_layers=1,
        decoder_layers=1,
        positions="learned",
        max_positions=64,
    )
    model = outspoken(VaswaniForConditionalGeneration(config))
    path = tmp_path_factory.mktemp("model")
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def test_help_lists_the_commands_without_importing_torch() -> None:
    lines = run("--help", is_fresh=True)[0].decode().splitlines()
    assert {line.split()[0] for line in lines if line.startswith("    ")} >= {"translate", "score"}
    script = "import sys, vaswani.commands; sys.exit('torch' in sys.modules or 'evaluate' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_translate_stdin_to_stdout(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    # A byte order mark, Windows line ends, blank lines, separators inside a line, and no "\n" at the end.
    given = "\ufeffthe cat\r\n\r\n  \na\u2028b\x85c\rd\n\nüber 12".encode()
    lines = ["the cat", "", "  ", "a\u2028b\x85c\rd", "", "über 12"]
    output, error = run("translate", folder, "--beams", "2", given=given, is_fresh=True)
    expected = translate(VaswaniForConditionalGeneration.from_pretrained(folder), tokenizer, lines, num_beams=2)
    assert len(set(expected)) == 4
    assert output.decode() == "".join(f"{line}\n" for line in expected)
    assert error == ""


def test_translate_reads_a_named_pipe_once(folder: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["/bin/sh", "-c", 'printf "the cat\\nthe dog\\n" > "$0"', str(pipe)]) as writer:
        output, _ = run("translate", folder, "--input", pipe)
    assert writer.returncode == 0
    assert output == run("translate", folder, given=b"the cat\nthe dog\n")[0]


@pytest.mark.parametrize(("closed", "words"), [("<&-", "stdin is closed; give --input"), (">&-", "stdout is closed; ")])
def test_translate_names_a_closed_end_before_it_loads_a_model(folder: Path, closed: str, words: str) -> None:
    command = ["/bin/sh", "-c", f'"$0" translate "$1" {closed}', VASWANI, str(folder)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, words in done.stderr, "Traceback" in done.stderr) == (2, True, False)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda folder: change(folder / "config.json", encoder_layers=3),
            "do not fit its config.json: the file lacks",
        ),
        (lambda folder: grow(folder / "model.safetensors"), "the file also has model.decoder.layers.1.more"),
        (lambda folder: change(folder / "config.json", d_ff=64), "do not fit its config.json: "),
        (lambda folder: cut(folder / "model.safetensors"), "are damaged ("),
        (lambda folder: cut(folder / "tokenizer.json"), "the tokenizer in "),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "tokenizer.json or tokenizer_config.json is "),
        (lambda folder: (folder / "tokenizer.json").write_text('{"added_tokens": []}'), "(Exception: Model missing"),
        (
            lambda folder: (folder / "tokenizer_config.json").write_text("null"),
            "tokenizer_config.json is damaged; copy both",
        ),
        (lambda folder: cut(folder / "generation_config.json"), "generation_config.json is damaged ("),
        (lambda folder: (folder / "generation_config.json").write_text("[]"), "(it holds a list, no object); copy it"),
    ],
)
def test_what_is_not_whole_or_not_of_one_model_is_refused(
    folder: Path, tmp_path: Path, spoil: Callable[[Path], None], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Transformers would draw at random what a file lacks."""
    spoil(spoilt := shutil.copytree(folder, tmp_path / "spoilt"))
    (tmp_path / "text").write_text("the cat\n")
    assert main(["translate", str(spoilt), "--input", str(tmp_path / "text")]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert str(spoilt) in error


def change(file: Path, **fields: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def grow(file: Path) -> None:
    save_file(load_file(file) | {"model.decoder.layers.1.more": torch.zeros(1)}, file, {"format": "pt"})


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def test_a_file_that_a_killed_command_left_is_in_nobodys_way(folder: Path, tmp_path: Path) -> None:
    """In a container each command may have the same process number."""
    command = forked(VASWANI, "translate", folder, "--output", tmp_path / "out")
    started: ForkedPopen[bytes] = ForkedPopen(command, stdin=subprocess.PIPE)
    while not any(tmp_path.iterdir()):
        assert started.poll() is None
    started.kill()
    started.communicate()
    assert any(tmp_path.iterdir())
    (tmp_path / "text").write_text("the cat\n")
    assert main(["translate", str(folder), "--input", str(tmp_path / "text"), "--output", str(tmp_path / "out")]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "text"]


def test_ctrl_c_ends_in_a_line(folder: Path, tmp_path: Path) -> None:
    started = subprocess.Popen(
        [VASWANI, "translate", folder, "--output", tmp_path / "out"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's job in the background
    )
    while not any(tmp_path.iterdir()):
        assert started.poll() is None
    started.send_signal(signal.SIGINT)
    assert started.communicate()[1].decode().endswith("vaswani translate: interrupted\n")
    assert started.returncode == 130
    assert not any(tmp_path.iterdir())


def test_translate_file_to_file(folder: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_text("the dog\n\nthe door\n")
    target.write_text("old\n")
    output, _ = run(
        "translate", folder, "--input", source, "--output", target, "--beams", "1", "--tokens_per_batch", "1"
    )
    assert output == b""
    lines = target.read_text().split("\n")
    assert len(lines) == 4
    assert lines[0]
    assert lines[1] == lines[3] == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.txt"]


def test_a_failed_translation_leaves_the_old_file(folder: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    target.write_text("old\n")
    source.write_bytes(b"the cat\n\xff")
    assert main(["translate", str(folder), "--input", str(source), "--output", str(target)]) == 2
    assert target.read_text() == "old\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.txt"]


def test_learned_positions_bound_the_length_of_a_line(
    folder: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """64 of them: what is longer is left empty, and what is shorter may not become longer either."""
    source = tmp_path / "in.txt"
    source.write_text("the cat\n" + "cat " * 90 + "\n" + "cat " * 60)
    assert main(["translate", str(folder), "--input", str(source)]) == 0
    found = capsysbinary.readouterr()
    assert "split them into sentences: the model knows no more positions" in found.err.decode()
    assert main(["translate", str(folder), "--input", str(source), "--max_tokens", "63"]) == 0
    assert "raise --max_tokens" in capsysbinary.readouterr().err.decode()
    lines = found.out.decode().split("\n")
    assert len(lines) == 4
    assert lines[0]
    assert lines[1] == ""
    assert lines[2]
    assert "of more than 64 tokens were left empty, not cut: line (tokens) 2 (92);" in found.err.decode()


def test_no_input_gives_no_output(folder: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    source.touch()
    assert main(["translate", str(folder), "--input", str(source), "--output", str(target)]) == 0
    assert target.read_bytes() == b""


def test_a_folder_without_a_model_is_told_what_it_lacks(folder: Path, tmp_path: Path) -> None:
    _, error = run("translate", tmp_path / "nowhere", code=2)
    for part in ("nowhere is not a folder", "config.json", "model.safetensors", "tokenizer.json"):
        assert part in error
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    _, error = run("translate", tmp_path, code=2)
    assert "lacks the weights (model.safetensors" in error
    assert "config.json" not in error.split("tokenizer_config.json")[0]


def test_what_is_not_utf8_is_named_by_line_and_byte(folder: Path, tmp_path: Path) -> None:
    bad = b"fine\n\xc3\xbcber \xff\n"
    assert "stdin, line 2, byte 7: 0xff is not UTF-8" in run("translate", folder, given=bad, code=2)[1]
    path = tmp_path / "references.txt"
    path.write_bytes(bad)
    assert f"{path}, line 2, byte 7" in run("score", "--references", path, code=2)[1]


def test_places_that_cannot_be_used(folder: Path, tmp_path: Path) -> None:
    missing = tmp_path / "no" / "out.txt"
    assert "folder is missing" in run("translate", folder, "--output", missing, code=2)[1]
    assert "it is a folder" in run("translate", folder, "--output", tmp_path, code=2)[1]
    assert "missing.txt" in run("translate", folder, "--input", tmp_path / "missing.txt", code=2)[1]
    assert "missing.txt" in run("score", "--references", tmp_path / "missing.txt", code=2)[1]
    assert "unknown: --beam 3; similar flags are --beams" in run("translate", folder, "--beam", "3", code=2)[1]


@pytest.mark.parametrize("name", ["cuda:99", "gpu", "cpu:x"])
def test_a_device_that_is_not_here(name: str) -> None:
    with pytest.raises(ValueError, match=f"--device {name} is not on this machine"):
        find_device(name)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_an_error_and_a_device_is_never_replaced() -> None:
    with pytest.raises(OSError, match="No space left"):
        write_lines(Path("/dev/full"), ["a"])
    assert Path("/dev/full").is_char_device()


def test_score_prints_each_figure_with_its_signature(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    references, hypotheses = tmp_path / "references.txt", tmp_path / "hypotheses.txt"
    references.write_text("Ein Nord-Ost-Dialog beginnt heute.\nDas Haus ist alt.\n")
    hypotheses.write_bytes("Ein Nord-Süd-Dialog beginnt heute.\r\nDas Haus ist alt.\r\n".encode())
    scores: Any = score(
        ["Ein Nord-Süd-Dialog beginnt heute.", "Das Haus ist alt."],
        ["Ein Nord-Ost-Dialog beginnt heute.", "Das Haus ist alt."],
    )
    expected = [getattr(scores, each.score_key) for each in by_cost()]
    table = run("score", "--references", references, "--hypotheses", hypotheses)[0].decode().splitlines()
    assert [tuple(line.split(maxsplit=2)) for line in table] == [
        (each.name, f"{each.value:.2f}", each.signature) for each in expected
    ]
    assert len({line.index(".") for line in table}) == 1  # decimal points stand in one column
    assert main(["score", "--references", str(references), "--hypotheses", str(hypotheses), "--json"]) == 0
    assert json.loads(capsysbinary.readouterr().out) == {key: part._asdict() for key, part in scores._asdict().items()}


def test_score_compares_several_outputs_with_the_first(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    references = ["Das Haus ist sehr alt.", "Der Hund läuft.", "Wir gehen heute nach Hause."] * 4
    worse = [line.replace("Das", "Ein").replace("heute ", "") for line in references]
    for name, lines in (("reference", references), ("good", references), ("worse", worse)):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines))
    good, bad = str(tmp_path / "good"), str(tmp_path / "worse")
    asked = ["score", "--references", str(tmp_path / "reference"), "--hypotheses", good, bad]
    compared: Any = compare([references, worse], references)
    expected = [getattr(compared, each.score_key) for each in by_cost()]
    assert main(asked) == 0
    table = capsysbinary.readouterr().out.decode().splitlines()
    assert [line for line in table if not line.startswith(" ")] == [f"{e.name}  {e.signature}" for e in expected]
    rows = [line.split() for line in table if line.startswith(" ")]
    assert [row[0] for row in rows] == [f"{output.value:.2f}" for each in expected for output in each.outputs]
    assert [row[-1] for row in rows] == [good, bad] * 4
    assert [row[-2] for row in rows[1::2]] == [f"{each.outputs[1].p_value:.4f}" for each in expected]
    assert main([*asked, "--json"]) == 0
    found = json.loads(capsysbinary.readouterr().out)
    assert found["chrf"]["signature"] == compared.chrf.signature
    assert found["chrf"]["outputs"][1] == {"file": bad} | compared.chrf.outputs[1]._asdict()
    Path(bad).write_text("a\n")
    assert main(asked) == 2
    assert f"{bad} 1" in capsysbinary.readouterr().err.decode()


@pytest.mark.parametrize("terminal", [True, False])
def test_score_draws_bars_on_a_terminal_alone(tmp_path: Path, terminal: bool) -> None:
    for name in ("reference", "good", "worse"):
        (tmp_path / name).write_text("Das Haus ist alt.\nDer Hund läuft.\n")
    ours, theirs = os.openpty() if terminal else os.pipe()
    if terminal:
        termios.tcsetwinsize(theirs, (24, 100))
    command = [VASWANI, "score", "--references", "reference", "--hypotheses", "good", "worse"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # how a terminal says that nobody writes to it any more
            while part := os.read(ours, 65536):
                shown += part
    os.close(ours)
    assert process.returncode == 0, shown
    assert (b"TER: " in shown, b"Resampling: " in shown) == (terminal, terminal)


@pytest.mark.parametrize(("closed", "words"), [("<&-", "stdin is closed; give --hypo"), (">&-", "stdout is closed; ")])
def test_score_names_a_closed_end(tmp_path: Path, closed: str, words: str) -> None:
    (tmp_path / "references").write_text("a\n")
    command = ["/bin/sh", "-c", f'"$0" score --references "$1" {closed}', VASWANI, str(tmp_path / "references")]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, words in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def test_score_refuses_unequal_counts(tmp_path: Path) -> None:
    (tmp_path / "references.txt").write_text("a\nb\n")
    error = run("score", "--references", tmp_path / "references.txt", given=b"a\n", code=2)[1]
    assert "1 hypotheses against 2 references" in error


def test_an_error_is_told_in_a_job_that_numbers_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only what processes do together is told by the first alone."""
    monkeypatch.setenv("RANK", "1")
    assert main(["score", "--references", str(tmp_path / "none"), "--hypotheses", str(tmp_path / "none")]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert main(["translate", str(tmp_path / "none")]) == 2
    assert not capsys.readouterr().err


def test_the_same_file_twice_is_two_outputs() -> None:
    assert distinct(["a", "b", "a", "a", "b"]) == ["a", "b", "a (2)", "a (3)", "b (2)"]


def test_an_output_in_a_place_that_cannot_be_written_is_refused_first(tmp_path: Path) -> None:
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", tmp_path], capture_output=True, check=False
    ).returncode:
        pytest.skip("needs the right to mount a disk")
    try:
        with pytest.raises(ValueError, match="you may not write to its folder; name another place"):
            check_writable(tmp_path / "out")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    check_writable(tmp_path / "out")
    check_writable(Path(os.devnull))


# what is no command, or no flag of it


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train"], "training is started by a recipe: accelerate launch recipes/quickstart.py"),
        (
            ["translate", "m", "--num_beams", "2"],
            "vaswani translate: error: unknown: --num_beams 2; similar flags are --beams",
        ),
        (["translate", "m", "--zzz"], "vaswani translate: error: unknown: --zzz; vaswani translate --help lists"),
        (["score", "ref", "hyp"], "unknown: ref hyp; files are named by flags: vaswani score --help lists them"),
        (["translate", "A dog runs."], "A dog runs. is not a folder"),
        (["translate", "A dog runs."], "; text comes from stdin or from --input"),
    ],
)
def test_what_is_misunderstood_is_told_with_what_is_meant(words: list[str], message: str) -> None:
    assert message in run(*words, code=2)[1]


def test_the_version_is_told() -> None:
    assert run("--version")[0].decode().split() == ["vaswani", __version__]


# inspect


def test_inspect_counts_what_a_run_would_train_on(tmp_path: Path) -> None:
    folder = tmp_path / "text"
    folder.mkdir()
    rows = [f"word {'and ' * (n % 7)}{n}\tWort {'und ' * (n % 5)}{n}" for n in range(120)]
    rows[5], rows[9] = "\tleer", "a\tb\tc"
    (folder / "train.tsv").write_text("en\tde\n" + "\n".join(rows) + "\n")
    recipe = Path(__file__).resolve().parents[1] / "recipes" / "multi30k.py"
    flags: list[str | Path] = [
        "--data_dir",
        folder,
        "--direction",
        "en-de",
        "--vocab_size",
        "300",
        "--tokens_per_batch",
        "300",
    ]
    out, _ = run(
        "inspect", "--output", tmp_path / "seen", recipe, *flags, "--batches_per_step", "2", "--max_unreadable", "0.1"
    )
    text = out.decode()
    assert "118 pairs kept, 2 dropped" in text
    assert "1 empty" in text
    assert "1 malformed" in text
    found = json.loads((tmp_path / "seen" / "inspection.json").read_text())
    assert found["pairs"]["kept"] == sum(found["lengths"]["source"]) == 118
    tokens = {side: sum(n * count for n, count in enumerate(row)) for side, row in found["lengths"].items()}
    assert found["tokens"] == tokens
    assert found["steps_an_epoch"] == found["batches"] / 2
    assert 0 < found["padding"] < 0.5
    assert (tmp_path / "seen" / "lengths.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "runs").exists()
    _, error = run("inspect", recipe, *flags, "--vocab_sise", "9", code=2)
    assert "similar flags are --vocab_size" in error
    again = tmp_path / "again"
    last: list[str | Path] = ["--batches_per_step", "2", "--max_unreadable", "0.1", "--output", again, "--windows", "1"]
    assert "118 pairs kept, 2 dropped" in run("inspect", recipe, *flags, *last)[0].decode()
    assert json.loads((again / "inspection.json").read_text())["pairs"] == found["pairs"]


def test_inspect_refuses_what_is_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("x = 1\n")
    assert "has no RECIPE" in run("inspect", tmp_path / "mine.py", code=2)[1]
    assert "is not a file" in run("inspect", tmp_path / "none.py", code=2)[1]
