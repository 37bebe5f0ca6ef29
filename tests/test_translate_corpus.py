"""A corpus: window after window, by one process or by two, every line once and in order, in each format."""

import csv
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from forked_python import forked
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from vaswani.commands import main
from vaswani.commands.line_files import windows
from vaswani.translation.alignment import by_attention
from vaswani.translation.corpus import Line, Translator, translate_corpus
from vaswani.translation.hypotheses import BeamSettings
from vaswani.translation.search import by_generate
from vaswani.translation.translate import translate

ROOT = Path(__file__).resolve().parents[1]
MakeModel = Callable[..., Any]
LINES = st.lists(st.sampled_from(["", " \t"]) | st.text(st.characters(exclude_categories=["Cs"]), max_size=30))


def translator(model: Any, tokenizer: PreTrainedTokenizerFast, n_best: int = 1, **changes: Any) -> Translator:
    search = by_generate(model, tokenizer, BeamSettings(4, 0.6, n_best))
    settings: dict[str, Any] = {"tokens_per_batch": 40, "max_tokens": 10_000, "align": by_attention([model], tokenizer)}
    return Translator(tokenizer, search, **(settings | changes))


def lines_of(windows: Iterator[list[Line]]) -> list[Line]:
    return [line for window in windows for line in window]


@given(lines=LINES, cuts=st.lists(st.integers(1, 4)))
@settings(max_examples=10, deadline=None)
def test_every_line_comes_once_and_in_order_whatever_the_windows(
    talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast, lines: list[str], cuts: list[int]
) -> None:
    rest, parts = lines, list[list[str]]()
    for cut in cuts:
        parts, rest = [*parts, rest[:cut]], rest[cut:]
    found = lines_of(translate_corpus(translator(talker(), toy_tokenizer), [*parts, rest]))
    assert [(line.number, line.source) for line in found] == list(enumerate(lines, 1))
    assert [line.hypotheses[0].text for line in found] == translate(talker(), toy_tokenizer, lines)
    assert all(len(line.alignments or []) == len(line.hypotheses) == 1 for line in found)


def test_windows_are_read_one_at_a_time(talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast) -> None:
    read = []

    def source() -> Iterator[list[str]]:
        for number in range(3):
            read.append(number)
            yield [f"line {number}"]

    for number, _ in enumerate(translate_corpus(translator(talker(), toy_tokenizer), source())):
        assert read == list(range(number + 1))


@pytest.mark.parametrize(
    ("lengths", "cut"),
    [
        ([], []),
        ([1] * 20_000, [8192, 8192, 3616]),
        ([1_500_000] * 5, [2, 2, 1]),
        ([1, 5_000_000, 0, 1], [1, 1, 2]),
    ],
    ids=["none", "many", "long", "longer than a window"],
)
def test_a_window_is_bounded_in_lines_and_characters(lengths: list[int], cut: list[int]) -> None:
    lines = ["x" * length for length in lengths]
    found = list(windows(lines))
    assert [len(window) for window in found] == cut
    assert [line for window in found for line in window] == lines


def test_the_n_best_are_scored_by_their_probability_and_the_first_is_the_translation(
    talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast
) -> None:
    model, lines = talker(), ["the cat", "", "what is this long line about then", "x"]
    found = lines_of(translate_corpus(translator(model, toy_tokenizer, n_best=3), [lines]))
    assert [line.hypotheses[0].text for line in found] == translate(model, toy_tokenizer, lines)
    assert [len(line.hypotheses) for line in found] == [3, 1, 3, 3]
    assert found[1].hypotheses == [("", None)]
    assert found[1].alignments == [""]
    for line in (found[0], found[2], found[3]):
        scores = [each.score for each in line.hypotheses]
        assert scores == sorted(scores, key=lambda score: -(score or 0))
        assert len(set(line.hypotheses)) == 3
    output = model.generate(
        torch.tensor([toy_tokenizer(lines[2]).input_ids]), num_beams=4, num_return_sequences=3, length_penalty=0.6
    )
    for tokens, hypothesis in zip(output, found[2].hypotheses, strict=True):
        target = tokens[tokens != 1]
        with torch.no_grad():
            source = torch.tensor([toy_tokenizer(lines[2]).input_ids])
            log_p = model(source, decoder_input_ids=target[None, :-1]).logits[0].log_softmax(-1)
        sum_of = log_p.gather(1, target[1:, None]).sum().item()
        assert hypothesis.score == pytest.approx(sum_of / ((5 + len(target) - 1) / 6) ** 0.6, abs=1e-9)


