"""Entries that a user asks for: one token wherever they stand, part of no other, and text to all that reads text."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import outspoken
from forked_python import forked
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_experiment import TINY, one_thread, recipe
from tokenizers import pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from vaswani.commands import main
from vaswani.data import CleaningLimits, Order, Pair, StreamMismatchError, TrainingStream
from vaswani.data.cleaning import text_fault
from vaswani.data.pairs import NoPair, PairsCorpus
from vaswani.data.scripts import scripts_of
from vaswani.data.test_overlap import WithoutTestText, find
from vaswani.data.tokenizer import SMALLEST_VOCABULARY, SPECIAL_TOKENS, fingerprint, learn_tokenizer
from vaswani.engines.engine import engine_module
from vaswani.experiment.arguments import Recipe, parse
from vaswani.experiment.corpora import training_cleaning_limits
from vaswani.experiment.inspection import figures, inspect, inspection_as_text
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.publishing import read_run
from vaswani.publishing.card import training_section
from vaswani.training.checkpointing.checkpoints import MANIFEST, seal
from vaswani.translation.hypotheses import BeamSettings
from vaswani.translation.translate import translate

SYMBOLS = ["<2de>", "<2d", "<BT>", "→", "⟨é⟩", "und", "'s", ".*", "a+", "🏷️", "<unk>s"]
TEXTS = ["the cat under the table isn't <2de> a cat's → <BT>, 12 und ⟨é⟩ <2de>x größer 🏷️"] * 20
PIECES = [
    *SYMBOLS, *SPECIAL_TOKENS, " ", "  ", "\n", "\0", "<", "2", "d", "de>", "BT", ">", "é", "e\u0301", "u", "n", "'",
    "s", ".", "*", "a", "+", "the cat", "🏷", "\ufe0f", "x", "1", "!",
]  # fmt: skip
FOUND = st.lists(st.sampled_from(PIECES)).map("".join)


def scanned(text: str, tokens: list[str]) -> list[str]:
    """From left to right, at each place the longest."""
    found, place = [], 0
    while place < len(text):
        here = max((each for each in tokens if text.startswith(each, place)), key=len, default="")
        found += [here] if here else []
        place += len(here) or 1
    return found


@pytest.fixture(scope="module")
def learned() -> PreTrainedTokenizerFast:
    return learn_tokenizer(TEXTS, 290, show_progress=False, user_symbols=SYMBOLS)


@pytest.fixture(scope="module")
def loaded(learned: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerFast:
    learned.save_pretrained(folder := tmp_path_factory.mktemp("tokenizer"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    assert fingerprint(tokenizer) == fingerprint(learned)
    return tokenizer


def id_of(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    [number, end] = tokenizer(token).input_ids
    assert end == tokenizer.eos_token_id
    return int(number)


@given(FOUND | st.text())
@example("<2de> the cat")
@example(" <2de>")
@example("<2de>")
@example("x<2de><BT>x  <BT>  ")
@example("a\n <2de>")
@example("</s><2de>")
@example("thunder")
@settings(deadline=None, max_examples=300)
def test_each_is_one_symbol_wherever_it_stands_and_text_comes_back(
    learned: PreTrainedTokenizerFast, loaded: PreTrainedTokenizerFast, text: str
) -> None:
    ids = learned(text).input_ids
    assert loaded(text, text_target=text) == {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": ids}
    of_tokens = {id_of(learned, token): token for token in SYMBOLS}
    assert [of_tokens[each] for each in ids if each in of_tokens] == scanned(text, SYMBOLS)
    assert not {0, 1, 2, 3} & set(ids[:-1])
    for tokenizer in (learned, loaded):
        assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_what_a_text_begins_with_comes_first_and_the_word_after_it_is_the_usual_one(
    learned: PreTrainedTokenizerFast,
) -> None:
    assert learned("<2de> the cat").input_ids == [id_of(learned, "<2de>"), *learned("the cat").input_ids]


@given(st.text() | st.text(" \n'stx1!é").filter(str))
@settings(deadline=None, max_examples=300)
def test_text_without_any_is_parted_as_ever(text: str) -> None:
    tokenizer = learn_tokenizer(["ab"], 400, show_progress=False, user_symbols=["<2de>", "'tx"]).backend_tokenizer
    if scanned(text, ["<2de>", "'tx"]):
        return
    assert tokenizer.normalizer is not None
    assert tokenizer.pre_tokenizer is not None
    usual = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    assert tokenizer.normalizer.normalize_str(text) == (f" {text}" if text else "")
    assert tokenizer.pre_tokenizer.pre_tokenize_str(f" {text}") == usual.pre_tokenize_str(f" {text}")


def test_the_vocabulary_has_the_size_asked_for_with_them_in_it(learned: PreTrainedTokenizerFast) -> None:
    assert len(learned) == 290
    numbers = [id_of(learned, token) for token in SYMBOLS]
    assert sorted(numbers) == list(range(290 - len(SYMBOLS), 290))
    others = learn_tokenizer(TEXTS, 290, show_progress=False)
    assert learned.convert_ids_to_tokens(list(range(260))) == others.convert_ids_to_tokens(list(range(260)))
    assert fingerprint(learned) != fingerprint(others)
    smallest = SMALLEST_VOCABULARY + 2
    assert len(learn_tokenizer(TEXTS, smallest, show_progress=False, user_symbols=["<2de>", "<BT>"])) == smallest
    with pytest.raises(ValueError, match=f"smallest is {smallest}: 4 special tokens and 256 bytes, and 2 user_tokens"):
        learn_tokenizer(TEXTS, smallest - 1, user_symbols=["<2de>", "<BT>"])


def test_nothing_is_learned_of_how_they_are_spelled() -> None:
    tokenizer = learn_tokenizer(
        ["<2de> x <2de>y"] * 100 + ["12 dear"] * 3, 400, show_progress=False, user_symbols=["<2de>"]
    )
    entries = tokenizer.convert_ids_to_tokens(list(range(260, len(tokenizer))))
    assert "<2de>" in entries
    assert not [each for each in entries if each != "<2de>" and ("<2" in each or "2d" in each or "e>" in each)]


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (["<BT>", "<2de>", "<BT>"], "'<BT>', which is given twice"),
        (["<2 de>"], "'<2 de>', which has white space inside"),
        (["<2\u00a0de>"], r"'<2\\xa0de>', which has white space inside"),
        ([""], "'', which shows nothing"),
        (["\u200b"], r"'\\u200b', which shows nothing"),
        (["</s>"], "'</s>', which is a special token"),
        (["<unk>"], "'<unk>', which is a special token"),
        (["a"], "'a', which is a single byte"),
        (["<a\0>"], r"'<a\\x00>', which has a control character"),
        (["\ud800x"], r"'\\ud800x', which is not UTF-8"),
    ],
)
def test_what_cannot_be_a_symbol_is_named(tokens: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=f"user_tokens has {words}"):
        learn_tokenizer(TEXTS, 400, user_symbols=tokens)


# flags


def refusal(capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    with pytest.raises(SystemExit) as ended:
        parse(Recipe("", {}, {"dataset": "grammar"}, {"output_dir": "run"}), flags)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_the_flag_takes_them_in_one_word_or_in_several(capsys: pytest.CaptureFixture[str]) -> None:
    made = Recipe("", {}, {"dataset": "grammar"}, {"output_dir": "run"})
    for flags in (
        ["--user_tokens", "<2de> <BT>"],
        ["--user_tokens", "<2de>", "<BT>"],
        ["--user_tokens= <2de>  <BT>"],
    ):
        data = parse(made, flags).data
        assert data.user_tokens == ["<2de>", "<BT>"]
        assert training_cleaning_limits(data).user_symbols == "<2de> <BT>"
    assert parse(made, []).data.user_tokens == []
    assert "'<2de>', which is given twice" in refusal(capsys, "--user_tokens", "<2de> <BT> <2de>")
    assert "'</s>', which is a special token" in refusal(capsys, "--user_tokens", "</s>")
    assert "trees have tokens of their own" in refusal(capsys, "--user_tokens", "<x>", "--direction", "en-trees")


# cleaning


def test_they_are_of_no_script_and_no_markup() -> None:
    tokens = ["to_german", "<br>", "zurückübersetzt"]
    without = CleaningLimits(drop_html=True, source_scripts=scripts_of("ru"), target_scripts=scripts_of("el"))
    with_them = CleaningLimits(
        drop_html=True, source_scripts="Cyrillic", target_scripts="Greek", user_symbols=" ".join(tokens)
    )
    pair = Pair("zurückübersetzt кот спит", "γάτα<br>")
    assert text_fault(pair, without) == "HTML"
    assert text_fault(Pair(pair.source, "γάτα"), without) == "wrong script"
    assert text_fault(pair, with_them) is None
    assert text_fault(Pair("zurückübersetzt the cat sleeps", "γάτα"), with_them) == "wrong script"
    assert text_fault(Pair("кот <b>спит</b>", "γάτα"), with_them) == "HTML"


def test_test_text_behind_a_symbol_is_test_text() -> None:
    rows = [
        Pair("<2de> A cat", "eine Katze"),
        Pair("<2DE> a cat", "x"),
        Pair("a dog", "<BT>ein Hund"),
        Pair("<BT>", "y"),
    ]
    corpus, scored = PairsCorpus("rows", rows), [Pair("a cat", "z"), Pair("<2de> q", "ein Hund"), Pair("<2de>", "w")]
    without = WithoutTestText(corpus, scored, "<2de> <BT>")
    assert [row.reason if isinstance(row, NoPair) else None for row in without.read(0)] == [
        "test text",
        None,
        "test text",
        None,
    ]
    assert without.fingerprint != WithoutTestText(corpus, scored).fingerprint
    assert find([(corpus, 0)], {"test": scored}, CleaningLimits(user_symbols="<2de> <BT>"))["test"][:3] == (0, 1, 1)
    assert find([(corpus, 0)], {"test": scored}, CleaningLimits())["test"][:3] == (0, 0, 0)


# runs


@pytest.fixture
def tagged(tmp_path: Path) -> Path:
    """Files in which half of the sources begin with a tag."""
    folder = tmp_path / "text"
    folder.mkdir()
    for split, size in (("train", 400), ("val", 20), ("test", 20)):
        sources = [f"{'<2de> ' if n % 2 else ''}the cat {n}\n" for n in range(size)]
        (folder / f"{split}.en").write_text("".join(sources))
        (folder / f"{split}.de").write_text("".join(f"die Katze {n}\n" for n in range(size)))
    return folder


def test_a_look_tells_how_often_they_are_there(tagged: Path, tmp_path: Path) -> None:
    made = Recipe("", {"vocab_size": 300}, {"dataset": "grammar"}, {"output_dir": "run"})
    flags = [
        "--data_dir",
        tagged,
        "--direction",
        "en-de",
        "--user_tokens",
        "<2de> <BT>",
        "--cache_dir",
        tmp_path / "c",
    ]
    arguments = parse(made, list(map(str, flags)))
    found = figures(seen := inspect(arguments), arguments)
    assert found["user_symbols"] == {"<2de>": {"source": 200, "target": 0}, "<BT>": {"source": 0, "target": 0}}
    text = inspection_as_text(seen, found, arguments)
    assert "\n<2de>: 200 times in sources, 0 in targets\n" in text
    assert "\n<BT>: 0 times in sources, 0 in targets; is it written so in the text?\n" in text


def write_as_before(folder: Path) -> None:
    """Give a run's records the form that they had until 2026-11-29: without versions, with other names of fields."""
    record = json.loads((folder / "run.json").read_text())
    for part, new, old in (
        ("data", "user_tokens", "user_symbols"),
        ("data", "source_timeout", "source_patience"),
        ("training", "extra_tokens", "extra_symbols"),
    ):
        record[part][old] = record[part].pop(new)
    record["training"]["learning_rate"] = 5e-05  # which nothing used
    del record["version"]
    (folder / "run.json").write_text(json.dumps(record))
    for record in (folder / "metrics.json", *folder.glob("checkpoint-*/s*.json")):
        held = json.loads(record.read_text())
        if record.name in ("metrics.json", "stream.json", "since_log.json"):
            del held["version"]
            record.write_text(json.dumps(held))
    for checkpoint in folder.glob("checkpoint-*"):
        (checkpoint / MANIFEST).unlink()
        seal(checkpoint)


