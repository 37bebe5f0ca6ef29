"""Pictures show the numbers that they were given, and `vaswani plot` writes each as PNG and SVG."""

import contextlib
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex, to_rgba
from sacrebleu.metrics.bleu import BLEU
from transformers import PreTrainedTokenizerFast

from vaswani.commands import main
from vaswani.commands.plot import history, names_apart
from vaswani.data.tokenizer import learn_tokenizer
from vaswani.evaluation.by_length import FEWEST, bleu_by_length, lengths_in_buckets
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.modeling.modeling_vaswani import sinusoidal_positions
from vaswani.plots import (
    Bucket,
    draw_attention_lines,
    draw_attention_maps,
    draw_bleu_by_length,
    draw_learning_curve,
    draw_learning_curves,
    draw_pair_lengths,
    draw_positional_encoding,
    draw_schedule,
    save,
)
from vaswani.plots.attention_lines import FAINTEST
from vaswani.plots.style import COLOURS
from vaswani.training.checkpointing.checkpoints import MANIFEST
from vaswani.translation.attention import attentions
from vaswani.translation.token_text import tokens_as_words

HISTORY: list[dict[str, Any]] = [
    {"step": 10, "loss": 5.0},
    {"step": 20, "loss": 4.0, "learning_rate": 1e-3},
    {"step": 20, "eval_loss": 3.5, "eval_bleu": 12.0},
    {"step": 30, "loss": 3.0},
]


def drawn(stem: Path, *args: str | Path) -> None:
    """Run `vaswani plot` and check that both files are pictures."""
    assert main(["plot", *map(str, args), "--output", str(stem)]) == 0
    assert stem.with_suffix(".png").read_bytes().startswith(b"\x89PNG\r\n")
    assert "<svg" in stem.with_suffix(".svg").read_text(encoding="utf-8")


def refused(capsys: pytest.CaptureFixture[str], *args: str | Path) -> str:
    assert main(["plot", *map(str, args)]) == 2
    return capsys.readouterr().err


# Section 3.5, equation 3, learning


def test_positional_encodings_are_shown_whole_and_by_halves() -> None:
    encoding = sinusoidal_positions(torch.arange(30), 16).numpy()
    figure = draw_positional_encoding(encoding)
    whole, sines, cosines = (np.asarray(axes.images[0].get_array()) for axes in figure.axes[:3])
    assert np.array_equal(whole, encoding)
    assert np.array_equal(sines, encoding[:, 0::2])
    assert np.array_equal(cosines, encoding[:, 1::2])


def test_positions_and_schedule_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn(tmp_path / "new" / "positions", "positions", "--d_model", "16", "--length", "20")
    drawn(tmp_path / "schedule", "schedule", "--networks", "512:40", "--max_steps", "100")
    capsys.readouterr()
    assert "d_model is 7" in refused(capsys, "positions", "--d_model", "7")
    assert "'512' is no network" in refused(capsys, "schedule", "--networks", "512")
    assert "'512:0' is no network" in refused(capsys, "schedule", "--networks", "512:0")


def test_the_schedule_is_equation_3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr("vaswani.plots.save", lambda figure, stem: seen.update(figure=figure) or [stem])
    assert (
        main(["plot", "schedule", "--networks", "64:40", "16:10", "--max_steps", "90", "--output", str(tmp_path / "a")])
        == 0
    )
    curves = [line for line in seen["figure"].axes[0].lines if len(line.get_xydata()) > 1]
    for line, (d_model, warmup) in zip(curves, [(64, 40), (16, 10)], strict=True):
        expected = [d_model**-0.5 * min(step**-0.5, step * warmup**-1.5) for step in range(1, 91)]
        assert list(line.get_xdata()) == list(range(1, 91))
        assert np.allclose(line.get_ydata(), expected)


def test_learning_curves_show_every_logged_point() -> None:
    figure: Any = draw_learning_curves({"a": HISTORY, "b": HISTORY[:2]})
    points = [[[tuple(point) for point in line.get_xydata()] for line in axes.lines] for axes in figure.axes]
    assert points == [
        [[(10, 5.0), (20, 4.0), (30, 3.0)], [(10, 5.0), (20, 4.0)]],
        [[(20, 3.5)], []],
        [[(20, 12.0)], []],
    ]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    with pytest.raises(ValueError, match="a, b: the log has no loss and no validation"):
        draw_learning_curves({"a": [], "b": [{"step": 1}]})


