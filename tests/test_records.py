"""Records are read and written in one place each: what they hold, what older runs left, and what cannot be read."""

import ast
import json
from dataclasses import FrozenInstanceError, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_house import ROOT, cloned_files
from transformers import TrainingArguments

from vaswani.data.position import PositionRecord, read_position
from vaswani.experiment.arguments import MODEL_FIELDS, Recipe, parse
from vaswani.experiment.data_arguments import DataArguments
from vaswani.experiment.run_folder import describe
from vaswani.publishing import METRICS, RUN, MetricsRecord, RunRecord, model_card, read_metrics, read_records, read_run
from vaswani.publishing.average_record import AVERAGE, PartRecord, average_as_text, read_average
from vaswani.publishing.derived_model import leaves
from vaswani.publishing.import_record import IMPORTED, ImportRecord, read_import, write_import
from vaswani.publishing.metrics_record import as_earlier
from vaswani.publishing.run_record import DataRecord, NetworkRecord, TrainingRecord, write_run
from vaswani.storage.records import REST, as_json, from_json, read_record, write_record
from vaswani.training import VaswaniTrainingArguments
from vaswani.training.checkpointing.checkpoints import MANIFEST, Manifest, checkpoint_fault, read_manifest, seal
from vaswani.training.checkpointing.resuming import SINCE_LOG, SinceLog, read_since_log
from vaswani.training.renamed import rename_fields