@pytest.mark.slow
def test_a_run_of_an_older_version_resumes_with_its_tokens_and_with_no_others(tagged: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    own = shlex.split("--direction en-de --eval_steps 2 --save_steps 2 --test_splits test")
    common = ["--data_dir", tagged, "--output_dir", folder, *TINY, *own]

    def run(*flags: str, code: int = 0) -> str:
        done = subprocess.run(
            recipe(*common, *flags),
            env=one_thread(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout[-1500:] + done.stderr[-3000:]
        return done.stderr

    run("--user_tokens", "<2de> <BT>", "--max_steps", "2")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert len(tokenizer("<2de><BT>").input_ids) == 3
    write_as_before(folder)
    said = run("--resume", "--user_symbols", "<2de>", "--max_steps", "4", code=2)
    assert said.count("Note: --user_symbols is now --user_tokens; the old name still works\n") == 1
    assert "does not fit this run: user_tokens was ['<2de>', '<BT>'] and is ['<2de>']. Resume with" in said
    assert "user_tokens was ['<2de>', '<BT>'] and is []" in run("--resume", "--max_steps", "4", code=2)
    said = run("--resume", "--user_tokens", "<2de> <BT>", "--max_steps", "4")
    assert "Note: extra_symbols of run.json is now extra_tokens; the old name still works\n" in said
    told_run = json.loads((folder / "run.json").read_text())
    assert told_run["data"]["user_tokens"] == ["<2de>", "<BT>"]
    assert "learning_rate" not in told_run["training"]
    assert "never split: `<2de>`, `<BT>`\n" in training_section(read_run(folder), None)


@pytest.fixture(scope="module")
def model_of_symbols(
    learned: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory
) -> tuple[VaswaniForConditionalGeneration, Path]:
    """A network of random weights that says something else to each source."""
    torch.manual_seed(3)
    config = VaswaniConfig(
        vocab_size=len(learned), d_model=16, d_ff=32, num_heads=2, encoder_layers=1, decoder_layers=1
    )
    model = outspoken(VaswaniForConditionalGeneration(config)).eval()
    folder = tmp_path_factory.mktemp("model")
    model.save_pretrained(folder)
    learned.save_pretrained(folder)
    return model, folder


LINES = ["<2de> the cat", "<BT> the cat", "the <2de>cat", "the cat"]


@pytest.mark.parametrize("name", ["ctranslate2", pytest.param("onnx", marks=pytest.mark.slow)])
def test_engines_read_them_as_torch_does(
    learned: PreTrainedTokenizerFast,
    model_of_symbols: tuple[VaswaniForConditionalGeneration, Path],
    name: str,
    tmp_path: Path,
) -> None:
    model, folder = model_of_symbols
    main(["export", str(folder), str(tmp_path / "out"), "--to", name])
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    assert fingerprint(tokenizer) == fingerprint(learned)
    found = engine_module(name).Engine(tmp_path / "out").search(tokenizer(LINES).input_ids, BeamSettings(1, 0.6))
    texts = [tokenizer.decode(best.tokens, skip_special_tokens=True) for [best] in found]
    assert texts == [translate(model, learned, [line], num_beams=1)[0] for line in LINES]
    assert len(set(texts)) > 2
    used = {token for [best] in found for token in best.tokens}
    assert {id_of(learned, token) for token in SYMBOLS} & used, "none came out, so that nothing is shown"


def test_translate_takes_lines_that_begin_with_one(
    model_of_symbols: tuple[VaswaniForConditionalGeneration, Path], learned: PreTrainedTokenizerFast
) -> None:
    model, folder = model_of_symbols
    done = subprocess.run(
        forked(Path(sys.executable).with_name("vaswani"), "translate", "--beams", "1", folder),
        input="".join(f"{line}\n" for line in LINES).encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().splitlines() == translate(model, learned, LINES, num_beams=1)


def test_a_position_of_before_there_were_any_is_gone_on_from_without_them(learned: PreTrainedTokenizerFast) -> None:
    def stream(tokens: str) -> TrainingStream:
        corpus = PairsCorpus("rows", [Pair("the cat", "x")] * 9)
        return TrainingStream(
            corpus, learned, "t", CleaningLimits(user_symbols=tokens), Order(seed=1, tokens_per_batch=512)
        )

    saved = stream("")
    state = json.loads(json.dumps(saved.state(0, [saved.notes()])))
    del state["identity"]["user_symbols"]
    stream("").restore(state)
    with pytest.raises(StreamMismatchError, match="user_symbols was '' and is '<2de>'"):
        stream("<2de>").restore(state)
