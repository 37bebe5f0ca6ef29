"""Print the test files nearest to what has changed since the last commit, or in it if nothing has since.

Nearest are those that import a changed module; where none does, those that import one that imports it, and so on. Of
more than MOST for a module, those count that are named like it. `make test-quick` runs them. They are not all that a
change can break: `make test` runs all.

python tests/affected.py            (since the last commit)
python tests/affected.py main       (since another one)
"""

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "vaswani"
ALWAYS = ("tests/test_house.py",)
"""What is true of every file."""
MOST = 6
"""Test files for a changed one."""
STEM = 6
"""Letters of two words that make them alike: translate and translation."""


def main() -> None:
    """Print the names of the files, relative to the root."""
    print(*affected(changed(sys.argv[1:])))


def changed(since: list[str]) -> list[Path]:
    """Return the files that differ from a commit, new ones too, relative to the root."""
    if since:
        return listed("diff", "--name-only", *since)
    new = listed("ls-files", "--others", "--exclude-standard")
    return [*listed("diff", "--name-only", "HEAD"), *new] or listed("diff", "--name-only", "HEAD~1", "HEAD")


def listed(*words: str) -> list[Path]:
    """Return the files that a command of git lists."""
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return [Path(line) for line in done.stdout.splitlines()]


def affected(files: Iterable[Path]) -> list[str]:
    """Return the test files nearest to some files, and those among them."""
    importers = importers_by_module(listed("ls-files", "*.py"))
    found = set(ALWAYS)
    for module in (module_of(file) for file in files if file.suffix == ".py"):
        tests = nearest(module, importers)
        found.update(map(path_of_test, sorted(tests, key=lambda test: (-likeness(test, module), test))[:MOST]))
    return sorted(each for each in found if (ROOT / each).exists())


def nearest(module: str, importers: Mapping[str, set[str]]) -> set[str]:
    """Return the test modules that are the fewest imports away from a module; itself if it is one."""
    seen: set[str] = set()
    reached = {module}
    while reached and not any(map(is_test, reached)):
        seen |= reached
        reached = {each for one in reached for each in importers[one]} - seen
    return {each for each in reached if is_test(each)}


def likeness(test: str, module: str) -> int:
    """Return how many words the names of a test and a module have in common."""
    words, others = ({word[:STEM] for word in name.replace(".", "_").split("_")} for name in (test, module))
    return len(words & others)


def importers_by_module(files: Iterable[Path]) -> Mapping[str, set[str]]:
    """Return, for each module, those that import it; of a package, the module that a name comes from."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for file in files:
        if (ROOT / file).exists():
            for module in imported(ROOT / file, module_of(file)):
                found[module].add(module_of(file))
    return found


def is_test(module: str) -> bool:
    """Return whether a module is a test file."""
    return module.startswith("test_")


def path_of_test(module: str) -> str:
    """Return the file of a test module, relative to the root."""
    return f"tests/{module}.py"


def module_of(file: Path) -> str:
    """Return the name by which a file is imported: vaswani.data.pairs, or conftest."""
    parts = file.with_suffix("").parts
    if parts[0] == "tests":
        return ".".join(parts[1:])
    parts = parts[2:] if parts[:2] == ("src", PACKAGE) else parts
    return ".".join([PACKAGE, *(part for part in parts if part != "__init__")])


def imported(path: Path, module: str) -> set[str]:
    """Return the modules that a file imports; of a package that hands on names of its modules, these."""
    found: set[str] = set()
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for name in node.names:
                found |= {f"{source}.{name.name}", handed_on(source).get(name.name, source)}
    return found


@cache
def handed_on(package: str) -> dict[str, str]:
    """Return the modules of a package from which its __init__.py takes names, by name."""
    first, *parts = package.split(".")
    path = ROOT.joinpath(*(parts or ("src", PACKAGE)), "__init__.py")
    if first != PACKAGE or not path.is_file():
        return {}
    return dict(names_taken(ast.parse(path.read_text(encoding="utf-8")), package))


def names_taken(tree: ast.Module, package: str) -> Iterator[tuple[str, str]]:
    """Yield the names that a package imports from its own modules, and where they come from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            for each in node.names:
                yield each.asname or each.name, ".".join([package, *([node.module] if node.module else [each.name])])


if __name__ == "__main__":
    main()
