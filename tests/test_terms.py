"""Terms in training, in translations and in scores: named in the source or demanded of the search, and counted."""

import itertools
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_processes import together
from corpus_of_groups import GroupedCorpus
from corpus_of_numbers import first, seen
from forked_python import forked
from hypothesis import given
from hypothesis import strategies as st
from test_experiment import TINY, one_thread, run
from toy_language import write_toy_text
from transformers import PreTrainedTokenizerFast

from vaswani.commands import main
from vaswani.data import CleaningLimits, Pair, TokenCache, TrainingStream, fingerprint
from vaswani.data.glossary.annotation import MARKS
from vaswani.data.glossary.glossary import glossary_of
from vaswani.data.shuffling import Order
from vaswani.data.stream import StreamMismatchError
from vaswani.data.tokenizer import learn_tokenizer
from vaswani.evaluation.terms import kept_terms, matched, terms_of_line
from vaswani.translation.constrained_search import Spelling
from vaswani.translation.terms import TermSearch

MakeModel = Callable[..., Any]

# --- training ---

SOURCES = ["the cat sat on the mat", "a dog by the door", "the cat and the dog", "nothing of it here"]
TARGETS = ["die Katze auf der Matte", "ein Hund an der Tür", "die Katze und ein Tier", "davon ist nichts hier"]
GLOSSARY = glossary_of("terms", [("cat", ["Katze"]), ("dog", ["Hund"]), ("mat", ["Teppich"])])
CORPUS = GroupedCorpus(
    "lines", tuple(tuple(Pair(f"{SOURCES[n % 4]} {n}", f"{TARGETS[n % 4]} {n}") for n in range(12)) for _ in range(4))
)
LIMITS = CleaningLimits(max_tokens=60, max_ratio=20)


@pytest.fixture(scope="module")
def learned() -> PreTrainedTokenizerFast:
    return learn_tokenizer([*SOURCES, *TARGETS] * 3, 340, show_progress=False, user_symbols=MARKS)


def stream(
    tokenizer: PreTrainedTokenizerFast, share: float = 0.5, seed: int = 0, streams: int = 2, dropout: float = 0.0
) -> TrainingStream:
    order = Order(seed, 120, streams, 1, (), dropout, GLOSSARY.fingerprint, share)
    return TrainingStream(CORPUS, tokenizer, fingerprint(tokenizer), LIMITS, order, glossary=GLOSSARY)


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_terms_are_part_of_the_order_of_training(learned: PreTrainedTokenizerFast, dropout: float) -> None:
    """The same batches on any number of processes and workers, and from any place on; others by another seed."""
    whole = first(stream(learned, dropout=dropout), 60)
    assert {each.epoch for each in whole} >= {0, 1}
    for processes, workers in ((2, 1), (3, 2), (1, 4)):
        assert first(stream(learned, dropout=dropout), 60, processes, workers) == whole
    before = stream(learned, dropout=dropout)
    for number in range(24):
        before.note(before.micro_batch(number)["place"])
    after = stream(learned, dropout=dropout)
    after.restore(before.state(24, [before.notes()]))
    assert [seen(after.micro_batch(number)) for number in range(24, 60)] == whole[24:]
    assert first(stream(learned, seed=1, dropout=dropout), 60) != whole


def sources_of(of: TrainingStream, tokenizer: PreTrainedTokenizerFast, epoch: int) -> dict[tuple[int, ...], str]:
    return {
        tuple(place): str(tokenizer.decode(window.sources.row(number).tolist(), skip_special_tokens=True))
        for window in of.windows(epoch)
        for number, place in enumerate(window.ids.tolist())
    }


