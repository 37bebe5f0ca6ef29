"""What a run trains on, from the flags: cleaned, without duplicates, mixed; what it is scored on stays as it is."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from vaswani.data import CleaningLimits, Drops, Pair, clean_pairs
from vaswani.experiment.arguments import Recipe, parse
from vaswani.experiment.corpora import cleaning_limits, open_training_corpus, read_pairs, training_cleaning_limits
from vaswani.experiment.data_arguments import DataArguments

CAT, DOG, BIRD = Pair("a cat", "γάτα"), Pair("a dog", "σκύλος"), Pair("a bird", "πουλί")
MARKUP, LATIN = Pair("a <b>cat</b>", "γάτα"), Pair("a cat", "eine Katze")


def data_of(*flags: str | Path) -> DataArguments:
    """What a recipe makes of a command line."""
    data = {"dataset": "grammar", "direction": "en-el"}
    return parse(Recipe("", {}, data, {"output_dir": "run"}), list(map(str, flags))).data


def refusal(capsys: pytest.CaptureFixture[str], *flags: str | Path) -> str:
    with pytest.raises(SystemExit) as ended:
        data_of(*flags)
    assert ended.value.code == 2
    return capsys.readouterr().err


def write(folder: Path, split: str, *pairs: Pair) -> None:
    folder.mkdir(exist_ok=True)
    lines = ["en\tel", *("\t".join(pair) for pair in pairs)]
    (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A main folder, and beside it two others that repeat it in part."""
    write(tmp_path / "main", "train", CAT, MARKUP, DOG, LATIN, CAT)
    write(tmp_path / "main", "validation", CAT, MARKUP, CAT, LATIN)
    write(tmp_path / "second", "train", BIRD, DOG)
    write(tmp_path / "third", "train", BIRD, MARKUP)
    return tmp_path


def trained_on(data: DataArguments) -> tuple[list[Pair], Drops]:
    drops = Drops()
    return list(clean_pairs(open_training_corpus(data), training_cleaning_limits(data), drops)), drops


def test_by_default_nothing_more_is_dropped_or_read(folder: Path) -> None:
    data = data_of("--data_dir", folder / "main")
    pairs, drops = trained_on(data)
    assert pairs == [CAT, MARKUP, DOG, LATIN, CAT]
    assert drops.dropped.total() == 0
    assert training_cleaning_limits(data) == cleaning_limits(data) == CleaningLimits()


def test_each_flag_drops_its_own_and_only_from_the_training_text(folder: Path) -> None:
    expected = {
        "--drop_html": ([CAT, DOG, LATIN, CAT], {"HTML": 1}),
        "--check_script": ([CAT, MARKUP, DOG, CAT], {"wrong script": 1}),
        "--drop_duplicates": ([CAT, MARKUP, DOG, LATIN], {"duplicate": 1}),
    }
    for flag, (kept, dropped) in expected.items():
        pairs, drops = trained_on(data_of("--data_dir", folder / "main", flag))
        assert (flag, pairs, dict(drops.dropped)) == (flag, kept, dropped)
    data = data_of("--data_dir", folder / "main", *expected)
    pairs, drops = trained_on(data)
    assert (pairs, dict(drops.dropped)) == ([CAT, DOG], {"HTML": 1, "wrong script": 1, "duplicate": 1})
    pairs, drops = read_pairs(data, "validation")
    assert (pairs, drops.dropped.total()) == ([CAT, MARKUP, CAT, LATIN], 0)


def test_the_script_is_that_of_the_side_in_either_direction(folder: Path) -> None:
    swapped = data_of("--data_dir", folder / "main", "--direction", "el-en", "--check_script")
    pairs, drops = trained_on(swapped)
    assert pairs == [Pair(pair.target, pair.source) for pair in (CAT, MARKUP, DOG, CAT)]
    assert drops.dropped == {"wrong script": 1}


def test_folders_are_mixed_by_weight_after_duplicates_are_gone(folder: Path) -> None:
    extra = ("--data_dir", folder / "main", "--extra_dirs", folder / "second", folder / "third")
    main, second, third = [CAT, MARKUP, DOG, LATIN, CAT], [BIRD, DOG], [BIRD, MARKUP]
    assert trained_on(data_of(*extra))[0] == main + second + third
    assert trained_on(data_of(*extra, "--weights", "1", "3", "2"))[0] == main + second * 3 + third * 2
    pairs, drops = trained_on(data_of(*extra, "--weights", "2", "3", "2", "--drop_duplicates"))
    assert pairs == main[:4] * 2 + [BIRD] * 3
    assert drops.dropped == {"duplicate": 2 * 1 + 3 * 1 + 2 * 2}
    assert drops.places["duplicate"][0] == f"{folder / 'main' / 'train.tsv'}, line 6"
    assert trained_on(data_of("--data_dir", folder / "main", "--weights", "2"))[0] == main * 2


def test_the_fingerprint_tells_what_a_run_trains_on(folder: Path) -> None:
    main = ("--data_dir", folder / "main")
    extra = (*main, "--extra_dirs", folder / "second")
    asked = [
        main,
        (*main, "--drop_duplicates"),
        extra,
        (*extra, "--weights", "1", "2"),
        (*extra, "--weights", "2", "1"),
        (*extra, "--drop_duplicates"),
    ]
    found = [open_training_corpus(data_of(*flags)).fingerprint for flags in asked]
    assert len(set(found)) == len(asked)
    assert [open_training_corpus(data_of(*flags)).fingerprint for flags in asked] == found


def test_limits_and_flags_survive_json(folder: Path) -> None:
    data = data_of(
        "--data_dir", folder / "main", "--check_script", "--drop_html", "--extra_dirs", "x", "--weights", "1", "2"
    )
    for record in (training_cleaning_limits(data), data):
        assert json.loads(json.dumps(asdict(record))) == asdict(record)


def test_long_pairs_may_have_more_characters(folder: Path) -> None:
    of = {
        tokens: training_cleaning_limits(
            data_of("--data_dir", folder / "main", "--max_tokens", str(tokens))
        ).max_characters
        for tokens in (256, 8192)
    }
    assert of == {256: 5_000, 8192: 16 * 8192}


def test_flags_that_do_not_fit_each_other_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    message = refusal(capsys, "--extra_dirs", "x", "y", "--weights", "1", "2")
    assert "weights are [1, 2]; 3 are needed: one for the training split, then one for each of the 2" in message
    assert "weights are [1, 2]; 1 are needed" in refusal(capsys, "--weights", "1", "2")
    assert '"tlh" is not known. Add it to the code' in refusal(capsys, "--direction", "en-tlh", "--check_script")
    assert data_of("--direction", "en-tlh").target == "tlh"
    assert "argument --weights: 0 is out of range; give at least 1" in refusal(capsys, "--weights", "1", "0")
