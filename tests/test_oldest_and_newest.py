"""The ranges of setup.py are true: their lower ends install together, on every Python that is tested."""

import ast
import os
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
SUITE = [line for line in (ROOT / "tests/versions.txt").read_text(encoding="utf-8").splitlines() if line[0] != "#"]
COMMANDS = ("test-oldest", "test-newest")


def ranges() -> list[tuple[str, str]]:
    """(package, lower end of its range) of each dependency that setup.py names, as often as it names it."""
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    [call] = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "setup"]
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    groups = ast.literal_eval(given["extras_require"]) | {"-": ast.literal_eval(given["install_requires"])}
    named = [each for extra, group in groups.items() if extra != "docs" for each in group]
    found = [re.fullmatch(r"([\w.-]+)(?:\[\w+\])?>=([\d.]+)(,<[\d.]+)?", each) for each in named]
    assert all(found), named
    return [(each[1], plain(each[2])) for each in found if each]


def plain(number: str) -> str:
    """A version less what names its build and less zeros at its end: 2.13.0+cpu is 2.13."""
    return re.sub(r"(\.0)+$", "", number.split("+")[0])


@pytest.mark.skipif(os.environ.get("VASWANI_VERSIONS") != "oldest", reason="for make test-oldest")
def test_the_oldest_is_what_setup_py_says() -> None:
    assert {name: plain(version(name)) for name, _ in ranges()} == dict(ranges())


def test_a_package_has_one_lower_end_in_all_extras() -> None:
    ends: dict[str, set[str]] = {}
    for name, end in ranges():
        ends.setdefault(name, set()).add(end)
    assert {name: found for name, found in ends.items() if len(found) > 1} == {}


def test_the_suite_is_there() -> None:
    assert [name for name in SUITE if not (ROOT / name).is_file()] == []
    assert len(SUITE) == len(set(SUITE)) > 5


@pytest.mark.parametrize("command", COMMANDS)
def test_make_runs_the_suite_on_versions_of_their_own(command: str) -> None:
    planned = subprocess.run(
        ["make", "--dry-run", command], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    [resolution] = re.findall(r"--resolution (\S+)", planned)
    assert resolution == {"test-oldest": "lowest-direct", "test-newest": "highest"}[command]
    assert "constraints.txt" not in planned
    assert "tests/versions.txt" in planned
    folders = set(re.findall(r"\.venv[\w-]*", planned))
    assert folders == {f".venv-{command.removeprefix('test-')}"}
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    clean = subprocess.run(["make", "--dry-run", "clean"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert folders <= set(ignored) & set(clean.split())


def test_hosts_run_both_on_each_python() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]
    matrix = jobs["versions"]["strategy"]["matrix"]
    assert matrix == {"python": ["3.11", "3.12", "3.13"], "command": list(COMMANDS)}
    said = [step.get("run") or step.get("with", {}).get("python-version") for step in jobs["versions"]["steps"]]
    assert said[1:] == ["${{ matrix.python }}", "make ${{ matrix.command }}"]