def test_one_run_has_its_losses_and_its_bleu() -> None:
    figure: Any = draw_learning_curve(HISTORY, "run")
    left, right = figure.axes
    assert [len(line.get_xydata()) for line in (*left.lines, *right.lines)] == [3, 1, 1]


def test_names_of_users_are_shown_as_they_are(tmp_path: Path) -> None:
    """No $ begins a formula, no _ hides a run, and the ninth run has a stroke of its own."""
    names = ["cost$a^$", "_old", *map(str, range(7))]
    figure = draw_learning_curves(dict.fromkeys(names, HISTORY))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == names
    for axes in figure.axes:
        assert len({(line.get_color(), line.get_linestyle()) for line in axes.get_lines()}) == len(names)
    save(figure, tmp_path / "curves")
    save(draw_learning_curve(HISTORY, "runs/lr_$1_$2"), tmp_path / "curve")
    bucket = Bucket(1, 5, 10, 20.0, 1.0)
    lengths = draw_bleu_by_length({"_a": [bucket], "b$^$": [bucket]})
    assert [text.get_text() for text in lengths.axes[0].get_legend().get_texts()] == ["_a", "b$^$"]  # type: ignore[union-attr]
    save(lengths, tmp_path / "lengths")
    save(draw_pair_lengths({"source": np.array([1, 2])}, "dat$a^$"), tmp_path / "pairs")


def test_letters_that_no_font_has_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save(draw_learning_curve(HISTORY, "\U00013000 and a"), tmp_path / "old")
    assert [record.message for record in caplog.records] == [
        f"No font here has \U00013000: they are shown as boxes in {tmp_path / 'old'}. "
        "Install one, such as Noto Sans CJK"
    ]


def test_a_dot_is_drawn_only_where_the_rate_has_fallen_again() -> None:
    figure = draw_schedule({"ends": np.array([1.0, 2.0, 1.5]), "goes on": np.array([1.0, 2.0, 3.0])})
    dots = [np.asarray(line.get_xdata()).tolist() for line in figure.axes[0].get_lines() if line.get_marker() == "o"]
    assert dots == [[2]]


def test_where_pictures_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", "schedule", "--max_steps", "9", "--output", str(tmp_path / "rate.png")]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"rate.png", "rate.svg"}
    assert f"is a folder; name the pictures in it, such as {tmp_path / 'schedule'}" in refused(
        capsys, "schedule", "--output", tmp_path
    )


def test_runs_are_named_by_what_tells_them_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [tmp_path / "one" / "run", tmp_path / "two" / "run"]
    for run in runs:
        run.mkdir(parents=True)
        (run / "history.json").write_text(json.dumps(HISTORY))
    assert names_apart(runs) == ["one/run", "two/run"]
    assert names_apart(runs[:1]) == ["run"]
    with contextlib.chdir(runs[0]):
        assert names_apart([Path()]) == ["run"]
        assert names_apart([Path(), runs[1]]) == ["one/run", "two/run"]
    drawn(tmp_path / "curves", "curves", *runs)
    capsys.readouterr()
    assert "named twice" in refused(capsys, "curves", runs[0], runs[0])
    assert "no history.json and no checkpoint" in refused(capsys, "curves", tmp_path)
    (runs[0] / "history.json").write_text("[{")
    assert f"{runs[0] / 'history.json'} is damaged" in refused(capsys, "curves", runs[0])


def test_the_curves_of_a_run_under_way_are_those_of_its_newest_checkpoint(tmp_path: Path) -> None:
    for step, is_whole in {900: True, 1000: True, 1100: False}.items():
        (folder := tmp_path / f"checkpoint-{step}").mkdir()
        (folder / "trainer_state.json").write_text(json.dumps({"log_history": [{"step": step, "loss": 1.0}]}))
        if is_whole:
            (folder / MANIFEST).touch()
    assert history(str(tmp_path)) == [{"step": 1000, "loss": 1.0}]
    (tmp_path / "history.json").write_text(json.dumps(HISTORY))
    assert history(str(tmp_path)) == HISTORY


# Attention


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return learn_tokenizer(["the cat sat on the mat and the dog sat by the door"] * 3, 280, show_progress=False)


@pytest.fixture(scope="module")
def model(tokenizer: PreTrainedTokenizerFast) -> VaswaniForConditionalGeneration:
    torch.manual_seed(0)
    config = VaswaniConfig(
        vocab_size=len(tokenizer), d_model=16, d_ff=32, num_heads=2, encoder_layers=3, decoder_layers=2
    )
    return VaswaniForConditionalGeneration(config).eval()


