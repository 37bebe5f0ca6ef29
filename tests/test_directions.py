"""Several directions in one run: tags, mixing, one exact order, scores by direction, and a model that takes the tag."""

import gzip
import itertools
import json
import signal
import subprocess
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from forked_python import ForkedPopen
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from test_experiment import TINY, one_thread, recipe, run, toy_text

from vaswani.commands import main
from vaswani.data import CleaningLimits, Corpus, Drops, Pair, PairsCorpus, TrainingStream, clean_pairs, fingerprint
from vaswani.data.directions import (
    Tagged,
    direction_of,
    in_file_names,
    is_tag,
    languages_of,
    tag_of,
    tagged,
    texts_of,
    weights_by_temperature,
)
from vaswani.data.shuffling import Order
from vaswani.data.stream import MicroBatches
from vaswani.data.tokenizer import learn_tokenizer
from vaswani.experiment.corpora import (
    further_texts,
    open_corpus,
    open_first_text,
    open_training_corpus,
    read_pairs,
    scored_texts,
    training_cleaning_limits,
)
from vaswani.experiment.data_arguments import DataArguments
from vaswani.experiment.overlap import find_test_overlap
from vaswani.experiment.training_sentences import text_of
from vaswani.publishing import read_metrics, read_run
from vaswani.publishing.card import model_card

# tags


def test_a_tag_is_one_token_and_changes_none_behind_it() -> None:
    text = ["a dog sees the sea", "der Hund >>en<< sieht das Meer"] * 4
    learned = learn_tokenizer(text, 320, show_progress=False, user_symbols=[">>de<<", ">>en<<"])
    for source in ("a dog", "x >>y<< z", "  two  spaces", "ß"):
        first, *others = learned(tagged(source, ">>de<<")).input_ids
        assert learned.convert_ids_to_tokens(first) == ">>de<<"
        assert others == learned(source).input_ids


def test_blank_sources_stay_blank_and_are_dropped_as_such() -> None:
    corpus = Tagged(PairsCorpus("some", [Pair("a", "b"), Pair(" \u200b", "c"), Pair("d", "")]), ">>de<<")
    drops = Drops()
    assert list(clean_pairs(corpus, CleaningLimits(), drops)) == [Pair(">>de<< a", "b")]
    assert drops.dropped == {"empty": 2}
    assert "line 1" in corpus.read(0).where(0) or "row 1" in corpus.read(0).where(0)


def test_another_tag_is_another_text() -> None:
    corpus = PairsCorpus("some", [Pair("a", "b")])
    prints = [Tagged(corpus, ">>de<<").fingerprint, Tagged(corpus, ">>en<<").fingerprint, corpus.fingerprint]
    assert len(set(prints)) == 3
    assert is_tag(tag_of("pt-BR"))
    assert not any(map(is_tag, ["<2de>", ">>de", ">>a b<<", "x>>de<<"]))


@pytest.mark.parametrize("given_", ["en", "en-", "en-en", "en-de-fr", "en-de=", "en de", "-de"])
def test_what_is_no_direction_is_refused(given_: str) -> None:
    with pytest.raises(
        ValueError, match=r"--directions has .*(two languages joined|can be read in 2 ways|without a folder)"
    ):
        texts_of(["en-de", given_])


CODES = st.from_regex(r"[a-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,2}", fullmatch=True)


@given(CODES, CODES)
def test_any_two_languages_make_a_direction(source: str, target: str) -> None:
    if source == target:
        with pytest.raises(ValueError, match="two languages joined"):
            languages_of(direction_of(source, target))
        return
    written = direction_of(source, target)
    assert languages_of(written) == languages_of(f"{source}:{target}") == (source, target)
    assert (":" in written) == ("-" in source + target)
    data = DataArguments(data_dir="x", direction=f"{source}:{target}")
    assert (data.direction, data.source, data.target) == (written, source, target)
    assert ":" not in in_file_names(written)
    joined = f"{source}-{target}"
    if "-" in source + target:
        with pytest.raises(ValueError, match="can be read in") as said:
            DataArguments(data_dir="x", direction=joined)
        assert written in str(said.value)


