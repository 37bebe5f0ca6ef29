"""What the page of a model says of its training, and the sentences it offers: from the run's own records and text."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toy_language import sentence

from vaswani.commands import main
from vaswani.commands.demo import is_own
from vaswani.experiment import Recipe, parse, run
from vaswani.experiment.model_origin import model_origin
from vaswani.experiment.training_sentences import LARGEST, training_sentences
from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.publishing import model_card, read_records

RECIPE = Recipe(
    "A run of some steps.",
    model={
        "vocab_size": 300,
        "d_model": 8,
        "d_ff": 16,
        "num_heads": 2,
        "encoder_layers": 1,
        "decoder_layers": 1,
    },
    data={"tokens_per_batch": 512, "direction": "en-nds"},
    training={
        "output_dir": "named on the command line",
        "max_steps": 3,
        "save_steps": 1,
        "eval_steps": 3,
        "warmup_steps": 2,
        "report_to": "none",
        "disable_tqdm": True,
        "test_beams": 1,
    },
)


class Trained:
    """A run, its text, and its settings."""

    def __init__(self, folder: Path, *flags: str) -> None:
        draw = random.Random(1)
        self.text, self.run = folder / "my_text", folder / "run"
        self.text.mkdir()
        for split, size in (("train", 300), ("val", 4), ("test", 4)):
            pairs = [sentence(draw) for _ in range(size)]
            for side, language in enumerate(("en", "nds")):
                lines = "".join(pair[side] + "\n" for pair in pairs)
                (self.text / f"{split}.{language}").write_text(lines, encoding="utf-8")
        run(parse(RECIPE, ["--data_dir", str(self.text), "--output_dir", str(self.run), *flags]))

    def lines(self, name: str) -> list[str]:
        return (self.text / name).read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def deduplicated(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Its training text is not the file as it stands."""
    return Trained(tmp_path_factory.mktemp("deduplicated"), "--drop_duplicates", "--direction", "nds-en")


def examples(folder: Path, fits: Callable[[str], bool] = lambda _: True) -> list[str]:
    found = model_origin(folder)
    return [] if found.run is None else training_sentences(found.run, 5, fits)


def test_sentences_are_of_the_side_that_the_model_reads(trained: Trained, deduplicated: Trained) -> None:
    for each, name in ((trained, "train.en"), (deduplicated, "train.nds")):
        found = examples(each.run)
        assert len(found) == 5
        assert set(found) <= set(each.lines(name))
        assert found == sorted(found, key=len)
    assert all(len(text) < 25 for text in examples(trained.run, lambda text: len(text) < 25))
    assert examples(trained.run, lambda _: False) == []


def test_nothing_of_the_text_is_kept_for_it(trained: Trained) -> None:
    shown = [text for text in examples(trained.run) if text not in trained.lines("test.en")]
    assert shown
    for path in (path for path in trained.run.rglob("*") if path.suffix in (".json", ".txt", ".md")):
        if path.name != "tokenizer.json":
            content = path.read_text(encoding="utf-8")
            assert not [text for text in shown if text in content], path


def test_where_the_text_is_gone_or_another_there_are_none(trained: Trained) -> None:
    """A folder of the same name may hold anything by now, such as a colleague's letters."""
    moved = trained.text.rename(trained.text.with_name("moved"))
    try:
        assert examples(trained.run) == []
        shutil.copytree(moved, trained.text)
        assert len(examples(trained.run)) == 5
        for language in ("en", "nds"):
            with (trained.text / f"train.{language}").open("a", encoding="utf-8") as file:
                file.write("Private.\n")
        assert examples(trained.run) == []
        shutil.rmtree(trained.text)
        trained.text.write_text("a file")
        assert examples(trained.run) == []
        trained.text.unlink()
    finally:
        moved.rename(trained.text)


def test_runs_of_earlier_versions_are_known_by_their_checkpoints(trained: Trained, tmp_path: Path) -> None:
    old = shutil.copytree(trained.run, tmp_path / "old")
    record = json.loads((old / "run.json").read_text(encoding="utf-8"))
    del record["training_text"]
    (old / "run.json").write_text(json.dumps(record), encoding="utf-8")
    assert len(examples(old)) == 5
    for checkpoint in old.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)
    assert examples(old) == []


