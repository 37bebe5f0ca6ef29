"""Translations that are drawn: by the probabilities of the network, and each line's by itself."""

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from vaswani.commands import main
from vaswani.translation.batches import encode, translate_batches
from vaswani.translation.sampling import GumbelNoise, Sampling, by_sampling, check_sampling
from vaswani.translation.translate import translate

MakeModel = Callable[..., Any]
LINES = [f"the cat {number} sat by the {'door ' * (number % 5)}" for number in range(12)]


@pytest.mark.parametrize(("temperature", "top_k"), [(1.0, None), (0.5, None), (2.0, 3)])
def test_tokens_are_drawn_by_their_probability(temperature: float, top_k: int | None) -> None:
    """The frequencies of 20,000 draws, by the statistic of chi squared with 5 degrees of freedom at most."""
    scores = torch.tensor([0.1, 2.0, -1.0, 0.5, 1.0, 0.0], dtype=torch.float64).log_softmax(0)
    draws = 20_000
    noise = GumbelNoise([[row] for row in range(draws)], Sampling(7, temperature, top_k))
    found = Counter(noise(None, scores.expand(draws, -1)).argmax(1).tolist())
    logits = scores / temperature
    if top_k is not None:
        logits = logits.masked_fill(logits < logits.topk(top_k).values[-1], -math.inf)
    expected = logits.softmax(0) * draws
    assert {token for token, number in enumerate(expected) if number == 0}.isdisjoint(found)
    statistic = sum(
        (found[token] - float(number)) ** 2 / float(number) for token, number in enumerate(expected) if number
    )
    assert statistic < 20.5  # less in 999 of 1,000 cases


def test_a_line_is_drawn_alike_in_any_batch_and_order(
    talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast
) -> None:
    model = talker()
    sources = encode(toy_tokenizer, LINES)

    def drawn(seed: int, cut: list[list[int]]) -> list[str]:
        found = translate_batches(by_sampling(model, toy_tokenizer, Sampling(seed)), sources, cut)
        return [found[place][0].text for place in range(len(LINES))]

    alone = drawn(1, [[place] for place in range(12)])
    assert drawn(1, [list(range(12))]) == alone
    assert drawn(1, [[11, 3, 5], [0, 1, 2, 4], [10, 9, 8, 7, 6]]) == alone
    assert sum(one != other for one, other in zip(drawn(2, [list(range(12))]), alone, strict=True)) > 6
    assert sum(one != other for one, other in zip(translate(model, toy_tokenizer, LINES), alone, strict=True)) > 6


def test_the_coldest_and_the_narrowest_draw_is_greedy_search(
    talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast
) -> None:
    model = talker()
    sources, whole = encode(toy_tokenizer, LINES), [list(range(12))]
    greedy = translate(model, toy_tokenizer, LINES, num_beams=1)
    for sampling in (Sampling(0, 1e-9), Sampling(0, 1.0, 1)):
        found = translate_batches(by_sampling(model, toy_tokenizer, sampling), sources, whole)
        assert [found[place][0].text for place in range(12)] == greedy


def test_the_command_draws_and_refuses_what_it_does_not_know(
    talker_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text"
    text.write_text("".join(f"{line}\n" for line in LINES))
    asked = ["translate", str(talker_folder), "--input", str(text)]

    def said(*more: str) -> bytes:
        assert main([*asked, "--output", str(tmp_path / "out"), *more]) == 0
        return (tmp_path / "out").read_bytes()

    drawn = said("--sample", "--seed", "3", "--top_k", "20")
    assert said("--sample", "--seed", "3", "--top_k", "20", "--tokens_per_batch", "1") == drawn
    assert drawn.count(b"\n") == 12
    assert drawn != said("--sample", "--seed", "4", "--top_k", "20") != said()
    for more, message in (
        (["--seed", "1"], "--temperature, --top_k and --seed are of --sample"),
        (["--sample", "--n_best", "2", "--format", "tsv"], "without a search: leave out --n_best\n"),
        (["--sample", "--beams", "4", "--length_penalty", "0.6"], "search: leave out --beams and --length_penalty\n"),
    ):
        assert main([*asked, *more]) == 2
        assert message in capsys.readouterr().err
    assert main(["translate", *[str(talker_folder)] * 2, "--sample"]) == 2
    assert "without a search: leave out all models but one\n" in capsys.readouterr().err


def test_what_is_no_temperature_is_refused() -> None:
    for wrong in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="--temperature is"):
            check_sampling(Sampling(0, wrong))