def test_languages_are_called_as_files_call_them(tmp_path: Path) -> None:
    def asked(direction: str) -> Corpus:
        return open_corpus(DataArguments(data_dir=str(tmp_path), direction=direction), "train")

    for name in ("train.en", "train.pt-BR", "train.sr_Latn.gz"):
        content = b"one\n"
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert asked("en:pt-BR").read(0) == asked("en-sr_Latn").read(0) == [Pair("one", "one")]
    for direction, right in (("en-pt", "en:pt-BR"), ("en-pt_BR", "en:pt-BR"), ("sr-en", "sr_Latn-en")):
        with pytest.raises(ValueError, match=f"give --direction {right}"):
            asked(direction)
    for name in ("train.en", "train.pt-BR", "train.sr_Latn.gz"):
        (tmp_path / name).unlink()
    (tmp_path / "train.tsv").write_text("en\tzh-Hans\tde\na\tb\tc\n")
    assert asked("en:zh-Hans").read(0) == [Pair("a", "b")]
    with pytest.raises(ValueError, match=r"give --direction en:zh-Hans\.$"):
        asked("en-zh")
    with pytest.raises(ValueError, match="Rename its columns"):
        asked("en-fr")


# mixing


@settings(max_examples=200, deadline=None)
@given(sizes=st.lists(st.integers(1, 10**8), min_size=1, max_size=6), temperature=st.floats(1, 50))
def test_weights_are_those_of_the_temperature(sizes: list[int], temperature: float) -> None:
    names = [f"a-{number}" for number in range(len(sizes))]
    weights = weights_by_temperature(names, sizes, temperature)
    assert min(weights) >= 1
    wanted = [size ** (1 / temperature) / size for size in sizes]
    largest = sizes.index(max(sizes))
    assert weights[largest] <= 8
    for size, weight, other, want in zip(sizes, weights, names, wanted, strict=True):
        assert weight / weights[largest] == pytest.approx(want / wanted[largest], rel=0.3), (size, other)
    assert weights_by_temperature(names, sizes, 1) == [1] * len(sizes)


def test_texts_of_one_direction_count_as_one() -> None:
    weights = weights_by_temperature(["en-de", "en-fr", "en-de"], [600, 100, 300], 100)
    assert weights[0] == weights[2]
    assert weights[1] == 9 * weights[0]


