"""Probabilities of given translations: those of the network, whatever the batch; the command prints them as columns."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from vaswani.commands import main
from vaswani.translation.forced import judge_pairs, log_probabilities
from vaswani.translation.hypotheses import BeamSettings
from vaswani.translation.search import by_generate

MakeModel = Callable[..., Any]
SOURCES = ["the cat", "", "the dog sat by the door", " \t", "a", "the mat " * 9]
TARGETS = ["a cat sat", "no source", "", "x", "the cat sat on the mat and the dog", "über 12 😀"]


@pytest.mark.parametrize("budget", [1, 30, 4096])
def test_they_are_products_of_the_networks_probabilities(
    talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast, budget: int
) -> None:
    model = talker().train()
    found = judge_pairs(model, toy_tokenizer, SOURCES, TARGETS, budget)
    assert model.training
    model.eval()
    assert [place for place, each in enumerate(found) if each is None] == [1, 3]
    for source, target, each in zip(SOURCES, TARGETS, found, strict=True):
        if each is None:
            continue
        ids = toy_tokenizer(target).input_ids
        written = [model.config.decoder_start_token_id]
        log_p = 0.0
        for token in ids:  # one after the other
            with torch.no_grad():
                asked = {"input_ids": torch.tensor([toy_tokenizer(source).input_ids])}
                logits = model(**asked, decoder_input_ids=torch.tensor([written])).logits
            log_p += logits[0, -1].log_softmax(-1)[token].item()
            written.append(token)
        assert each.tokens == len(ids)
        assert each.log_p == pytest.approx(log_p, abs=1e-9)
        assert each.cross_entropy == pytest.approx(-log_p / len(ids), abs=1e-9)


def test_what_the_search_finds_is_judged_as_the_search_did(
    talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast
) -> None:
    model, source = talker(), toy_tokenizer(SOURCES[2]).input_ids
    [[best]] = by_generate(model, toy_tokenizer, BeamSettings(3, 0.0))([source])
    [output] = model.generate(torch.tensor([source]), num_beams=3, length_penalty=0.0).tolist()
    with torch.no_grad():
        log_p = log_probabilities(model, toy_tokenizer, [source], [output[1:]])
    assert best.score == pytest.approx(log_p.item(), abs=1e-6)


def test_the_command_prints_a_row_for_a_line(
    talker_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources, targets = tmp_path / "sources", tmp_path / "targets"
    sources.write_text("".join(f"{line}\n" for line in SOURCES), encoding="utf-8")
    targets.write_text("".join(f"{line}\n" for line in TARGETS), encoding="utf-8")
    asked = ["score", "--model", str(talker_folder)]
    texts = ["--sources", str(sources), "--hypotheses", str(targets)]
    assert main([*asked, *texts]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.split("\n")[-1 - len(SOURCES) : -1]]
    assert [row == ["", "", ""] for row in rows] == [False, True, False, True, False, False]
    for log_p, tokens, cross_entropy in (row for row in rows if row[0]):
        assert float(cross_entropy) == pytest.approx(-float(log_p) / int(tokens), abs=1e-4)
        assert math.isfinite(float(log_p))
    sources.write_text(f"{SOURCES[0]}\n{'a ' * 4096}\n{'b' * 2_000_000}\n{SOURCES[0]}\n", encoding="utf-8")
    targets.write_text(f"{TARGETS[0]}\n" * 4, encoding="utf-8")
    assert main([*asked, *texts]) == 0
    said = capsys.readouterr()
    assert said.out == "".join(f"{row}\n" for row in ["\t".join(rows[0]), "\t\t", "\t\t", "\t".join(rows[0])])
    assert "2 pair(s) with a text of more than 4,096 tokens have no figures, the first is pair 2; split" in said.err
    targets.write_text("one\n")
    assert main([*asked, *texts]) == 2
    assert f"{targets} ends behind line 1, and {sources} goes on" in capsys.readouterr().err
    for more, message in (
        (texts[2:], "give --sources FILE"),
        ([*texts, "--json"], "leave out --metrics, --as and --js"),
    ):
        assert main([*asked, *more]) == 2
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*asked, *texts, "--references", str(targets)])
    assert "not allowed with argument --model" in capsys.readouterr().err