def test_a_line_that_is_too_long_is_left_empty_and_harms_no_other(
    talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast
) -> None:
    lines = ["the cat", "dog " * 30, "the door", "x" * 60]
    found = lines_of(translate_corpus(translator(talker(), toy_tokenizer, max_tokens=20), [lines]))
    assert [line.is_too_long for line in found] == [False, True, False, True]
    assert [line.tokens for line in found] == [len(ids) for ids in toy_tokenizer(lines).input_ids]
    expected = translate(talker(), toy_tokenizer, lines)
    assert [line.hypotheses[0].text for line in found] == [expected[0], "", expected[2], ""]


def test_a_bar_counts_lines_and_not_batches(
    talker: MakeModel,
    toy_tokenizer: PreTrainedTokenizerFast,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    parts = [["the cat", "", "x"], ["", "dog " * 30], []]
    lines_of(translate_corpus(translator(talker(), toy_tokenizer, max_tokens=20), parts, total=5, progress=True))
    assert "5/5" in capsys.readouterr().err
    lines_of(translate_corpus(translator(talker(), toy_tokenizer), parts, total=5))
    assert capsys.readouterr().err == ""


def test_two_thousand_tokens_are_translated(talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast) -> None:
    model = talker()
    with torch.no_grad():
        model.model.tokens.weight[3] *= 3  # ends soon
    long = "the cat " * 1000
    assert len(toy_tokenizer(long).input_ids) > 2000
    (line,) = lines_of(translate_corpus(translator(model, toy_tokenizer, tokens_per_batch=1), [[long]]))
    assert line.hypotheses[0].text


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(talker_folder: Path) -> Path:
    return talker_folder


TEXT = ["the cat", "", "a\tb 😀 שלום", "the dog sat by the door and the cat", "x\u2028y", "dog " * 70, "über 12"]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "source.txt"
    path.write_text("".join(f"{line}\n" for line in TEXT), encoding="utf-8")
    return path


def output(capsysbinary: pytest.CaptureFixture[bytes], *args: str | Path) -> tuple[str, str]:
    assert main(["translate", *map(str, args)]) == 0
    found = capsysbinary.readouterr()
    return found.out.decode(), found.err.decode()


ODD = [
    "\x00\x07\x1b[31mred\x7f",
    "👩‍👩‍👧‍👦 🇩🇪 e\u0301",
    "שלום \u202eabc\u202c עולם",
    "a\x0bb\x0cc\x1cd\x85e",
    "\u200b",
    "\ufffe",
]


def test_text_that_translators_meet_gives_a_line_for_a_line_with_either_line_end(
    folder: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Control characters, emoji of several code points, right-to-left script and marks, and every other line blank."""
    alone = {line: output(capsysbinary, folder, "--input", write(tmp_path, line + "\n"))[0] for line in ODD}
    assert all(found.endswith("\n") and found.count("\n") == 1 and "\r" not in found for found in alone.values())
    assert len(set(alone.values())) == len(ODD)
    for end in ("\n", "\r\n"):
        found, message = output(
            capsysbinary, folder, "--input", write(tmp_path, "".join(f"{x}{end}{end}" for x in ODD))
        )
        assert found == "".join(f"{alone[line]}\n" for line in ODD)
        assert message == ""
    rows = output(capsysbinary, folder, "--input", write(tmp_path, "\n".join(ODD)), "--format", "jsonl")[0]
    assert [json.loads(row)["source"] for row in rows.removesuffix("\n").split("\n")] == ODD


def write(folder: Path, text: str) -> Path:
    path = folder / "source.txt"
    path.write_bytes(text.encode())
    return path


def test_the_formats_say_the_same(folder: Path, text: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    asked = (folder, "--input", text, "--max_tokens", "60", "--tokens_per_batch", "100")
    plain, message = output(capsysbinary, *asked, "--align")
    best = [line.partition(" ||| ") for line in plain.removesuffix("\n").split("\n")]
    assert len(best) == len(TEXT)
    assert "1 line(s) of more than 60 tokens were left empty, not cut: line (tokens) 6 (" in message
    assert "raise --max_tokens" in message
    more = (*asked, "--n_best", "3", "--align", "--format")
    rows = [json.loads(line) for line in output(capsysbinary, *more, "jsonl")[0].split("\n")[:-1]]
    assert [row["source"] for row in rows] == TEXT
    assert [row["line"] for row in rows] == list(range(1, len(TEXT) + 1))
    first = [row["translations"][0] for row in rows]
    assert [(each["text"], " ||| ", each["alignment"]) for each in first] == best
    assert [row.get("too_long") for row in rows] == [None] * 5 + [rows[5]["too_long"], None]
    tsv = output(capsysbinary, *more, "tsv")[0].split("\n")[:-1]
    table = list(csv.reader(tsv, delimiter="\t", quoting=csv.QUOTE_NONE))
    flat = [(row, rank, each) for row in rows for rank, each in enumerate(row["translations"], 1)]
    assert len(table) == len(flat) == 3 * 5 + 2
    for columns, (row, rank, each) in zip(table, flat, strict=True):
        score = "" if each["score"] is None else f"{each['score']:.6g}"
        expected = [str(row["line"]), str(rank), score, each["text"].replace("\t", " "), each["alignment"]]
        assert columns == expected


def test_an_ensemble_of_one_model_twice_translates_as_it_does(
    folder: Path, text: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    alone, _ = output(capsysbinary, folder, "--input", text)
    assert output(capsysbinary, folder, folder, "--input", text)[0] == alone
    assert len(set(alone.split("\n"))) > 5


def test_what_does_not_go_together_is_told(folder: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    for asked, message in (
        (["--n_best", "2"], "--n_best 2 does not fit --format text"),
        (["--n_best", "5", "--format", "tsv"], "no more hypotheses than beams"),
        ([str(folder), "--beams", "1"], "give an ensemble 2 beams or more"),
    ):
        assert main(["translate", str(folder), *asked]) == 2
        assert message in capsysbinary.readouterr().err.decode()


LAUNCH = ("-m", "accelerate.commands.launch", "--config_file", str(ROOT / "accelerate_configs/cpu_2_processes.yaml"))


def start(*args: str | Path, given: Path, **variables: str) -> subprocess.Popen[bytes]:
    """Start `python ARGS < given`; a thread a process, as two of them share the machine."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"} | variables
    command = [sys.executable, *map(str, args)]
    with given.open("rb") as stdin:
        return subprocess.Popen(
            command if args[:2] == LAUNCH[:2] else forked(*command, environment=environment),
            env=environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


def test_two_processes_write_what_one_writes_to_the_byte(
    folder: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """By the launcher that the documents name, from stdin, in two windows, of which blank lines fill the first."""
    source = tmp_path / "source.txt"
    lines = [f"{'cat ' * (n * 7 % 13)}{n}" for n in range(40)]
    source.write_text("".join(f"{line}\n" for line in [*lines[:20], *[""] * 8192, *lines[20:], "dog " * 90]))
    asked = ("translate", folder, "--format", "jsonl", "--n_best", "2", "--align")
    sizes = ("--tokens_per_batch", "120", "--max_tokens", "80")
    together = start(*LAUNCH, "-m", "vaswani.commands", *asked, *sizes, given=source)
    assert main([*map(str, asked), *sizes, "--input", str(source)]) == 0
    alone, message = capsysbinary.readouterr()
    found, error = together.communicate()
    assert together.returncode == 0, error.decode()
    assert len(alone.split(b"\n")) == 20 + 8192 + 20 + 1 + 1
    assert found == alone
    assert message.startswith(b"1 line(s) of more than 80 tokens were left empty")
    assert error.count(message) == 1


NOTING = """
import os, sys
from vaswani.commands import main
from vaswani.translation import corpus
translate_batches = corpus.translate_batches
def noted(search, sources, cut, tell):
    with open(f"{os.environ['NOTES']}/{os.environ['RANK']}", "a") as notes:
        print(*(len(sources[place]) for batch in cut for place in batch), file=notes)
    return translate_batches(search, sources, cut, tell)
corpus.translate_batches = noted
sys.exit(main(sys.argv[1:]))
"""


def test_the_work_is_shared_and_an_error_in_one_process_ends_both_and_is_told_once(
    folder: Path, tmp_path: Path
) -> None:
    source, target, notes = tmp_path / "source.txt", tmp_path / "target.txt", tmp_path / "notes"
    notes.mkdir()
    source.write_bytes(b"b c\nb c d e\nb c d e f\nb\nb c d\n" + b"\n" * 8192 + b"\xff\n")
    target.write_text("old\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    meet = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "NOTES": str(notes)}
    command = ("-c", NOTING, "translate", folder, "--output", target, "--tokens_per_batch", "1")
    processes = [start(*command, given=source, RANK=rank, LOCAL_RANK=rank, **meet) for rank in "01"]
    (_, first), second = (process.communicate() for process in processes)
    assert [process.returncode for process in processes] == [2, 2]
    assert second == (b"", b"")
    assert b"line 8198, byte 1: 0xff is not UTF-8" in first
    assert b"Traceback" not in first
    assert target.read_text() == "old\n"
    kept = ["target.txt.journal", "target.txt.partial"]  # the first window
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes", "source.txt", "target.txt", *kept]
    assert [(notes / rank).read_text() for rank in "01"] == ["11 7 3\n", "9 5\n"]  # one after the other, longest first


def test_a_line_of_too_many_characters_is_left_empty_without_being_encoded(folder: Path, tmp_path: Path) -> None:
    """In a process of its own, whose memory is measured: to encode this line takes ten gigabytes."""
    text, out = tmp_path / "text", tmp_path / "out"
    text.write_text(f"the cat\n{'the cat sat ' * 3_000_000}\nthe dog\n")
    command = [sys.executable, "-m", "vaswani.commands", "translate", folder, "--input", text, "--output", out]
    with subprocess.Popen([*map(str, command)], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said[-1000:]
    first, second, third = out.read_text().splitlines()
    assert (bool(first), second, bool(third)) == (True, "", True)
    assert "1 line(s) of more than 4,096 tokens were left empty, not cut: line (tokens) 2 (" in said
    assert used.ru_maxrss < 2_000_000  # kilobytes


def test_a_pair_of_too_many_characters_has_no_figures(
    folder: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    for name, line in (("short", "the cat"), ("long", "the cat " * 100_000)):
        (tmp_path / name).write_text(f"the dog\n{line}\n")
    sources, targets = (str(tmp_path / name) for name in ("short", "long"))
    assert main(["score", "--model", str(folder), "--sources", sources, "--hypotheses", targets]) == 0
    said, told = (each.decode() for each in capsysbinary.readouterr())
    assert said.split("\n")[1] == "\t\t"
    assert "1 pair(s) with a text of more than 4,096 tokens have no figures, the first is pair 2" in told