# one order


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three languages: en, nds, and shout, which is en in capitals; and a folder of its own with en and shout."""
    folder = toy_text(tmp_path_factory.mktemp("text"))
    own = folder / "own"
    own.mkdir()
    for split in ("train", "val", "test_toy"):
        english = (folder / f"{split}.en").read_text(encoding="utf-8")
        (folder / f"{split}.shout").write_text(english.upper(), encoding="utf-8")
        few = "".join(english.splitlines(keepends=True)[:500])
        (own / f"{split}.en").write_text(few, encoding="utf-8")
        (own / f"{split}.shout").write_text(few.upper(), encoding="utf-8")
    return folder


def arguments(text: Path, *directions: str, **more: Any) -> DataArguments:
    return DataArguments(data_dir=str(text), directions=list(directions), **more)


def stream_of(data: DataArguments, streams: int) -> TrainingStream:
    corpus = open_training_corpus(data)
    texts = [side for pair in corpus.read(0) if isinstance(pair, Pair) for side in pair]
    tokenizer = learn_tokenizer(texts, 320, show_progress=False, user_symbols=data.user_tokens)
    order = Order(7, 300, streams=streams, window_groups=2)
    return TrainingStream(corpus, tokenizer, fingerprint(tokenizer), CleaningLimits(), order)


def ids(batch: dict[str, Any]) -> list[Any]:
    return [batch["input_ids"].tolist(), batch["labels"].tolist()]


@pytest.mark.parametrize("streams", [1, 3])
def test_the_order_is_the_same_on_any_number_of_processes_and_wherever_it_stopped(text: Path, streams: int) -> None:
    data = arguments(text, "en-nds", "nds-en", f"en-shout={text / 'own'}", weights=[1, 1, 2])
    whole = [ids(batch) for batch in islice(MicroBatches(stream_of(data, streams), 0, 1), 60)]
    state: Any = None
    found: list[Any] = []
    for processes, end in ((1, 20), (5, 35), (2, 45), (3, 60)):
        ranks = [stream_of(data, streams) for _ in range(processes)]
        for rank in ranks if state else []:
            rank.restore(json.loads(json.dumps(state)))
        shares = [iter(MicroBatches(rank, number, processes)) for number, rank in enumerate(ranks)]
        while len(found) < end:
            for rank, share in zip(ranks, shares, strict=True):
                batch = next(share)
                rank.note(batch["place"])
                found.append(ids(batch))
        state = ranks[0].state(end, [rank.notes() for rank in ranks])
    assert found == whole


def test_an_epoch_reads_each_direction_as_often_as_its_weight(text: Path) -> None:
    data = arguments(text, "en-nds", "nds-en", f"en-shout={text / 'own'}", weights=[1, 1, 2])
    assert data.user_tokens == [">>nds<<", ">>en<<", ">>shout<<"]
    corpus = open_training_corpus(data)
    rows = [row for group in range(corpus.groups) for row in corpus.read(group)]
    counts = Counter(row.source.split()[0] for row in rows if isinstance(row, Pair))
    assert counts == {">>nds<<": 3000, ">>en<<": 3000, ">>shout<<": 1000}
    [first, *_], [back, *_] = (
        [row for row in rows if isinstance(row, Pair) and row.source.startswith(tag)] for tag in (">>nds<<", ">>en<<")
    )
    assert first == Pair(f">>nds<< {back.target}", back.source.removeprefix(">>en<< "))


def test_a_temperature_reads_small_directions_more_often(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = arguments(text, "en-nds", f"en-shout={text / 'own'}", temperature=100.0)
    assert open_training_corpus(data).rows == 3000 + 6 * 500
    assert "1 x en-nds (3,000 pairs), 6 x en-shout (500 pairs)" in capsys.readouterr().out


def test_directions_with_one_target_have_no_tags(text: Path) -> None:
    data = arguments(text, "en-nds", "shout-nds")
    assert (data.tags, data.user_tokens) == ({}, [])
    assert data.direction == "en-nds"
    assert all(text.tag == "" for text in scored_texts(data).values())


def test_test_text_and_duplicates_are_left_out_of_every_direction(text: Path) -> None:
    plain = open_training_corpus(arguments(text, "en-nds", "nds-en"))
    limits, counts = CleaningLimits(user_symbols=">>nds<< >>en<<"), []
    for flags in ({"drop_test_text": True}, {"drop_duplicates": True}):
        drops = Drops()
        corpus = open_training_corpus(arguments(text, "en-nds", "nds-en", cache_dir=str(text / "cache"), **flags))
        pairs = set(clean_pairs(corpus, limits, drops))
        assert corpus.rows == plain.rows
        assert pairs <= {row for group in range(plain.groups) for row in plain.read(group)}
        by_tag = Counter(pair.source.split()[0] for pair in clean_pairs(corpus, limits, Drops()))
        assert by_tag[">>nds<<"] == by_tag[">>en<<"] < 3000  # what is left out of one is left out of the other
        counts.append(drops.dropped.total())
    assert all(count % 2 == 0 and count > 0 for count in counts)


def test_pairs_that_are_the_same_in_two_languages_are_no_duplicates(tmp_path: Path) -> None:
    """As names and numbers are: each direction has to learn to copy them."""
    for folder, target in ((tmp_path, "de"), (tmp_path / "fr", "fr")):
        folder.mkdir(exist_ok=True)
        for language in ("en", target):
            (folder / f"train.{language}").write_text("Anna 1\nAnna 1\n" + f"{language} 2\n", encoding="utf-8")
    data = arguments(tmp_path, "en-de", f"en-fr={tmp_path / 'fr'}", drop_duplicates=True,
                     cache_dir=str(tmp_path / "cache"))  # fmt: skip
    kept = clean_pairs(open_training_corpus(data), CleaningLimits(user_symbols=">>de<< >>fr<<"), Drops())
    assert sorted(kept) == [
        Pair(">>de<< Anna 1", "Anna 1"), Pair(">>de<< en 2", "de 2"),
        Pair(">>fr<< Anna 1", "Anna 1"), Pair(">>fr<< en 2", "fr 2"),
    ]  # fmt: skip


@pytest.mark.parametrize("flags", [{}, {"drop_test_text": True}, {"drop_duplicates": True}])
def test_what_is_left_out_changes_no_count_of_test_text_and_no_name_of_the_text(
    tmp_path: Path, flags: dict[str, bool]
) -> None:
    own = ("train", "validation", "test")
    for split, language in itertools.product(own, ("en", "nds")):
        lines = [f"{language} {number}" for number in range(20)]
        kept = lines if split == "train" else lines[:6]
        (tmp_path / f"{split}.{language}").write_text("".join(f"{each}\n" for each in kept))
    data = arguments(tmp_path, "en-nds", "nds-en", cache_dir=str(tmp_path / "cache"), **flags)
    train = open_training_corpus(data)
    scored = {name: read_pairs(each.data, each.split)[0] for name, each in scored_texts(data).items()}
    found = find_test_overlap(train, scored, training_cleaning_limits(data), data, seed=0)
    assert found is not None
    assert {name: (each.pairs, each.of) for name, each in found.splits.items()} == dict.fromkeys(scored, (6, 6))
    assert text_of(train) == open_first_text(data).fingerprint


def test_test_text_is_left_out_on_whichever_side_a_direction_has_it(tmp_path: Path) -> None:
    """Of a text in three languages, fr-en must not learn the English of the test set of en-de."""
    for folder, languages in ((tmp_path, ("en", "de")), (tmp_path / "fr", ("fr", "en"))):
        folder.mkdir(exist_ok=True)
        for split, language in itertools.product(("train", "validation", "test"), languages):
            words = {"train": ("seen", "new"), "validation": ("other",), "test": ("seen",)}[split]
            (folder / f"{split}.{language}").write_text("".join(f"{each} {language}\n" for each in words))
    (tmp_path / "fr" / "test.fr").write_text("autre\n")
    (tmp_path / "fr" / "test.en").write_text("something else\n")
    data = arguments(tmp_path, "en-de", f"fr-en={tmp_path / 'fr'}", drop_test_text=True,
                     cache_dir=str(tmp_path / "cache"))  # fmt: skip
    kept = clean_pairs(open_training_corpus(data), CleaningLimits(user_symbols=">>de<< >>en<<"), Drops())
    assert sorted(kept) == [Pair(">>de<< new en", "new de"), Pair(">>en<< new fr", "new en")]


def test_scored_sets_have_their_direction_in_their_name(text: Path) -> None:
    data = arguments(text, "en-nds", "nds-en", f"en-shout={text / 'own'}", test_splits=["test_toy"])
    sets = scored_texts(data)
    assert list(sets) == ["validation", "test_toy.en-nds", "test_toy.nds-en", "test_toy.en-shout"]
    assert [each.tag for each in sets.values()] == [">>nds<<", ">>nds<<", ">>en<<", ">>shout<<"]
    assert sets["test_toy.en-shout"].data.data_dir == str(text / "own")
    assert {name: each.direction for name, each in further_texts(data).items()} == {
        "nds-en": "nds-en",
        "en-shout": "en-shout",
    }
    with pytest.raises(ValueError, match="a set called validation, as the validation set that chooses the weights"):
        DataArguments(data_dir=str(text), test_splits=["test_toy", f"validation={text / 'own'}"])
    data.validation_splits = ["nds-en=elsewhere"]
    with pytest.raises(ValueError, match="a set called nds-en, as one of --directions"):
        further_texts(data)


def test_a_test_set_may_be_in_another_folder(text: Path) -> None:
    own = text / "own"
    alone = DataArguments(data_dir=str(text), direction="en-shout", test_splits=["test_toy", f"few={own}"])
    sets = scored_texts(alone)
    assert list(sets) == ["validation", "test_toy", "few"]
    assert (sets["few"].data.data_dir, sets["few"].split) == (str(own), "test")
    assert len(read_pairs(sets["few"].data, sets["few"].split)[0]) == 60
    both = arguments(text, "en-shout", "shout-en", test_splits=["test_toy", f"few={own}"])
    assert list(scored_texts(both))[3:] == ["few.en-shout", "few.shout-en"]
    for flags_, what in (
        (["a=x", "a=y"], "two sets called a"),
        (["test", "test"], "two sets called test"),
        (["a/b=x"], "give NAME=FOLDER"),
    ):
        with pytest.raises(ValueError, match=f"--test_splits has .*{what}"):
            DataArguments(data_dir=str(text), test_splits=flags_)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"extra_dirs": ["more"]}, "give --directions en-nds en-nds=more"),
        ({"weights": [1]}, "2 are needed: one for each of --directions"),
        ({"weights": [1, 2], "temperature": 5.0}, "give one of them"),
        ({"temperature": 0.5}, "--temperature is 0.5; give at least 1"),
        ({"directions": ["en-nds", "en-nds"]}, "twice; to read a text more often give --weights"),
        ({"directions": ["en-de", "en-trees"]}, "trees are parsed alone"),
        ({"directions": ["en-de", "de-ru"], "check_script": True}, "differ in theirs"),
        ({"directions": [], "temperature": 5.0}, "--directions, which is not given"),
    ],
)
def test_what_does_not_go_together_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        DataArguments(**({"data_dir": "text", "directions": ["en-nds", "nds-en"]} | more))


# a run


def flags(text: Path, folder: Path, *more: str) -> list[str]:
    steps = ["--max_steps", "400", "--eval_steps", "200", "--save_steps", "50", "--average_checkpoints", "1"]
    both = ["--directions", "en-nds", "nds-en", "--data_dir", str(text), "--output_dir", str(folder)]
    return [*both, *TINY, *steps, *more]


@pytest.fixture(scope="module")
def trained(text: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Both directions in one model, and what the run printed."""
    folder = tmp_path_factory.mktemp("runs") / "both"
    return folder, run(*flags(text, folder)).stdout