def test_a_text_too_large_to_make_sure_of_is_left_alone(trained: Trained) -> None:
    with (trained.text / "train.more").open("wb") as file:
        file.truncate(LARGEST)
    try:
        assert examples(trained.run) == []
    finally:
        (trained.text / "train.more").unlink()


def test_the_page_tells_what_a_run_was_trained_on(trained: Trained) -> None:
    metrics = json.loads((trained.run / "metrics.json").read_text(encoding="utf-8"))
    first, second = model_origin(trained.run).as_text
    assert first == f"Trained from `en` to `nds` on `my_text`: 300 pairs, 3 steps, ended on {metrics['ended_on']}."
    assert second.startswith("`test`: sacreBLEU ")
    assert str(trained.text.parent) not in first + second


def test_a_checkpoint_is_told_as_one(trained: Trained) -> None:
    found = model_origin(trained.run / "checkpoint-2")
    assert found.as_text == ["Trained from `en` to `nds` on `my_text`.", "A checkpoint of that run, at step 2."]
    assert len(examples(trained.run / "checkpoint-2")) == 5


def test_an_average_tells_what_it_is_made_of(trained: Trained, tmp_path: Path) -> None:
    assert main(["average", str(trained.run), "--last", "2", "--output", str(tmp_path / "mean")]) == 0
    assert model_origin(tmp_path / "mean").as_text == [
        "Trained from `en` to `nds` on `my_text`.",
        "The average of 2 checkpoint(s): `run/checkpoint-2`, `run/checkpoint-3`.",
    ]
    assert len(examples(tmp_path / "mean")) == 5
    (tmp_path / "mean" / "tokenizer.json").write_text("{}")  # the run at that path is not the one it was made of
    assert model_origin(tmp_path / "mean").run is None
    assert examples(tmp_path / "mean") == []


def test_an_import_tells_where_it_is_from(tmp_path: Path) -> None:
    record = {"source": "opus-mt", "format": "Marian", "notes": []}
    (tmp_path / "import.json").write_text(json.dumps(record), encoding="utf-8")
    assert model_origin(tmp_path) == (["Imported from `opus-mt` (Marian)."], None)


def test_what_was_pushed_tells_what_its_card_does(trained: Trained, tmp_path: Path) -> None:
    card = model_card("ann/small", *read_records(trained.run), {})
    (tmp_path / "README.md").write_text(card, encoding="utf-8")
    first, second = model_origin(tmp_path).as_text
    assert first == "By its card: `Translation en-nds`; trained on `text-files`."
    assert second.startswith("`test`: sacreBLEU ")
    assert examples(tmp_path) == []
    (tmp_path / "README.md").write_text("---\nlanguage: [en, de]\ndatasets: a/b\n---\n", encoding="utf-8")
    assert model_origin(tmp_path).as_text == ["By its card: `languages en, de`; trained on `a/b`."]
    for other in ("---\nlanguage: en\nmodel-index: 3\n---\n", "---\n- a\n---\n", "Words.\n", "---\nx: [\n---\n"):
        (tmp_path / "README.md").write_text(other, encoding="utf-8")
        assert "trained on" not in " ".join(model_origin(tmp_path).as_text)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"data": {"direction": "x"}}', '{"data": 1'])
def test_records_that_are_none_keep_no_page_from_opening(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    [said] = model_origin(tmp_path).as_text
    assert "cannot be read" in said
    assert examples(tmp_path) == []


def test_a_model_without_records_has_nothing_told(
    tiny_model: Callable[..., VaswaniForConditionalGeneration], tmp_path: Path
) -> None:
    tiny_model().save_pretrained(tmp_path)
    assert model_origin(tmp_path) == ([], None)


def test_names_are_shown_as_they_are(trained: Trained, tmp_path: Path) -> None:
    record: dict[str, Any] = json.loads((trained.run / "run.json").read_text(encoding="utf-8"))
    record["data"]["data_dir"] = "/private/a_b <i>`c`\udce9"
    (tmp_path / "run.json").write_text(json.dumps(record), encoding="utf-8")
    assert model_origin(tmp_path).as_text == ["Trained from `en` to `nds` on `a_b <i>'c'\\xe9`."]


@pytest.mark.parametrize(
    ("host", "own"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("10.0.0.7", False)]
)
def test_who_else_sees_the_page_is_known(host: str, own: bool) -> None:
    assert is_own(host) is own
