"""The contenders of train_step.py: processes that answer, train what ours trains, and are missed by name."""

import math
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from subprocess import check_call
from typing import NamedTuple
from zipfile import ZipFile

import pytest

from benchmarks.contenders.contender import Contender, ContenderEndedError, operations
from benchmarks.contenders.environments import Environment, EnvironmentFailedError, python_of
from benchmarks.contenders.groups import start, steps_while_it_runs, stop_without
from benchmarks.contenders.ours import config_of
from benchmarks.contenders.stepping import Setting
from benchmarks.measuring.turns import in_turn
from benchmarks.training import train_step
from vaswani.training.estimates.flops import BACKWARD, Dimensions, forward

TINY = Setting("", 1, 50, 64, 256, 4, 2, 0.1, 0.1, sentences=8, length=8)
OURS, MARIAN, TORCH = "as --bf16 trains", "Marian, bf16", "torch.nn.Transformer, bf16"
NAMES = {OURS: "ours", MARIAN: "marian", "BART, bf16": "bart", TORCH: "torch_transformer"}


SOCKEYE = "Sockeye, bf16"


class Started(NamedTuple):
    """What groups.start found, asked also for a peer whose environment has no place."""

    running: dict[str, Contender]
    missing: dict[str, str]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    no_folder = tmp_path_factory.mktemp("no folder") / "file"
    no_folder.touch()
    found = Started(*start({SOCKEYE: "sockeye"} | NAMES, TINY, no_folder))
    yield found
    codes = {name: each.end() for name, each in found.running.items()}
    assert codes == dict.fromkeys(NAMES, 0)


@pytest.mark.parametrize("length", [32, 256])
def test_the_operations_of_a_step_are_those_of_the_formula(length: int) -> None:
    """Those of equation 1 among them, which grow with the length of a sentence."""
    setting = TINY._replace(length=length)
    config = config_of(setting)
    network = Dimensions(**{name: getattr(config, name) for name in Dimensions._fields})
    assert operations(setting) == (1 + BACKWARD) * sum(forward(network, setting.sentences, length, length))


# Processes


@pytest.mark.parametrize("name", NAMES)
def test_a_contender_makes_a_step_each_time_it_is_asked(name: str, started: Started) -> None:
    answers = [started.running[name].step() for _ in range(3)]
    assert all(answer.keys() == {"clock", "processor"} and min(answer.values()) > 0 for answer in answers)


@pytest.mark.parametrize("name", NAMES)
def test_contenders_train_what_ours_trains(name: str, started: Started) -> None:
    about, ours = started.running[name].about, started.running[OURS].about
    assert about["parameters"] == pytest.approx(ours["parameters"], rel=0.02)  # biases of attention, learned positions
    assert about["first_loss"] == pytest.approx(math.log(TINY.vocab_size), abs=1.0)


def test_a_contender_that_cannot_begin_tells_why() -> None:
    with pytest.raises(
        ContenderEndedError, match=r"^Marian, bf16 ended with code 1: .*No module named benchmarks.contenders.lost"
    ):
        Contender("lost", TINY._replace(way=MARIAN))


def test_one_that_ends_is_missed_by_name_and_the_others_go_on(started: Started) -> None:
    missing: dict[str, str] = {}
    both = {"dying": Contender("torch_transformer", TINY._replace(way=TORCH)), OURS: started.running[OURS]}
    assert both["dying"].about["first_loss"] == started.running[TORCH].about["first_loss"]
    ways = {name: steps_while_it_runs(each, missing) for name, each in both.items()}
    assert ways["dying"]()
    assert missing == {}
    both["dying"].process.kill()
    found = in_turn(ways, rounds=2)
    assert missing == {TORCH: f"{TORCH} ended with code -9: without a word"}
    assert found["dying"] == [{}, {}]
    assert all(found[OURS])


def test_a_peer_without_an_environment_is_missed_by_name_and_the_others_start(started: Started) -> None:
    running, missing = started
    assert running.keys() == NAMES.keys()
    assert missing.keys() == {SOCKEYE}
    assert "Not a directory" in missing[SOCKEYE]
    assert f"| {SOCKEYE} | missing: {missing[SOCKEYE]} |" in train_step.table([], MARIAN, missing)
    stop_without([MARIAN], missing)
    with pytest.raises(SystemExit, match=r"nothing to measure against: .*Not a directory"):
        stop_without([MARIAN, SOCKEYE], missing)


def test_every_contender_that_is_named_is_there() -> None:
    names = [name for names in train_step.CONTENDERS.values() for name in names]
    assert len(names) == len(set(names))
    assert {*NAMES, *train_step.SHORT, *train_step.PEERS} <= set(names)


# Turns


def test_turns_go_round_and_the_first_round_is_not_counted() -> None:
    asked: list[str] = []

    def answer(name: str) -> int:
        asked.append(name)
        return len(asked)

    found = in_turn({name: partial(answer, name) for name in "abc"}, rounds=3)
    assert "".join(asked) == "abc" + "bca" + "cab" + "abc"
    assert found == {"a": [6, 8, 10], "b": [4, 9, 11], "c": [5, 7, 12]}


# Environments


def wheel(folder: Path, name: str, about: str = "") -> str:
    """Write a library of no lines and return how pip takes it from disk."""
    file = folder / f"{name}-1.0-py3-none-any.whl"
    with ZipFile(file, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(
            f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{about}"
        )
        archive.writestr(
            f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return str(file)


def test_an_environment_is_made_once_and_again_when_it_is_to_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need, unwanted = wheel(tmp_path, "need"), "Requires-Dist: there-is-no-such-library\n"
    wanted = Environment(wheel(tmp_path, "peer", unwanted), "peer", (need,))
    python = python_of("its", tmp_path, {"its": wanted})
    check_call([python, "-c", "import need, peer"])
    assert "making an environment for" in capsys.readouterr().err
    assert python_of("its", tmp_path, {"its": wanted}) == python
    assert capsys.readouterr().err == ""
    changed = wanted._replace(needs=(need, str(tmp_path / "lost-1.0-py3-none-any.whl")))
    for _ in range(2):  # what was not finished is not taken for an environment
        with pytest.raises(EnvironmentFailedError, match=r"ended with code 1: ERROR: .*lost-1\.0-py3-none-any\.whl"):
            python_of("its", tmp_path, {"its": changed})


def test_a_folder_of_the_user_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "its").mkdir()
    (tmp_path / "its" / "thesis.tex").touch()
    with pytest.raises(EnvironmentFailedError, match="not an environment made here"):
        python_of("its", tmp_path, {"its": Environment("peer==1.0", "peer", ())})
    assert (tmp_path / "its" / "thesis.tex").exists()


def test_what_needs_no_environment_runs_where_we_do(tmp_path: Path) -> None:
    assert python_of("marian", tmp_path) == Path(sys.executable)
    assert list(tmp_path.iterdir()) == []