@pytest.mark.slow
def test_scores_are_by_direction_everywhere(trained: tuple[Path, str]) -> None:
    folder, said = trained
    metrics, record = read_metrics(folder), read_run(folder)
    assert list(metrics.test) == ["test.en-nds", "test.nds-en"]
    bleu = {name: scores["sacrebleu"].value for name, scores in metrics.test.items()}
    assert min(bleu.values()) > 50, bleu  # with the wrong language it would be near 0
    assert "nds-en/bleu" in metrics.validation
    assert "nds-en: loss" in said
    history = json.loads((folder / "history.json").read_text(encoding="utf-8"))
    assert any("eval_nds-en/bleu" in each for each in history)
    for name in bleu:
        assert len((folder / f"{name}.translations.txt").read_text(encoding="utf-8").splitlines()) == 60
    card = model_card("someone/both", record, metrics, {})
    assert "from `en` to `nds` and from `nds` to `en`" in card
    assert "| test.nds-en | sacreBLEU |" in card
    assert "name: Translation nds-en" in card
    assert "`>>nds<<`, `>>en<<`" in card
    assert "print(translate('>>nds<< " in card
    assert "in 2 directions" in card


@pytest.mark.slow
def test_translate_puts_the_tag_there(trained: tuple[Path, str], text: Path, tmp_path: Path) -> None:
    folder, _ = trained
    for source, target in (("en", "nds"), ("nds", "en")):
        out = tmp_path / f"out.{target}"
        asked = ["translate", str(folder), "--input", str(text / f"test_toy.{source}"), "--output", str(out)]
        assert main([*asked, "--target", target]) == 0
        expected = folder / f"test.{source}-{target}.translations.txt"
        assert out.read_text(encoding="utf-8") == expected.read_text(encoding="utf-8")
    by_hand = tmp_path / "by_hand"
    lines = (text / "test_toy.nds").read_text(encoding="utf-8").splitlines()
    by_hand.write_text("".join(f">>en<< {line}\n" for line in lines), encoding="utf-8")
    assert main(["translate", str(folder), "--input", str(by_hand), "--output", str(by_hand)]) == 0
    assert by_hand.read_text(encoding="utf-8") == out.read_text(encoding="utf-8")


