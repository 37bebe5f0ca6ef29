"""The house stands as drawn: links, packages, dependencies and launch configurations are as the documents say."""

import ast
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file

import vaswani
from benchmarks.contenders.environments import ENVIRONMENTS
from vaswani.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = sorted({init.parent.name for init in ROOT.glob("*/__init__.py")} - {"benchmarks"})
DISTRIBUTIONS = packages_distributions()
CONFIGS = [file for file in sorted((ROOT / "accelerate_configs").glob("*.yaml")) if file.suffixes == [".yaml"]]

COUNT_PROCESSES = """
import sys
from pathlib import Path
import torch
from accelerate.utils import reduce
from transformers import TrainingArguments

process = TrainingArguments(report_to=[])  # it decides for every recipe
met = reduce(torch.ones(1), "sum").item()
Path(sys.argv[1], f"process {process.process_index}").write_text(f"{process.world_size} counted, {met:g} met")
if torch.distributed.is_initialized():
    torch.distributed.destroy_process_group()
"""


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    """Run a command to its end; its output is the message if it fails."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{shlex.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@cache
def cloned_files() -> list[Path]:
    """What a clone holds, relative to its root: tracked files, and new ones that git does not ignore."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return [Path(name) for name in sorted(set(listed) - {""}) if os.path.lexists(ROOT / name)]


@cache
def declared() -> set[tuple[str, str]]:
    """The dependencies of setup.py as (plain name, extra); the extra of those always installed is '-'."""
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    [call] = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "setup"]
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    groups = ast.literal_eval(given["extras_require"]) | {"-": ast.literal_eval(given["install_requires"])}
    return {(plain_name(each), extra) for extra, requirements in groups.items() for each in requirements}


