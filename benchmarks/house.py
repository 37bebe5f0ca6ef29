"""Count what makes the code easy or hard to read, in a checkout: to compare two of them.

python benchmarks/house.py . /tmp/before
"""

import argparse
import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

LONG = 60
"""Lines of a function that does not fit on a screen."""
RECORD_NAMES = {"metrics", "measured", "run", "told", "description", "before", "position", "since"}
"""What the code calls a record, or called it while it was a dict."""
PUBLIC = {"_replace", "_asdict", "_fields", "_exit", "_make"}
"""Public, whatever they are spelled like: of NamedTuple and os."""
NOT_PRODUCT = {"tests", "benchmarks", "findings", "docs", "src", "build", "runs"}


class Module(NamedTuple):
    """A file of Python."""

    path: str
    tree: ast.Module


def modules(root: Path) -> list[Module]:
    """Return the product's files: those in the rooms and the recipes."""
    found = []
    for room in sorted(root.iterdir()):
        if room.is_dir() and room.name not in NOT_PRODUCT and not room.name.startswith("."):
            for path in sorted(room.rglob("*.py")):
                found.append(Module(str(path.relative_to(root)), ast.parse(path.read_text(encoding="utf-8"))))
    return found


def functions(found: list[Module]) -> Iterator[int]:
    """Yield the lines of each function."""
    for _, tree in found:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield (node.end_lineno or node.lineno) - node.lineno + 1


def imports_between_rooms(found: list[Module]) -> set[tuple[str, str]]:
    """Return the pairs of rooms of which the first imports the second."""
    pairs = set()
    for path, tree in found:
        room = path.split("/")[0]
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vaswani."):
                other = str(node.module).split(".")[1]
                if other != room:
                    pairs.add((room, other))
    return pairs


def private_uses(found: list[Module]) -> set[tuple[str, str]]:
    """Return file and name of every use of a private name that is not ours, or that a method calls of its parent."""
    own: set[str] = set()
    for _, tree in found:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                own.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                own.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_self(node.value):
                own.add(node.attr)
    uses = set()
    for path, tree in found:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                of_super = isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "super"
                if is_private(node.attr) and (node.attr not in own or of_super) and node.attr not in PUBLIC:
                    uses.add((path, node.attr))
            elif isinstance(node, ast.Import | ast.ImportFrom) and not getattr(node, "level", 0):
                for part in (f"{getattr(node, 'module', None) or ''}.{each.name}" for each in node.names):
                    if not part.startswith("vaswani.") and any(map(is_private, part.split("."))):
                        uses.add((path, part))
    return uses


def is_private(name: str) -> bool:
    """Tell whether a name begins with one underscore and more."""
    return name.startswith("_") and not name.startswith("__") and name != "_"


def is_self(node: ast.expr) -> bool:
    """Tell whether an expression is the object of the method it stands in."""
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def flags_without_help(found: list[Module]) -> list[str]:
    """Return the flags of commands and fields of arguments that say nothing of themselves."""
    silent = []
    for path, tree in found:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".add_argument"):
                if not any(keyword.arg == "help" for keyword in node.keywords):
                    silent.append(f"{path}:{node.lineno}")
            elif isinstance(node, ast.ClassDef) and node.name.endswith("Arguments") and node.decorator_list:
                for each in node.body:
                    if isinstance(each, ast.AnnAssign) and "help" not in ast.unparse(each.value or ast.Constant("")):
                        silent.append(f"{path}:{each.lineno}")
    return silent


def string_keys(found: list[Module]) -> list[str]:
    """Return where a record is read by a string key."""
    return [
        f"{path}:{node.lineno}"
        for path, tree in found
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and isinstance(node.ctx, ast.Load)
        and isinstance(node.value, ast.Name)
        and node.value.id in RECORD_NAMES
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
    ]


def assigned_forwards(found: list[Module]) -> list[tuple[str, str]]:
    """Return file and statement wherever a module is given another forward."""
    return [
        (path, ast.unparse(node))
        for path, tree in found
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Attribute) and target.attr == "forward" for target in node.targets)
    ]


def figures(root: Path) -> dict[str, str]:
    """Return what is counted in a checkout, by what it is called."""
    found = modules(root)
    lengths = list(functions(found))
    long = sum(length > LONG for length in lengths)
    skips = sum(
        path.read_text(encoding="utf-8").count("# fmt: skip")
        for path in root.rglob("*.py")
        if not any(part.startswith(".") for part in path.relative_to(root).parts)
    )
    return {
        "files": f"{len(found)}",
        "functions": f"{len(lengths)}",
        "mean lines of a function": f"{sum(lengths) / len(lengths):.1f}",
        f"functions over {LONG} lines": f"{long} ({long / len(lengths):.1%})",
        "pairs of rooms, one of which imports the other": f"{len(imports_between_rooms(found))}",
        "private names of other libraries, by file": f"{len(private_uses(found))}",
        "assigned forwards": f"{len(assigned_forwards(found))}",
        "flags without help": f"{len(flags_without_help(found))}",
        "records read by string keys": f"{len(string_keys(found))}",
        "# fmt: skip": f"{skips}",
    }


def main() -> None:
    """Print a table with a column for each checkout."""
    parser = argparse.ArgumentParser(description="Count what makes code easy or hard to read.")
    parser.add_argument("checkouts", nargs="+", type=Path, metavar="FOLDER", help="roots of checkouts to compare")
    columns = {str(root): figures(root) for root in parser.parse_args().checkouts}
    print("| counted |", " | ".join(columns), "|")
    print("|---|" + "---:|" * len(columns))
    for name in next(iter(columns.values())):
        print(f"| {name} |", " | ".join(each[name] for each in columns.values()), "|")


if __name__ == "__main__":
    main()