def test_a_share_of_the_pairs_with_terms_on_both_sides_is_annotated_anew_in_each_epoch(
    learned: PreTrainedTokenizerFast,
) -> None:
    for dropout in (0.0, 0.3):
        epochs = [sources_of(stream(learned, dropout=dropout), learned, epoch) for epoch in range(30)]
        drawn = 0
        for each in epochs:
            assert len(each) == CORPUS.rows
            for (_, row), source in each.items():
                plain = f"{SOURCES[row % 4]} {row}"
                full = {
                    0: plain.replace(
                        " cat", "__source__ cat__target__ Katze__done__"
                    ),  # "Teppich" is not in its target
                    1: plain.replace(" dog", "__source__ dog__target__ Hund__done__"),
                    2: plain.replace(" cat", "__source__ cat__target__ Katze__done__"),
                    3: plain,
                }[row % 4]
                assert source in (plain, full)
                drawn += source != plain
        assert abs(drawn / (30 * 36) - 0.5) < 5 * (0.25 / (30 * 36)) ** 0.5 * 2
        assert epochs[0] != epochs[1]
    assert not any(MARKS[0] in each for each in sources_of(stream(learned, 0.0), learned, 0).values())
    assert sum(MARKS[0] in each for each in sources_of(stream(learned, 1.0), learned, 0).values()) == 36


def test_a_pair_that_its_terms_would_make_too_long_stays_as_it_is(learned: PreTrainedTokenizerFast) -> None:
    longest = max(
        len(learned(each.source).input_ids) for group in CORPUS.content for each in group if isinstance(each, Pair)
    )
    limits = CleaningLimits(max_tokens=max(longest, 30), max_ratio=20)
    order = Order(0, 120, glossary=GLOSSARY.fingerprint, term_share=1.0)
    of = TrainingStream(CORPUS, learned, fingerprint(learned), limits, order, glossary=GLOSSARY)
    for window in of.windows():
        assert window.drops.kept == CORPUS.rows
        assert window.sources.lengths.max() <= limits.max_tokens