OLD: dict[str, Any] = json.loads((Path(__file__).parent / "old_run.json").read_text(encoding="utf-8"))
"""What the four files held before records had a version, of a run of four steps on made-up words."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    for name, value in OLD.items():
        (tmp_path / name).write_text(json.dumps(value), encoding="utf-8")
    return tmp_path


@dataclass(frozen=True)
class Inner:
    number: float
    names: tuple[str, ...] = ()
    pair: tuple[int, str] | None = None


@dataclass(frozen=True)
class Outer:
    VERSION: ClassVar[int] = 3

    inner: Inner
    by_name: dict[str, Inner]
    flag: bool = False
    rest: dict[str, Any] = field(default_factory=dict, metadata=REST)
    version: int = VERSION


INNERS = st.builds(
    Inner,
    st.floats(allow_nan=False),
    st.lists(st.text()).map(tuple),
    st.none() | st.tuples(st.integers(), st.text()),
)


@given(
    st.builds(Outer, INNERS, st.dictionaries(st.text(), INNERS), st.booleans(), st.just({"other": [1, {"a": None}]}))
)
def test_what_is_written_is_read_back(record: Outer) -> None:
    assert from_json(Outer, json.loads(json.dumps(as_json(record))), "file") == record


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"by_name": {}}, "some.json lacks inner;"),
        ({"inner": {}, "by_name": {}}, "some.json lacks inner.number;"),
        (
            {"inner": {"number": 1}, "by_name": {"x": {"number": "1"}}},
            "by_name.x.number is '1' and must be of the type",
        ),
        ({"inner": {"number": True}, "by_name": {}}, "inner.number is True and must be of the type float"),
        ({"inner": {"number": 1, "names": ["a", 2]}, "by_name": {}}, "inner.names[1] is 2 and must be"),
        ({"inner": {"number": 1, "pair": [1]}, "by_name": {}}, "inner.pair is [1] and must be"),
        ({"inner": {"number": 1}, "by_name": {}, "flag": 1}, "flag is 1 and must be of the type bool"),
        ({"inner": [], "by_name": {}}, "inner is [] and must be of the type Inner"),
        ([], "some.json: what it holds is [] and must be of the type Outer"),
        ({"version": 4}, "some.json is of version 4, and this version of vaswani reads versions up to 3; update"),
        ({"version": "1"}, "is of version '1'"),
    ],
)
def test_what_does_not_fit_is_named_with_its_file(tmp_path: Path, found: Any, words: str) -> None:
    (tmp_path / "some.json").write_text(json.dumps(found))
    with pytest.raises(ValueError, match=r"some\.json") as caught:
        read_record(Outer, tmp_path / "some.json")
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", '{"inner": '])
def test_a_file_that_was_cut_off_is_named(tmp_path: Path, text: str) -> None:
    for name, read in ((RUN, read_run), (METRICS, read_metrics)):
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=rf"{name} is damaged .*was it truncated\?"):
            read(tmp_path)


def test_old_files_are_read(old: Path) -> None:
    run, metrics = read_records(old)
    run_json, measured = OLD[RUN], OLD[METRICS]
    assert run_json["training"]["learning_rate"] == 5e-5, "which nothing used"
    assert (run_json["training"]["peak_learning_rate"], run_json["training"]["warmup_steps"]) == (None, 3)
    assert run.training.peak_learning_rate == pytest.approx((run_json["model"]["d_model"] * 3) ** -0.5)
    assert "learning_rate" not in as_json(run.training)
    assert run.data == from_json(DataRecord, rename_fields(run_json["data"]), "")
    assert (run.version, metrics.version) == (1, 1)
    for name, value in measured.items():
        held = as_json(metrics)[name]
        assert held == value or {key: held[key] for key in value} == value or name == "scored_pairs", name
    assert metrics.scored_pairs["test"].kept == measured["scored_pairs"]["test"]["kept"]
    assert as_earlier(metrics).test == metrics.test
    position = read_position(old / "stream.json")
    assert as_json(position) == OLD["stream.json"] | {"version": 1}
    since = read_since_log(old)
    assert since == SinceLog(**(OLD[SINCE_LOG] | {"losses": tuple(OLD[SINCE_LOG]["losses"])}))
    card = model_card("ann/model", run, metrics, {})
    assert f"{metrics.steps:,} steps" in card
    assert metrics.chosen in card


def test_still_older_files_lack_much(old: Path) -> None:
    """What runs had before overlaps, remarks and the day were recorded."""
    run, metrics = (json.loads((old / name).read_text()) for name in (RUN, METRICS))
    for name in ("hardware", "training_text"):
        run.pop(name, None)
    for name in ("line_breaks", "user_symbols", "widths", "drop_test_text"):
        del run["data"][name]
    for name in ("scored_pairs", "test_text_in_training", "ended_on", "not_scored", "left_out", "remarks", "earlier"):
        del metrics[name]
    (old / RUN).write_text(json.dumps(run))
    (old / METRICS).write_text(json.dumps(metrics))
    card = model_card("ann/model", *read_records(old), {})
    assert "- Hardware: not recorded" in card
    assert read_run(old).data.line_breaks is None
    position = {name: value for name, value in OLD["stream.json"].items() if name != "edition"}
    assert from_json(PositionRecord, position, "").edition == 1


def test_a_run_records_what_runs(tmp_path: Path) -> None:
    recipe = Recipe("", {"d_model": 64}, {"dataset": "grammar"}, {"output_dir": str(tmp_path), "warmup_steps": 100})
    record = describe(parse(recipe, []))
    assert record.training.peak_learning_rate == pytest.approx(64**-0.5 * 100**-0.5)
    held = as_json(record)["training"]
    assert "learning_rate" not in held
    defaults = {each.name: each.default for each in fields(TrainingArguments)}
    named = {each.name for each in fields(TrainingRecord)}
    others, ours = record.training.others, VaswaniTrainingArguments.__annotations__
    assert [name for name, value in others.items() if name not in ours and value == defaults[name]] == []
    assert {"warmup_steps", "seed", "batches_per_step", "max_grad_norm"} <= named & held.keys()
    record = describe(parse(recipe, ["--peak_learning_rate", "0.5", "--hub_token", "hf_x", "--optim", "sgd"]))
    assert record.training.peak_learning_rate == 0.5
    assert record.training.others["optim"] == "sgd"
    assert "hf_x" not in json.dumps(as_json(record))
    write_run(tmp_path, record)
    assert read_run(tmp_path) == record


def test_records_have_a_field_for_every_flag() -> None:
    assert {each.name for each in fields(DataRecord)} == {each.name for each in fields(DataArguments)} | {"others"}
    assert {each.name for each in fields(NetworkRecord)} == {*MODEL_FIELDS, "others"}


@pytest.mark.parametrize(
    "kind", [RunRecord, MetricsRecord, PositionRecord, SinceLog, PartRecord, ImportRecord, Manifest]
)
def test_records_are_frozen_and_have_a_version(kind: type) -> None:
    assert is_dataclass(kind)
    assert "version" in {each.name for each in fields(kind)}
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_a_record_of_a_newer_version_is_refused(old: Path, tmp_path: Path) -> None:
    record = read_run(old)
    write_record(tmp_path / RUN, replace(record, version=2))
    with pytest.raises(ValueError, match=r"run\.json is of version 2, and this version of vaswani reads .* up to 1"):
        read_run(tmp_path)
    with pytest.raises(FrozenInstanceError):
        record.command = ""  # type: ignore[misc]


OLD_IMPORT = {"source": "opus-mt", "format": "Marian", "notes": ["its weights are of 16 bits"]}
OF_A_RUN = {"checkpoint": "one/checkpoint-20", "share": 0.25, "validation_bleu": 31.25, "run": "/runs/one", "step": 20}
OF_THE_HUB = {"checkpoint": "ann/one@abc", "share": 0.5, "repository": "ann/one", "commit": "abc"}
IMPORTED_PART = {"checkpoint": "ours", "share": 0.5, "imported": OLD_IMPORT}
OLD_AVERAGE = [OF_A_RUN, {"checkpoint": "mean", "share": 0.75, "average": [OF_THE_HUB, IMPORTED_PART]}]
"""What these files held before they had a version."""


def without_versions(held: Any) -> Any:
    """Return what a file holds without the keys that it got with the versions."""
    if isinstance(held, dict):
        return {key: without_versions(each) for key, each in held.items() if key != "version"}
    return [without_versions(each) for each in held] if isinstance(held, list) else held


def test_an_old_average_is_read_and_its_keys_stay(tmp_path: Path) -> None:
    (tmp_path / AVERAGE).write_text(json.dumps(OLD_AVERAGE), encoding="utf-8")
    parts = read_average(tmp_path)
    of_run, of_hub, of_import = leaves(parts)
    assert (of_run.checkpoint, of_run.step, of_run.share) == ("one/checkpoint-20", 20, 0.25)
    assert of_run.validation == {"bleu": 31.25}
    assert (of_hub.repository, of_hub.commit, of_hub.share) == ("ann/one", "abc", 0.375)
    assert of_import.imported == ImportRecord("opus-mt", "Marian", ("its weights are of 16 bits",))
    written = json.loads(average_as_text(parts))
    assert without_versions(written) == OLD_AVERAGE
    assert [each["version"] for each in written] == [1, 1]
    assert read_average(tmp_path) == from_json(tuple[PartRecord, ...], written, "")


def test_an_old_import_is_read_and_its_keys_stay(tmp_path: Path) -> None:
    (tmp_path / IMPORTED).write_text(json.dumps(OLD_IMPORT), encoding="utf-8")
    record = read_import(tmp_path)
    assert record == ImportRecord("opus-mt", "Marian", ("its weights are of 16 bits",))
    write_import(tmp_path, record)
    assert json.loads((tmp_path / IMPORTED).read_text(encoding="utf-8")) == OLD_IMPORT | {"version": 1}
    assert read_import(tmp_path) == record


def test_an_old_list_of_checksums_is_read_and_todays_is_the_same(tmp_path: Path) -> None:
    """One that an older version writes and reads: a key of another kind would be a file to it, which is missing."""
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "model.bin").write_bytes(b"abc")
    old = {"weights/model.bin": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}  # FIPS 180, B.1
    (tmp_path / MANIFEST).write_text(json.dumps(old, indent=1), encoding="utf-8")
    assert checkpoint_fault(tmp_path) is None
    assert read_manifest(tmp_path).files == old
    (tmp_path / MANIFEST).unlink()
    seal(tmp_path)
    assert json.loads((tmp_path / MANIFEST).read_text(encoding="utf-8")) == old
    (tmp_path / "weights" / "model.bin").write_bytes(b"abd")
    assert checkpoint_fault(tmp_path) == "weights/model.bin was changed after it was saved"


def test_newer_versions_of_these_are_refused(tmp_path: Path) -> None:
    for name, held, read in (
        (AVERAGE, [{**OF_A_RUN, "version": 2}], read_average),
        (IMPORTED, {**OLD_IMPORT, "version": 2}, read_import),
        (MANIFEST, {"model.bin": "abc", "version": 1}, read_manifest),
    ):
        (tmp_path / name).write_text(json.dumps(held), encoding="utf-8")
        with pytest.raises(ValueError, match=rf"{name} is of version \d, and this version of vaswani reads"):
            read(tmp_path)


READERS = {"read_run", "read_metrics", "read_records", "read_position", "read_since_log", "describe", "read_average"}
READERS |= {"read_import", "read_manifest", "read_derived_model", "part_of", "leaves"}
FILES = {RUN, METRICS, "stream.json", SINCE_LOG, AVERAGE, IMPORTED, MANIFEST}


def test_no_key_of_a_record_is_read_by_a_string_outside_its_module() -> None:
    """Whatever a reader gave is asked by attributes; and no other reader opens these files."""
    found = []
    for file in cloned_files():
        if file.suffix != ".py" or file.parts[0] in {"tests", "findings"}:
            continue
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        records = {
            name.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and names_called(node.value) & READERS
            for target in node.targets
            for name in ast.walk(target)
            if isinstance(name, ast.Name)
        }
        for node in ast.walk(tree):
            match node:
                case ast.Subscript(ast.Name(name), ast.Constant(str()), ast.Load()) if name in records:
                    found.append(f"{file}:{node.lineno}: {ast.unparse(node)}")
            if isinstance(node, ast.Call) and names_called(node) & {"loads", "read_json"}:
                words = {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
                names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
                if words & FILES or names & {
                    "RUN",
                    "METRICS",
                    "POSITION",
                    "SINCE_LOG",
                    "AVERAGE",
                    "IMPORTED",
                    "MANIFEST",
                }:
                    found.append(f"{file}:{node.lineno}: {ast.unparse(node)}")
    # The Trainer hands the stream's position to the stream without a look into it.
    assert [each for each in found if not each.startswith("training/trainer.py")] == []


def names_called(node: ast.AST) -> set[str]:
    """Return the names of the functions that are called in an expression."""
    calls = (each.func for each in ast.walk(node) if isinstance(each, ast.Call))
    return {call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls}
