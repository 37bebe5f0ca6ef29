"""Several models as one: the same search, over the mean of their probabilities."""

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from slow_search import END, probabilities, slow_search
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, MarianConfig, MarianMTModel, PreTrainedTokenizerFast

from vaswani.commands import main
from vaswani.data.tokenizer import learn_tokenizer
from vaswani.translation.ensemble import by_ensemble, check_members
from vaswani.translation.hypotheses import BeamSettings
from vaswani.translation.search import by_generate

MakeModel = Callable[..., Any]


@pytest.mark.parametrize("seed", range(6))
def test_an_ensemble_of_a_model_with_itself_is_the_model(
    talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast, seed: int
) -> None:
    model, beams = talker(seed), BeamSettings(4, 0.6, n_best=3)
    sources = toy_tokenizer(["the cat", "x", "what is this long line about then", "the dog sat by the door"]).input_ids
    alone = by_generate(model, toy_tokenizer, beams)(sources)
    together = by_ensemble([model] * 3, toy_tokenizer, beams)(sources)
    assert len({each.text for row in alone for each in row}) > 8
    for one, other in zip(alone, together, strict=True):
        assert [each.text for each in one] == [each.text for each in other]
        assert [each.score for each in one] == pytest.approx([each.score for each in other], abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_an_ensemble_equals_the_slow_search_over_the_mean_probability(
    tiny_model: MakeModel, toy_tokenizer: PreTrainedTokenizerFast, seed: int
) -> None:
    """Members of unlike depth; learned positions, 7 of them, keep the slow search short."""
    draw = random.Random(seed)
    shape: dict[str, Any] = {"vocab_size": 9, "positions": "learned", "max_positions": 7}
    members = [tiny_model(2 * seed, **shape), tiny_model(2 * seed + 1, decoder_layers=1, **shape)]
    for member in members:
        member.model.tokens.weight.data[END] *= 2.0
    beams = BeamSettings(draw.randint(2, 4), draw.choice([0.0, 0.6, 1.0]), n_best=2)
    sources = [[draw.randrange(4, 9) for _ in range(draw.randint(1, 5))] + [END] for _ in range(5)]
    found = by_ensemble(members, toy_tokenizer, beams)(sources)
    for source, hypotheses in zip(sources, found, strict=True):
        each = [probabilities(member, torch.tensor(source)) for member in members]

        def mean(prefix: tuple[int, ...], each: list[Any] = each) -> list[float]:
            rows = zip(*(log_p(prefix) for log_p in each), strict=True)
            return [math.log(sum(map(math.exp, row)) / len(row)) for row in rows]

        expected = slow_search(mean, beams.number, beams.length_penalty, limit=7)[:2]
        texts = [toy_tokenizer.decode(list(one.tokens), skip_special_tokens=True) for one in expected]
        assert [one.text for one in hypotheses] == [str(text).replace("\n", " ") for text in texts]
        assert [one.score for one in hypotheses] == pytest.approx([one.score for one in expected], abs=1e-9)


def test_the_ends_are_those_that_generate_would_take(talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast) -> None:
    model, beams = talker(1), BeamSettings(4, 0.6, n_best=3)
    sources = toy_tokenizer(["the cat", "what is this long line about then"]).input_ids
    before = by_generate(model, toy_tokenizer, beams)(sources)
    often = toy_tokenizer(before[0][0].text).input_ids[1]
    model.generation_config.eos_token_id = [3, often]
    alone = by_generate(model, toy_tokenizer, beams)(sources)
    together = by_ensemble([model] * 2, toy_tokenizer, beams)(sources)
    assert [[each.text for each in row] for row in together] == [[each.text for each in row] for row in alone]
    assert [[each.text for each in row] for row in alone] != [[each.text for each in row] for row in before]


@pytest.mark.parametrize(
    "saved",
    [
        {"max_new_tokens": 3},
        {"max_length": 4},
        {"suppress_tokens": list(range(4, 140))},
        {"bad_words_ids": [[3], *([token] for token in range(100, 279))], "renormalize_logits": True},
        {"forced_eos_token_id": 3, "max_new_tokens": 4},
    ],
    ids=lambda saved: " ".join(saved),
)
def test_what_the_members_are_saved_with_is_obeyed(
    talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast, saved: dict[str, Any]
) -> None:
    model, beams = talker(1), BeamSettings(4, 0.6, n_best=3)
    sources = toy_tokenizer(["the cat", "what is this long line about then"]).input_ids
    before = by_generate(model, toy_tokenizer, beams)(sources)
    model.generation_config.update(**saved)
    alone = by_generate(model, toy_tokenizer, beams)(sources)
    assert [[each.text for each in row] for row in alone] != [[each.text for each in row] for row in before]
    together = by_ensemble([model] * 2, toy_tokenizer, beams)(sources)
    assert [[each.text for each in row] for row in together] == [[each.text for each in row] for row in alone]


def test_settings_that_an_ensemble_cannot_obey_are_refused(
    talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast
) -> None:
    models = [talker(0), talker(1)]
    models[1].generation_config.no_repeat_ngram_size = 7
    with pytest.raises(
        ValueError, match=r" sets no_repeat_ngram_size=7 in generation_config.json, which only generate"
    ):
        by_ensemble(models, toy_tokenizer, BeamSettings())
    models[1].generation_config.update(no_repeat_ngram_size=None, eos_token_id=[3, 7])
    with pytest.raises(ValueError, match=r" with Gen.*ends=\(3, 7\).* with .*ends=\(3,\).* alike"):
        by_ensemble(models, toy_tokenizer, BeamSettings())


def test_members_with_other_symbols_are_refused(
    talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    """Other merges, and as many tokens: nothing but the text of the tokenizer tells them apart."""
    text = "the cat sat on the mat and the dog sat by the floor"
    other = learn_tokenizer([text] * 3, 280, show_progress=False)
    assert len(other) == len(toy_tokenizer)
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder, tokenizer in zip(folders, (toy_tokenizer, other), strict=True):
        talker().save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    models = [AutoModelForSeq2SeqLM.from_pretrained(folder) for folder in folders]
    tokenizers: list[Any] = [AutoTokenizer.from_pretrained(folder) for folder in folders]
    check_members(models, [tokenizers[0]] * 2)
    with pytest.raises(ValueError, match=r"two has another vocabulary .* than .*one .* train its members with one"):
        check_members(models, tokenizers)
    with pytest.raises(ValueError, match="has another vocabulary"):
        check_members([talker(), talker(vocab_size=300)], [toy_tokenizer] * 2)


def test_a_network_of_another_kind_is_refused_beside_others_and_taken_alone(
    talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs, text = tmp_path / "ours", tmp_path / "theirs", tmp_path / "text"
    config = MarianConfig(
        vocab_size=len(toy_tokenizer),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        pad_token_id=1,
        eos_token_id=3,
        decoder_start_token_id=2,
        forced_eos_token_id=None,
    )
    for folder, model in ((ours, talker()), (theirs, MarianMTModel(config))):
        model.save_pretrained(folder)
        toy_tokenizer.save_pretrained(folder)
    text.write_text("the cat\n")
    for members in ((theirs, ours), (ours, theirs)):
        assert main(["translate", *map(str, members), "--input", str(text)]) == 2
        error = capsys.readouterr().err
        assert f"{theirs} is a marian model: an ensemble takes only networks of this package; leave it out" in error
    assert main(["translate", str(theirs), "--input", str(text), "--output", str(tmp_path / "out")]) == 0


def test_greedy_search_takes_one_model(talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(ValueError, match="give an ensemble 2 beams or more"):
        by_ensemble([talker()] * 2, toy_tokenizer, BeamSettings(1))