def test_another_glossary_or_share_is_refused_on_the_way(learned: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    state = stream(learned, 0.1).state(0, [stream(learned, 0.1).notes()])
    with pytest.raises(StreamMismatchError, match=r"term_share was 0\.1 and is 0\.2"):
        stream(learned, 0.2).restore(state)
    plain = TrainingStream(CORPUS, learned, fingerprint(learned), LIMITS, Order(0, 120, 2, 1))
    with pytest.raises(StreamMismatchError, match="glossary was"):
        plain.restore(state)
    order = Order(0, 120, glossary=GLOSSARY.fingerprint, term_share=0.1)
    with pytest.raises(ValueError, match="leave out one of --glossary and --packed_cache"):
        TrainingStream(
            CORPUS, learned, fingerprint(learned), LIMITS, order, TokenCache(tmp_path / "cache"), glossary=GLOSSARY
        )


# --- scores ---


def test_kept_terms_by_hand() -> None:
    glossary = glossary_of(
        "x",
        [("file", ["Datei"]), ("file menu", ["Datei-Menü"]), ("print", ["drucken", "ausdrucken"]), ("dir", ["Datei"])],
    )
    sources = ["file file menu", "Print the file", "the file, dir", "nothing"]
    found = kept_terms(glossary, sources, ["Datei-Menü", "Ausdrucken der Dateien", "Datei Datei", "Datei"])
    assert (found.lines, found.with_terms, found.wanted, found.kept) == (4, 3, 6, 4)
    assert [(term.source, wanted, missed) for term, wanted, missed in found.missed] == [("file", 3, 2)]
    assert kept_terms(glossary, ["no"], ["nein"]).share is None


@pytest.mark.parametrize(
    ("entries", "source", "translation"),
    [
        ([("car", ["Auto", "Wagen"]), ("automobile", ["Auto"])], "a car and an automobile", "ein Wagen und ein Auto"),
        ([("eat", ["essen"]), ("food", ["Essen"])], "eat food", "Essen Sie das Essen"),
        ([("a", ["x", "y"]), ("b", ["y", "z"]), ("c", ["z", "x"])], "a b c", "x y z"),
    ],
)
def test_a_word_serves_the_term_that_has_no_other(
    entries: list[tuple[str, list[str]]], source: str, translation: str
) -> None:
    found = terms_of_line(glossary_of("g", entries), source, translation)
    assert [each.kept for each in found] == [each.wanted for each in found] == [1] * len(entries)
    fewer = terms_of_line(glossary_of("g", entries), source, translation.rsplit(" ", 1)[0])
    assert sum(each.kept for each in fewer) == len(entries) - 1


@given(st.lists(st.tuples(st.sets(st.integers(0, 5)), st.integers(1, 3)), max_size=4))
def test_as_many_terms_are_kept_as_can_be(drawn: list[tuple[set[int], int]]) -> None:
    """Against all ways of giving out six places."""
    spots, wanted = [sorted(each) for each, _ in drawn], [number for _, number in drawn]
    kept = matched(spots, wanted)
    assert all(got <= number for got, number in zip(kept, wanted, strict=True))
    best = 0
    for given_out in itertools.product(range(-1, len(drawn)), repeat=6):
        got = Counter(term for spot, term in enumerate(given_out) if term >= 0 and spot in drawn[term][0])
        best = max(best, sum(min(got[term], number) for term, number in enumerate(wanted)))
    assert sum(kept) == best


@pytest.mark.parametrize(
    ("entries", "source", "numbers"),
    [
        (
            [("car", ["Auto"]), ("automobile", ["Auto", "Wagen"])],
            "car and automobile",
            [1, 2],
        ),
        ([("car", ["Auto"]), ("car menu", ["Auto Menü"])], "the car and the car menu", [2, 1]),
        ([("car", ["Auto"]), ("bus", ["Bus"])], "a car and a bus", [1, 1]),
    ],
)
def test_a_term_within_another_is_demanded_besides(
    entries: list[tuple[str, list[str]]], source: str, numbers: list[int]
) -> None:
    """Else one word would meet both in the search, and the score would count one of them."""
    glossary = glossary_of("g", entries)
    spelled: dict[Any, Any] = {term.targets: (Spelling((place,)),) for place, term in enumerate(glossary.terms)}
    found = TermSearch(glossary, spelled, lambda *_: [], 4).phrases_for(source)
    assert [each.times for each in found] == numbers


def test_the_command_prints_the_share_beside_that_of_the_references(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = {"t.tsv": "cat\tKatze\ndog\tHund\n", "s": "a cat\na dog\nthe cat\nx\n", "h": "Katze\nKatze\nKatze\n\n"}
    texts |= {"r": "Katze\nHund\nKater\nx\n", "short": "Katze\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    base = ["score", "--terms", str(tmp_path / "t.tsv"), "--sources", str(tmp_path / "s"), "--hypotheses"]
    assert main([*base, str(tmp_path / "h"), "--references", str(tmp_path / "r")]) == 0
    assert capsys.readouterr().out == (
        f"terms of {tmp_path}/t.tsv: 2\n"
        f"   66.7% kept, 2 of 3 in 3 of 4 lines  {tmp_path}/h\n"
        f"   66.7% kept, 2 of 3 in 3 of 4 lines  {tmp_path}/r (reference)\n"
        f"missed most in {tmp_path}/h, of so many:\n"
        "       1 of 1  dog -> Hund\n"
    )
    assert main([*base, str(tmp_path / "h"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[f"{tmp_path}/h"]["missed"] == [
        {"source": "dog", "targets": ["Hund"], "wanted": 1, "missed": 1}
    ]
    for flags, words in (
        ([str(tmp_path / "short")], "has 1 lines and the sources have 4"),
        ([str(tmp_path / "h"), "--sentences"], "leave out --model, --sentences"),
    ):
        assert main([*base, *flags]) == 2
        assert words in capsys.readouterr().err
    assert main(["score", "--hypotheses", str(tmp_path / "h")]) == 2
    assert "give --references, --test_set, --model, --terms, or --comet" in capsys.readouterr().err


# --- translation ---

LINES = ["the cat", "", "what is this long line about then", "the dog sat by the door", "the mat and the cat, a cat"]
TERMS = "cat\tdoor\nmat\tthe table\ndog\tquilt\nsat\tnone of these\n"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "in.txt").write_text("\n".join(LINES) + "\n")
    (tmp_path / "terms.tsv").write_text(TERMS)
    return {"--input": str(tmp_path / "in.txt"), "--glossary": str(tmp_path / "terms.tsv")}


def translated(
    capsys: pytest.CaptureFixture[str], folder: Path, *flags: str, members: int = 1
) -> tuple[list[str], str]:
    assert main(["translate", *[str(folder)] * members, "--device", "cpu", *flags]) == 0
    captured = capsys.readouterr()
    return captured.out.split("\n")[:-1], captured.err


def test_every_term_stands_in_the_translations_of_a_network_that_would_not_write_it(
    talker_folder: Path, files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """By one model and by two; lines without terms have the bits that they have without a glossary."""
    read, demand = ["--input", files["--input"]], ["--glossary", files["--glossary"]]
    plain, said = translated(capsys, talker_folder, *read)
    assert "terms" not in said
    for members in (1, 2):
        found, said = translated(capsys, talker_folder, *read, *demand, members=members)
        assert "terms of the glossary are demanded of the search" in said
        assert "terms: 100.0% kept, 6 of 6 in 3 of 5 lines" in said
        if members == 1:
            assert [found[1], found[2]] == [plain[1], plain[2]]
        written = [each.lower() for each in found]  # a capital will do
        assert "door" in written[0]
        assert "quilt" in written[3]
        assert "none of these" in written[3]
        assert written[4].count("door") >= 2
        assert "the table" in written[4]
    alone = [
        translated(capsys, talker_folder, *demand, "--input", str(each))[0][0]
        for each in one_line_files(Path(files["--input"]))
    ]
    assert alone == translated(capsys, talker_folder, *read, *demand)[0]
    best, _ = translated(capsys, talker_folder, *read, *demand, "--format", "tsv", "--n_best", "3")
    rows = [row.lower().split("\t") for row in best]
    assert {row[0] for row in rows if "door" in row[3]} == {"1", "5"}
    assert all("door" in row[3] for row in rows if row[0] == "1")


def test_the_terms_of_a_document_are_those_that_it_holds(
    talker_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A unit whose placeholder is lost is translated again in pieces, and counts once, by the line of the file."""
    (tmp_path / "terms.tsv").write_text("source\ttarget\ncat\tdoor\n")
    (tmp_path / "m.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
        'msgid "the cat"\nmsgstr ""\n\nmsgid "the cat %s on the mat"\nmsgstr ""\n'
    )
    flags = ["--input", str(tmp_path / "m.po"), "--glossary", str(tmp_path / "terms.tsv")]
    assert main(["translate", str(talker_folder), "--device", "cpu", *flags, "--output", str(tmp_path / "n.po")]) == 0
    said = capsys.readouterr().err
    assert "2 of 2 untranslated unit(s) translated, 1 of them in pieces" in said
    kept = (tmp_path / "n.po").read_text().lower().count("door")
    assert f"kept, {kept} of 2 in 2 of 2 units" in said
    assert kept == 2 or "not all in line 7" in said


def one_line_files(path: Path) -> list[Path]:
    found = []
    for number, line in enumerate(LINES):
        found.append(path.with_name(f"line {number}"))
        found[-1].write_text(f"{line}\n")
    return found


def test_two_processes_and_a_resumed_output_give_the_same(
    talker_folder: Path, files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [word for pair in files.items() for word in pair]
    expected, _ = translated(capsys, talker_folder, *flags)
    command = ["translate", str(talker_folder), "--device", "cpu", *flags, "--output", str(tmp_path / "two")]
    assert [each.exitcode for each in together(command, tmp_path)] == [0, 0]
    assert (tmp_path / "two").read_text().split("\n")[:-1] == expected
    assert "terms: 100.0% kept" in (tmp_path / "said 0").read_text()
    (tmp_path / "one.partial").write_text("")
    assert main([*command[:-1], str(tmp_path / "one"), "--resume"]) == 0
    assert (tmp_path / "one").read_text().split("\n")[:-1] == expected


def test_a_model_that_knows_the_marks_reads_terms_in_its_sources(
    talker: MakeModel, tmp_path: Path, files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer = learn_tokenizer(LINES * 3, 290, show_progress=False, user_symbols=MARKS)
    talker(vocab_size=len(tokenizer)).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    found, said = translated(capsys, tmp_path / "model", *(word for pair in files.items() for word in pair))
    assert "terms of the glossary are named in the sources, as the model was trained" in said
    (tmp_path / "named.txt").write_text(
        "the__source__ cat__target__ door__done__\n\nwhat is this long line about then\n"
        "the__source__ dog__target__ quilt__done____source__ sat__target__ none of these__done__ by the door\n"
        "the__source__ mat__target__ the table__done__ and the__source__ cat__target__ door__done__,"
        " a__source__ cat__target__ door__done__\n"
    )
    by_hand, _ = translated(capsys, tmp_path / "model", "--input", str(tmp_path / "named.txt"))
    assert found == by_hand
    flags = ["--input", files["--input"], "--glossary", files["--glossary"], "--align"]
    assert main(["translate", str(tmp_path / "model"), "--device", "cpu", *flags]) == 2
    assert "leave out --align or --glossary" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--beams", "1"], "--glossary with 1 beam"),
        (["--sample"], "--sample draws translations"),
    ],
)
def test_what_does_not_go_together_is_refused(
    talker_folder: Path, files: dict[str, str], capsys: pytest.CaptureFixture[str], flags: list[str], words: str
) -> None:
    given = [word for pair in files.items() for word in pair]
    assert main(["translate", str(talker_folder), "--device", "cpu", *given, *flags]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("engine", ["ctranslate2", "onnx"])
def test_other_engines_refuse_to_search_for_terms_by_name(
    talker_folder: Path, files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: str
) -> None:
    pytest.importorskip({"onnx": "onnxruntime"}.get(engine, engine))
    assert main(["export", str(talker_folder), str(tmp_path / "out"), "--to", engine]) == 0
    given = [word for pair in files.items() for word in pair]
    assert main(["translate", str(tmp_path / "out"), "--engine", engine, *given]) == 2
    assert f"--engine {engine} cannot demand them of its search" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_trains_with_terms_and_translates_with_them(tmp_path: Path) -> None:
    """By real processes: one word has two translations in the text, and the glossary decides which is written."""
    text = write_toy_text(tmp_path, 3000, 60, 200)
    for split in ("train", "val", "test_toy"):
        lines = (text / f"{split}.nds").read_text().split("\n")
        other = [line.replace("kat", "mieze") if number % 2 else line for number, line in enumerate(lines)]
        (text / f"{split}.nds").write_text("\n".join(other))
    (tmp_path / "both.tsv").write_text("en\tnds\tnds\ncat\tkat\tmieze\n")
    settings = ["--glossary", tmp_path / "both.tsv", "--term_share", 0.6, "--output_dir", tmp_path / "run"]
    schedule = ["--max_steps", 500, "--eval_steps", 500, "--save_steps", 100, "--average_checkpoints", 2]
    done = run("--data_dir", text, "--direction", "en-nds", "--test_splits", "test_toy", *settings, *TINY, *schedule)
    assert done.returncode == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text())["data"]["term_share"] == 0.6
    sources = (text / "test_toy.en").read_text().split("\n")
    written: dict[str, tuple[int, int]] = {}
    for word, its_rival in (("kat", "mieze"), ("mieze", "kat")):
        (tmp_path / "one.tsv").write_text(f"cat\t{word}\n")
        command = [sys.executable, "-m", "vaswani.commands", "translate", tmp_path / "run", "--device", "cpu"]
        flags = ["--input", text / "test_toy.en", "--glossary", tmp_path / "one.tsv"]
        made = subprocess.run(
            forked(*command, *flags, environment=one_thread()),
            capture_output=True, text=True, check=True, env=one_thread(),
        )  # fmt: skip
        written[word] = made.stdout.count(word), made.stdout.count(its_rival)
        assert "terms of the glossary are named in the sources, as the model was trained" in made.stderr
    wanted = sum(each.count("cat") for each in sources)
    assert wanted > 20
    for word, its_rival in (("kat", "mieze"), ("mieze", "kat")):  # were the glossary not heeded, these would be equal
        assert written[word][0] - written[its_rival][1] > wanted / 3