@pytest.mark.slow
def test_lines_that_name_no_language_are_counted_and_documents_refused(
    trained: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = trained
    lines = ["the cat", "", ">>nds<< the cat", "the dog"]
    (tmp_path / "in.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    asked = ["translate", str(folder), "--input", str(tmp_path / "in.txt")]
    assert main(asked) == 0
    assert (
        "2 line(s), the first is line 1, name no language, and the model has en, nds: give --target en, or begin"
        in (capsys.readouterr().err)
    )
    assert main([*asked, "--target", "nds"]) == 0
    assert "name no language" not in capsys.readouterr().err
    (tmp_path / "in.md").write_text("the cat\n", encoding="utf-8")
    out = tmp_path / "out.md"
    document = ["translate", str(folder), "--input", str(tmp_path / "in.md"), "--output", str(out)]
    assert main(document) == 2
    assert "the model translates into en, nds: say which, --target en" in capsys.readouterr().err
    assert not out.exists()
    assert main([*document, "--target", "nds"]) == 0


@pytest.mark.slow
def test_a_tag_is_no_word_of_an_alignment(
    trained: tuple[Path, str], text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = trained
    lines = (text / "test_toy.en").read_text(encoding="utf-8").splitlines()[:20]
    (tmp_path / "in").write_text("".join(f"{line}\n" for line in [*lines, ""]), encoding="utf-8")
    asked = ["translate", str(folder), "--input", str(tmp_path / "in"), "--target", "nds", "--align"]
    assert main([*asked, "--format", "jsonl"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["source"] for each in found] == [*lines, ""]
    pairs = [each["translations"][0]["alignment"].split() for each in found]
    seen = {int(pair.split("-")[0]) for each in pairs for pair in each}
    assert min(seen) == 0
    for line, each in zip(lines, pairs, strict=False):
        assert max(int(pair.split("-")[0]) for pair in each) < len(line.split())


@pytest.mark.slow
def test_a_language_that_the_model_does_not_know_is_refused(
    trained: tuple[Path, str], text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = trained
    assert main(["translate", str(folder), "--input", str(text / "val.en"), "--target", "fr"]) != 0
    assert "--target fr needs the token >>fr<<, and the model does not know it: it has en, nds" in (
        capsys.readouterr().err
    )


@pytest.mark.slow
def test_a_run_goes_on_in_one_direction_alone(trained: tuple[Path, str], text: Path, tmp_path: Path) -> None:
    folder, child = trained[0], tmp_path / "child"
    every = ["--max_steps", "120", "--eval_steps", "120", "--save_steps", "120", "--average_checkpoints", "1"]
    more = ["--tokens_per_batch", "512", "--bf16", "false", "--report_to", "none"]
    where = ["--data_dir", str(text), "--direction", "nds-en", "--output_dir", str(child)]
    run(*where, "--init_from", str(folder), *every, *more)
    metrics = read_metrics(child)
    assert list(metrics.test) == ["test"]
    assert metrics.test["test"]["sacrebleu"].value > 50


@pytest.mark.slow
def test_killed_it_resumes_to_the_same_bits(trained: tuple[Path, str], text: Path, tmp_path: Path) -> None:
    whole, cut = trained[0], tmp_path / "cut"
    with ForkedPopen[bytes](recipe(*flags(text, cut)), env=one_thread(), stdout=subprocess.DEVNULL) as started:
        while not (cut / "checkpoint-50" / "manifest.json").exists() and started.poll() is None:
            time.sleep(0.01)
        started.send_signal(signal.SIGKILL)
    assert not (cut / "metrics.json").exists()
    other = run(*flags(text, cut, "--resume"), "--directions", "nds-en", "en-nds", check=False)
    assert other.returncode == 2
    assert "directions was ['en-nds', 'nds-en']" in other.stdout + other.stderr
    assert "Resuming from checkpoint-" in run(*flags(text, cut), "--resume").stdout
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (cut, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_direction_and_directions_are_not_given_together(text: Path, tmp_path: Path) -> None:
    done = run(*flags(text, tmp_path / "x"), "--direction", "en-nds", check=False)
    assert done.returncode == 2
    assert "--direction en-nds and --directions are both given; give one of them" in done.stderr