def test_attention_is_of_every_layer_and_kind(
    model: VaswaniForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    with torch.inference_mode():
        encoder, decoder, cross = attentions(model, tokenizer, [[5, 6, 7, 3]], [[8, 9, 3]])
    assert [each.shape for each in encoder] == [(1, 2, 4, 4)] * 3
    assert [each.shape for each in decoder] == [(1, 2, 3, 3)] * 2
    assert [each.shape for each in cross] == [(1, 2, 3, 4)] * 2
    for each in (*encoder, *decoder, *cross):
        torch.testing.assert_close(each.sum(-1), torch.ones(each.shape[:-1]))
    assert all(each.triu(1).count_nonzero() == 0 for each in decoder)  # the future is hidden
    assert encoder[0].triu(1).count_nonzero() > 0


def test_lines_are_as_many_and_as_strong_as_the_weights() -> None:
    weights = np.random.default_rng(0).dirichlet([0.3] * 5, (3, 4))  # [H, Q, K]
    figure = draw_attention_lines(weights, list("abcd"), list("vwxyz"), ["1", "2", "3"], "title")
    panels = [axes for axes in figure.axes if axes.get_visible()]
    for head, axes in enumerate(panels):
        lines: Any = axes.collections[0]
        seen = {
            (round(start[0] + 1.5), round(end[0] + 2)): colour
            for (start, end), colour in zip(lines.get_segments(), lines.get_colors(), strict=True)
        }
        strong = {(q, k) for q in range(4) for k in range(5) if weights[head, q, k] >= FAINTEST}
        assert seen.keys() == strong
        assert all(to_rgba(colour)[3] == pytest.approx(weights[head][place]) for place, colour in seen.items())
        assert {to_hex(colour).upper() for colour in seen.values()} == {COLOURS[head]}
        assert [text.get_text() for text in axes.texts] == [*"abcd", *"vwxyz", str(head + 1)]


def test_heads_together_leave_what_does_not_look_paler() -> None:
    weights = np.zeros((2, 3, 3))
    weights[:, 1] = 1 / 3
    figure = draw_attention_lines(weights, list("abc"), list("abc"), ["1", "2"], "title", together=True)
    [axes] = figure.axes
    assert [text.get_color() for text in axes.texts] == ["0.65", "black", "0.65", "black", "black", "black"]
    assert sum(len(each.get_segments()) for each in axes.collections if isinstance(each, LineCollection)) == 6


@pytest.mark.parametrize("heads", [1, 2, 5, 8, 16])
def test_maps_show_each_head_and_take_any_text(heads: int, tmp_path: Path) -> None:
    weights = np.random.default_rng(0).dirichlet([1.0] * 3, (heads, 4))
    names = [f"head {head}" for head in range(heads)]
    figure = draw_attention_maps(weights, ["$", "a_{", "▁", "</s>"], ["$x$", "\\", "ü"], names, "$ {")
    save(figure, tmp_path / "maps")  # a formula would fail here
    shown = [axes for axes in figure.axes if axes.images and axes.get_visible()]
    assert len(shown) == heads
    for head, axes in enumerate(shown):
        assert np.array_equal(np.asarray(axes.images[0].get_array()), weights[head])
        assert axes.get_xlabel() == f"head {head}"
    assert [label.get_text() for label in shown[0].get_xticklabels()] == ["$x$", "\\", "ü"]
    assert [label.get_text() for label in shown[0].get_yticklabels()] == ["$", "a_{", "▁", "</s>"]


def test_symbols_read_as_words(tokenizer: PreTrainedTokenizerFast) -> None:
    words = tokens_as_words(tokenizer, tokenizer("the dogs, ok").input_ids)
    assert words[0] == "the"
    assert words[-1] == "</s>"
    assert "".join(words[:-1]).replace("·", "").replace("▁", "") == "thedogs,ok"
    assert "," in words
    assert any(each.startswith("·") for each in words)
    assert tokens_as_words(tokenizer, tokenizer("狗").input_ids) == ["▁", "\\xe7", "\\x8b", "\\x97", "</s>"]


def test_attention_of_a_saved_model_is_drawn(
    model: VaswaniForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "model"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    given: list[str | Path] = ["attention", folder, "--text", "the cat sat"]
    drawn(tmp_path / "lines", *given)
    assert "Translated: " in capsys.readouterr().out
    given += ["--translation", "the dog"]
    drawn(tmp_path / "maps", *given, "--as", "maps", "--kind", "decoder", "--layer", "1", "--heads", "2")
    drawn(tmp_path / "some", *given, "--kind", "encoder", "--tokens", "1", "2")
    assert "Translated" not in capsys.readouterr().out
    assert "no layer 3; there are 1 to 2" in refused(capsys, *given, "--layer", "3")
    assert "no head 3; there are 1 to 2" in refused(capsys, *given, "--heads", "3")
    assert "no token 99" in refused(capsys, *given, "--tokens", "99")
    assert "--tokens chooses lines" in refused(capsys, *given, "--tokens", "1", "--as", "maps")
    for blank in (" ", "\u200b", "\ufeff\u00ad"):
        assert "--text is empty" in refused(capsys, "attention", folder, "--text", blank)
    assert "tokens, and a picture holds 256" in refused(capsys, "attention", folder, "--text", "x y " * 99)
    VaswaniForConditionalGeneration(
        VaswaniConfig(**model.config.to_dict() | {"positions": "learned", "max_positions": 9})
    ).save_pretrained(folder)
    drawn(tmp_path / "learned", "attention", folder, "--text", "the cat", "--translation", "x y z x y z")


# BLEU by length


@given(lengths=st.lists(st.integers(0, 60), min_size=1, max_size=90), width=st.integers(1, 20))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # nothing is timed here
def test_buckets_take_every_sentence_once_and_are_large_enough(lengths: list[int], width: int) -> None:
    buckets = lengths_in_buckets(lengths, width)
    held = [sum(shortest <= each <= longest for each in lengths) for shortest, longest in buckets]
    assert sum(held) == len(lengths)
    assert len(buckets) == 1 or min(held) >= FEWEST
    assert all(before[1] + 1 == after[0] for before, after in pairwise(buckets))


def sentences(count: int, words: int) -> list[str]:
    return [" ".join(f"w{(place * 7 + word) % 50}" for word in range(words)) for place in range(count)]


def test_bleu_of_a_bucket_is_that_of_its_sentences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = sentences(25, 4) + sentences(30, 9)
    wrong: Sequence[str] = [each.replace("w1", "x") for each in sources]
    short, long = bleu_by_length(sources, sources, wrong, 5, samples=10)
    assert (short.shortest, short.longest, short.sentences) == (1, 5, 25)
    assert (long.shortest, long.longest, long.sentences) == (6, 10, 30)
    for found, part in ((short, slice(25)), (long, slice(25, None))):
        expected = BLEU().corpus_score(wrong[part], [sources[part]], n_bootstrap=10)
        assert found.bleu == expected.score
        assert f"± {found.interval:.3f})" in expected.format(width=3)  # 10 draws on the bucket's own lines
        assert 0 < found.interval < 20
    figure = draw_bleu_by_length({"a": [short, long], "b": [short, long]})
    assert [label.get_text() for label in figure.axes[1].get_xticklabels()] == ["1–5", "6–10"]
    for name, lines in (("source", sources), ("wrong", wrong), ("few", sources[:3])):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines))
    files: list[str | Path] = [
        "--sources",
        tmp_path / "source",
        "--references",
        tmp_path / "source",
        "--hypotheses",
        tmp_path / "wrong",
    ]
    drawn(tmp_path / "lengths", "lengths", *files)
    capsys.readouterr()
    assert "need as many different --names" in refused(capsys, "lengths", *files, "--names", "a", "b")
    files[1] = tmp_path / "few"
    assert "3 sources and 55 references" in refused(capsys, "lengths", *files)


# All pictures


def test_the_same_picture_is_the_same_file_whatever_the_users_style(tmp_path: Path) -> None:
    before = mpl.rcParams["font.size"]
    save(draw_learning_curves({"a": HISTORY}), tmp_path / "one")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.hashsalt": "other"}):
        save(draw_learning_curves({"a": HISTORY}), tmp_path / "two")
        assert mpl.rcParams["font.size"] == 30
    assert mpl.rcParams["font.size"] == before
    for suffix in ("png", "svg"):
        assert (tmp_path / f"one.{suffix}").read_bytes() == (tmp_path / f"two.{suffix}").read_bytes()


def test_table_3_needs_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is not a folder" in refused(capsys, "table3", tmp_path / "none")
    assert "no finished run of table 3" in refused(capsys, "table3", tmp_path)
