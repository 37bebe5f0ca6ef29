"""Vocabulary shortlists: learned from what the decoder looks at, obeyed by CTranslate2, with loss and gain told."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import Translator
from hypothesis import given
from hypothesis import strategies as st
from toy_language import sentence

from vaswani.commands import main
from vaswani.engines.ctranslate2 import Engine
from vaswani.engines.ctranslate2_network import export
from vaswani.engines.shortlist import BEST, FREQUENT, RECORD, Shortlist, from_links, learn_shortlist, vmap
from vaswani.translation.hypotheses import BeamSettings
from vaswani.translation.made_of import checksum_of
from vaswani.translation.models import SHORTLIST


@pytest.fixture(scope="module")
def pairs() -> tuple[list[str], list[str]]:
    """Text such as the toy translator has learned from."""
    draw = random.Random(7)
    sources, targets = zip(*(sentence(draw) for _ in range(300)), strict=True)
    return list(sources), list(targets)


@pytest.fixture(scope="module")
def learned(toy_translator: Translator, pairs: tuple[list[str], list[str]]) -> Shortlist:
    return learn_shortlist(toy_translator.model, toy_translator.tokenizer, *pairs)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 999)), max_size=900), st.lists(st.integers(0, 300)))
def test_a_source_token_brings_itself_and_what_counts_most_for_it(
    links: list[tuple[int, int]], text: list[int]
) -> None:
    counted, frequencies = Counter(links), Counter(text)
    found = from_links(counted, frequencies, 5)
    assert found.of_source.keys() == {source for source, _ in links}
    for source, targets in found.of_source.items():
        assert targets[0] == source
        assert len(targets) == len(set(targets)) <= BEST
        counts = [counted[source, target] for target in targets[1:]]
        assert counts == sorted(counts, reverse=True)
        left_out = {target for s, target in counted if s == source} - set(targets)
        assert not left_out or max(counted[source, each] for each in left_out) <= counts[-1]
    assert found.always == sorted(frequencies, key=lambda each: (-frequencies[each], each))[:FREQUENT]


def test_it_is_written_as_the_engine_reads_it() -> None:
    tokens = ["</s>", "\u0120the", "der", "die"]
    assert vmap(Shortlist([0], {1: [1, 2, 3]}, 9), tokens) == "\t</s>\n\u0120the\t\u0120the der die\n"
    with pytest.raises(
        ValueError, match="the vocabulary has 'a b', and a shortlist cannot hold tokens with white space"
    ):
        vmap(Shortlist([0], {1: [1]}, 9), ["</s>", "a b"])


def test_translations_consist_of_it_alone(toy_translator: Translator, tmp_path: Path) -> None:
    model, tokenizer = toy_translator.model, toy_translator.tokenizer
    sources = tokenizer(toy_translator.lines[:20]).input_ids
    free = {token for tokens in answers(model, tokenizer, tmp_path / "free", None, sources) for token in tokens}
    few = sorted(free)[:8]
    found = answers(model, tokenizer, tmp_path / "few", Shortlist(few, {}, 1), sources)
    special = {tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id}
    assert {token for tokens in found for token in tokens} <= {*few, *special}
    assert len(free) > 12


def answers(
    model: Any, tokenizer: Any, folder: Path, shortlist: Shortlist | None, sources: list[list[int]], beams: int = 2
) -> list[list[int]]:
    export(model, tokenizer, folder, "float32", shortlist)
    return [best.tokens for best, *_ in Engine(folder).search(sources, BeamSettings(beams))]


def test_what_is_learned_keeps_the_translations(toy_translator: Translator, learned: Shortlist, tmp_path: Path) -> None:
    model, tokenizer = toy_translator.model, toy_translator.tokenizer
    sources = tokenizer(toy_translator.lines[:100]).input_ids
    free = answers(model, tokenizer, tmp_path / "free", None, sources)
    few = learned._replace(always=learned.always[:5])  # the others come from the links alone
    kept = answers(model, tokenizer, tmp_path / "kept", few, sources)
    assert sum(a == b for a, b in zip(free, kept, strict=True)) >= 95
    assert learned.pairs == 300


def test_the_decoder_looks_at_the_word_that_it_translates(
    toy_translator: Translator, learned: Shortlist, pairs: tuple[list[str], list[str]]
) -> None:
    """Of the tokens of the targets, most are among the first five that a token of their own source brings."""
    tokenizer, brought, seen = toy_translator.tokenizer, 0, 0
    for source, target in zip(*pairs, strict=True):
        allowed = {each for token in tokenizer(source).input_ids for each in learned.of_source.get(token, [])[:6]}
        labels = tokenizer(target).input_ids
        brought, seen = brought + len(allowed & set(labels)), seen + len(set(labels))
    assert brought / seen > 0.9


# The command


def written(path: Path, lines: list[str]) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def test_the_command_learns_it_and_tells_what_it_does(
    toy_translator: Translator, pairs: tuple[list[str], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources, targets = (written(tmp_path / name, each) for name, each in zip(("s", "t"), pairs, strict=True))
    command = ["export", str(toy_translator.folder), "--to", "ctranslate2", "--shortlist", sources, targets]
    few = [written(tmp_path / f"{name} few", each[:40]) for name, each in zip(("s", "t"), pairs, strict=True)]
    assert main([*command, str(tmp_path / "out"), "--validation", *few]) == 0
    said = capsys.readouterr().out
    assert "300 of 300 pairs aligned\n" in said
    assert "shortlist of 300 pairs: 18 tokens for every sentence" in said  # all that the toy language has
    record = json.loads((tmp_path / "out" / RECORD).read_text())
    assert (record["pairs"], record["sentences"], record["metric"]) == (300, 40, "bleu")
    assert record["same"] >= 38
    assert abs(record["with_it"] - record["without"]) < 3
    assert record["speed"] > 0
    rows = (tmp_path / "out" / SHORTLIST).read_text(encoding="utf-8").splitlines()
    assert rows[0].startswith("\t")
    assert "\u0120big\t\u0120big \u0120grop" in "\n".join(rows)
    before = checksum_of(tmp_path / "out", "ctranslate2")
    (tmp_path / "out" / SHORTLIST).write_text(rows[0] + "\n", encoding="utf-8")
    assert checksum_of(tmp_path / "out", "ctranslate2") != before, "an output that is gone on with would be another's"


def test_what_does_not_go_together_is_refused(
    toy_translator: Translator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two, none = (written(tmp_path / str(n), ["the cat"] * n) for n in (1, 2, 0))
    for args, said in (
        (["--to", "onnx", "--shortlist", one, one], "--shortlist is of CTranslate2, and --to is onnx"),
        (["--to", "ctranslate2", "--shortlist", one, two], "1 has 1 lines and"),
        (["--to", "ctranslate2", "--shortlist", none, none], "has no pair that the model can read"),
        (["--to", "ctranslate2", "--validation", one, one], "add --to transformers or browser"),
    ):
        assert main(["export", str(toy_translator.folder), str(tmp_path / "new"), *args]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
