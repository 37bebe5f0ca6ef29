"""A line break inside a segment is white space, or costs its pair by choice; both are told for what they are."""

import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from vaswani.data import Order, TrainingStream, fingerprint
from vaswani.data.cleaning import CleaningLimits, Drops, clean_pairs
from vaswani.data.encoding import encode, encode_group
from vaswani.data.line_breaks import has_line_break, in_one_line
from vaswani.data.opening import Corpus, Pair, PairsCorpus, open_corpus
from vaswani.data.token_cache import GroupReader, TokenCache
from vaswani.experiment.corpora import cleaning_limits, read_pairs, training_cleaning_limits
from vaswani.experiment.data_arguments import DataArguments
from vaswani.publishing.metrics_record import PairsRecord

BREAKS = "\n\r\v\f\x85\u2028\u2029"
KINDS = [*BREAKS, "\r\n", "\n\n", " \n\t"]
DROP = CleaningLimits(line_breaks="drop")


@given(st.text(st.sampled_from(BREAKS + "ab \t\u3000\x1c.")) | st.text())
@example("\n")
@example("a\r\n")
@example(" \n a")
def test_a_text_in_one_line_has_the_same_words_and_no_line_break(text: str) -> None:
    joined = in_one_line(text)
    assert joined.split() == text.split()
    assert not has_line_break(joined)
    assert not set(joined) & set(BREAKS)
    assert joined == text or has_line_break(text)
    assert has_line_break(text) == bool(set(text) & set(BREAKS))


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_break_of_any_kind_becomes_one_space_and_none_at_the_ends(kind: str) -> None:
    assert in_one_line(f"{kind}one  two {kind} three{kind}") == "one  two three"


def write(folder: Path, form: str, pairs: list[Pair]) -> None:
    rows = [{"en": source, "de": target} for source, target in pairs]
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), folder / "train.parquet")
    else:
        lines = "".join(f"{json.dumps(row)}\n" for row in rows)
        (folder / f"train.{form}").write_text(lines, encoding="utf-8")


PAIRS = [
    Pair("plain", "schlicht"),
    *(Pair(f"one{kind}two", "eins zwei") for kind in KINDS),
    *(Pair("one two", f"eins{kind}zwei") for kind in KINDS),
    Pair("end\n", "Ende\r\n"),
    Pair("\n", "leer"),
    Pair("nul\0\n", "nul"),
]


@pytest.mark.parametrize("door", ["data_dir", "dataset"])
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_pairs_with_line_breaks_are_kept_or_dropped_by_choice(tmp_path: Path, door: str, form: str) -> None:
    write(tmp_path, form, PAIRS)
    where: dict[str, Any] = {door: str(tmp_path)}
    corpus = open_corpus(**where, split="train", source="en", target="de")
    drops = Drops()
    kept = list(clean_pairs(corpus, CleaningLimits(), drops))
    assert kept == [PAIRS[0], *[Pair("one two", "eins zwei")] * 2 * len(KINDS), Pair("end", "Ende")]
    assert (drops.joined, drops.dropped) == (2 * len(KINDS) + 1, {"empty": 1, "control characters": 1})
    assert f"  {drops.joined} had line breaks inside, read as spaces; to drop" in drops.report()
    drops = Drops()
    assert list(clean_pairs(corpus, DROP, drops)) == PAIRS[:1]
    assert (drops.joined, drops.dropped) == (0, {"empty": 1, "line break": 2 * len(KINDS) + 2})
    assert "UTF-16" not in drops.report()
    assert "more than one line in one segment" in drops.report()


def test_what_is_encoded_and_kept_on_disk_is_in_one_line_and_counted(
    tmp_path: Path, toy_tokenizer: PreTrainedTokenizerFast
) -> None:
    corpus: Corpus = PairsCorpus("pairs", PAIRS)
    encoded = encode_group(corpus, 0, partial(encode, toy_tokenizer), CleaningLimits())
    texts = [toy_tokenizer.decode(encoded.sources.row(n), skip_special_tokens=True) for n in range(len(encoded.rows))]
    assert texts == ["plain", *["one two"] * 2 * len(KINDS), "end"]
    cache = TokenCache(tmp_path / "cache")
    reader = GroupReader(corpus, toy_tokenizer, CleaningLimits(), cache)
    assert reader(0).drops == reader(0).drops == encoded.drops
    assert cache.filled() == 1


def test_a_saved_position_keeps_the_count(toy_tokenizer: PreTrainedTokenizerFast) -> None:
    def stream() -> TrainingStream:
        order = Order(seed=0, tokens_per_batch=256, streams=1, window_groups=1)
        corpus = PairsCorpus("pairs", PAIRS)
        return TrainingStream(
            corpus, toy_tokenizer, fingerprint(toy_tokenizer), CleaningLimits(), order, max_unreadable=1
        )

    first, second = stream(), stream()
    first.note(first.micro_batch(0)["place"])
    second.restore(json.loads(json.dumps(first.state(1, [first.notes()]))))
    found = second.drops([second.notes()])
    assert found == first.drops([first.notes()])
    assert found.joined == 2 * len(KINDS) + 1


def test_counts_of_processes_add_up() -> None:
    a, b = Drops(1, Counter(), {}, 2), Drops(3, Counter(), {}, 4)
    assert (a + b).joined == 6


def test_sets_that_are_scored_and_training_text_are_read_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "jsonl", PAIRS[:9])
    for choice, kept in (("space", 9), ("drop", 1)):
        data = DataArguments(data_dir=str(tmp_path), line_breaks=choice)
        assert cleaning_limits(data) == training_cleaning_limits(data) == CleaningLimits(line_breaks=choice)
        pairs, drops = read_pairs(data, "train")
        assert (len(pairs), drops.kept) == (kept, kept)
        said = capsys.readouterr().out
        assert ("8 had line breaks inside" if choice == "space" else "8 line break (") in said


def test_what_is_not_scored_is_said_with_its_reasons() -> None:
    assert PairsRecord(9, {}).lost is None
    said = PairsRecord(1_153, {"line break": 100, "empty": 17}).lost
    assert said is not None
    assert said.startswith("117 of 1,270 pairs are not scored (100 line break, 17 empty)")


def test_another_choice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"--line_breaks is 'keep'\. Give one of: space, drop"):
        DataArguments(line_breaks="keep")
    with pytest.raises(ValueError, match="line_breaks is 'keep'"):
        CleaningLimits(line_breaks="keep")