def plain_name(requirement: str) -> str:
    """The normal form of a distribution's name: 'Import_Linter[x]>=2' is 'import-linter'."""
    name = re.match(r"[\w.-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def imported(file: Path) -> set[str]:
    """The distributions, by plain name, whose modules a source file imports."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules.add(str(node.module).split(".")[0])
    modules -= sys.stdlib_module_names | {"vaswani"}
    return {plain_name(DISTRIBUTIONS.get(module, [module])[0]) for module in modules}


def with_neighbours(benchmark: Path) -> set[Path]:
    """A file of benchmarks/ and all others of them that are imported with it."""
    found: set[Path] = set()
    ahead = [benchmark]
    while ahead:
        found.add(file := ahead.pop())
        for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.level or str(node.module).startswith("benchmarks.")):
                name = f"{str(node.module).replace('.', '/')}.py"
                ahead += {file.parent / name if node.level else Path(name)} - found
    return found


def launch_command(config: Path) -> list[str]:
    """The words of the one command that stands in the head of a launch configuration."""
    [line] = re.findall(r"^# +(.*accelerate launch .*)$", config.read_text().replace("\\\n#", ""), re.MULTILINE)
    return shlex.split(line)


# Links


def test_links_point_home() -> None:
    links = {path.name: path.readlink() for path in (ROOT / "src/vaswani").iterdir() if path.is_symlink()}
    assert links == {folder: Path("../..", folder) for folder in FOLDERS}


@pytest.mark.parametrize("folder", FOLDERS)
def test_imports_come_from_this_repository(folder: str) -> None:
    module = importlib.import_module(f"vaswani.{folder}")
    assert Path(str(module.__file__)).resolve() == ROOT / folder / "__init__.py"


def test_folders_of_the_same_name_where_one_works_shadow_nothing(tmp_path: Path) -> None:
    for folder in FOLDERS:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").touch()
    ask = f"from importlib.util import find_spec\nfor x in {FOLDERS}: print(find_spec('vaswani.' + x).origin)"
    found = run(sys.executable, "-c", ask, cwd=tmp_path).splitlines()
    assert [Path(line).resolve() for line in found] == [ROOT / folder / "__init__.py" for folder in FOLDERS]


# Packages


def test_the_version_is_written_in_one_place() -> None:
    """In vaswani/__init__.py; the archives of the next test bear it."""
    written = re.compile(r"(?<![\w-])version[\"' ]*[:=][\"' ]*\d", re.IGNORECASE)
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("setup.py", "pyproject.toml", "CITATION.cff")}
    assert [name for name, text in texts.items() if written.search(text)] == []


def test_source_archive_and_wheel_hold_every_package(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    for file in cloned_files():
        (clone / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, clone / file, follow_symlinks=False)
    run(sys.executable, "-c", "from setuptools import build_meta; build_meta.build_sdist('dist')", cwd=clone)
    archive = clone / "dist" / f"vaswani-{vaswani.__version__}.tar.gz"
    pip_wheel = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index")
    run(*pip_wheel, "--wheel-dir", tmp_path, archive)
    wheel = tmp_path / f"vaswani-{vaswani.__version__}-py3-none-any.whl"
    held = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    own = {str(Path("vaswani", file)) for file in cloned_files() if file.parts[0] in FOLDERS}
    beside = {
        str(file.relative_to("src"))
        for file in cloned_files()
        if file.parts[:2] == ("src", "vaswani") and (ROOT / file).is_file()
    }
    assert "vaswani/py.typed" in beside
    assert held == own | beside


# Dependencies


def test_every_dependency_has_its_purpose_written_down() -> None:
    table = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([\w-]+)` \| (\S+) \| .+ \|$", table, re.MULTILINE)) == declared()


def pinned(lines: Iterable[str]) -> dict[str, str]:
    """The exact versions that requirements name, by plain name."""
    found = (re.match(r"[\w.-]+==([\w.+!-]+)\s*(;|#|$)", line) for line in lines)
    return {plain_name(each[0]): each[1] for each in found if each}


def test_every_dependency_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert {name for name, _ in declared()} - pinned(lines).keys() == set()


@pytest.mark.parametrize("module", ENVIRONMENTS)
def test_the_environment_of_a_peer_is_pinned_and_shares_our_versions(module: str) -> None:
    ours = pinned((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())
    requirements = [*ENVIRONMENTS[module].needs, ENVIRONMENTS[module].peer]
    theirs = pinned(requirements)
    assert theirs.keys() == {plain_name(each) for each in requirements}
    assert {name: ours.get(name, version) for name, version in theirs.items()} == theirs


def test_everything_imported_is_a_dependency() -> None:
    for_users = {name for name, extra in declared() if extra not in ("dev", "docs")}
    for_us = {name for name, _ in declared()} | {plain_name(file.stem) for file in (ROOT / "tests").glob("*.py")}
    for_us.add("benchmarks")
    for_peers: dict[Path, set[str]] = {}
    for module, each in ENVIRONMENTS.items():
        there = {plain_name(each.imported_as), *map(plain_name, each.needs), "benchmarks"}
        for file in with_neighbours(Path("benchmarks/contenders", f"{module}.py")):
            for_peers[file] = for_peers.get(file, there) & there
    undeclared = {}
    for file in cloned_files():
        if file.suffix == ".py" and file.name != "setup.py":
            elsewhere = for_users if file.parts[0] in {*FOLDERS, "recipes"} else for_us
            allowed = for_peers.get(file, elsewhere)
            if missing := imported(ROOT / file) - allowed:
                undeclared[str(file)] = missing
    assert undeclared == {}


# Checks before a commit


def test_a_commit_is_checked_as_make_check_does() -> None:
    recipe = re.findall(r"^check:.*\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    wanted = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe[0].splitlines()]
    [local] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [hook["entry"] for hook in local["hooks"]] == wanted
    assert {(hook["language"], hook["pass_filenames"]) for hook in local["hooks"]} == {("system", False)}


# The public API and the site


@cache
def on_the_site() -> dict[str, set[str]]:
    """What the pages of docs/reference/ document, by directive."""
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs/reference").glob("*.md"))
    found = re.findall(r"^\.\. auto(\w+):: ([\w.]+)", pages, re.MULTILINE)
    return {kind: {name for each, name in found if each == kind} for kind in ("module", "class", "function")}


def test_what_is_promised_is_there_and_on_the_site() -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    first, second = re.findall(r"^\| (.+) \| \[Modules\]", page, re.MULTILINE)[:2]
    packages, functions = (set(re.findall(r"`(vaswani\.[\w.]+)`", row)) for row in (first, second))
    having = {
        f"vaswani.{folder}" for folder in FOLDERS if hasattr(importlib.import_module(f"vaswani.{folder}"), "__all__")
    }
    assert packages == having
    assert packages <= on_the_site()["module"]
    assert functions == on_the_site()["function"]
    for package in packages:
        module = importlib.import_module(package)
        assert {name for name in module.__all__ if not hasattr(module, name)} == set()


def test_what_the_site_documents_is_there() -> None:
    for name in on_the_site()["module"]:
        importlib.import_module(name)
    for name in on_the_site()["class"] | on_the_site()["function"]:
        module, _, symbol = name.rpartition(".")
        assert hasattr(importlib.import_module(module), symbol), name


def test_the_site_has_every_page() -> None:
    map_of_site = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    listed = [
        line for part in re.findall(r"^```{toctree}\n(.*?)```", map_of_site, re.M | re.S) for line in part.split("\n")
    ]
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"}
    assert {line for line in listed if re.fullmatch(r"\w+", line)} == pages


# Launch configurations


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.stem)
def test_launch_configuration_loads_and_says_how_to_use_it(config: Path) -> None:
    load_config_from_file(str(config))
    assert config.read_text(encoding="utf-8").startswith("# ")
    words = launch_command(config)
    assert ROOT / words[words.index("--config_file") + 1] == config
    [recipe] = [word for word in words if word.endswith(".py")]
    assert (ROOT / recipe).is_file()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "processes"), [("cpu", 1), ("cpu_2_processes", 2)])
def test_the_written_command_starts_that_many_processes(name: str, processes: int, tmp_path: Path) -> None:
    words = launch_command(ROOT / f"accelerate_configs/{name}.yaml")
    before_recipe = words[: next(at for at, word in enumerate(words) if word.endswith(".py"))]
    script, seen = tmp_path / "count.py", tmp_path / "seen"
    script.write_text(COUNT_PROCESSES)
    seen.mkdir()
    env = {key: value for key, value in os.environ.items() if not key.startswith("ACCELERATE_")}
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env["PATH"]])
    run("env", *before_recipe, script, seen, env=env)
    assert {file.name: file.read_text() for file in seen.iterdir()} == {
        f"process {each}": f"{processes} counted, {processes} met" for each in range(processes)
    }


# What is written


@pytest.mark.parametrize("page", ["docs/architecture.md", "README.md"])
def test_the_map_shows_every_folder(page: str) -> None:
    rows = re.findall(r"^\| (`\w+/.*?) \|", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    folders = {file.parts[0] for file in cloned_files() if len(file.parts) > 1 and not file.parts[0].startswith(".")}
    assert {name for row in rows for name in re.findall(r"`(\w+)/(?:\w+/)?`", row)} == folders


def test_the_readme_names_every_command() -> None:
    row = next(line for line in (ROOT / "README.md").read_text(encoding="utf-8").split("\n") if "`commands/`" in line)
    assert set(re.findall(r"`(?:vaswani )?(\w+)`", row)) == set(COMMANDS)


def test_no_file_names_a_path_of_one_machine() -> None:
    private = re.compile(rb"(?<![\w.~}-])/(?:work|home|root|Users)/[\w.-]+")
    files = [ROOT / file for file in cloned_files() if (ROOT / file).is_file()]
    assert {str(file): found for file in files if (found := private.findall(file.read_bytes()))} == {}


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_a_test_that_a_page_names_is_there(page: Path) -> None:
    for file, name in re.findall(r"`(tests/\w+\.py)(?:::(\w+))?`", page.read_text(encoding="utf-8")):
        assert (ROOT / file).is_file(), file
        assert not name or f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{name}"
