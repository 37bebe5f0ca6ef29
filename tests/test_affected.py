"""`make test-quick` runs the tests nearest to what was changed."""

from pathlib import Path

import affected
import pytest
from affected import ROOT, imported, importers_by_module, likeness, listed, module_of, nearest


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("data/pairs.py", "vaswani.data.pairs"),
        ("data/grammar/__init__.py", "vaswani.data.grammar"),
        ("src/vaswani/__init__.py", "vaswani"),
        ("tests/conftest.py", "conftest"),
        ("tests/test_corpora.py", "test_corpora"),
    ],
)
def test_a_file_has_the_name_by_which_it_is_imported(file: str, module: str) -> None:
    assert module_of(Path(file)) == module


def test_imports_are_followed_to_the_file_that_a_name_comes_from(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(
        "import conftest\nfrom vaswani.data import Drops\nfrom vaswani.data.hub import open_hub\n"
    )
    assert imported(tmp_path / "test_some.py", "test_some") >= {
        "conftest", "vaswani.data.cleaning", "vaswani.data.hub",
    }  # fmt: skip
    assert "vaswani.storage.atomic" in imported(ROOT / "data/token_cache.py", "vaswani.data.token_cache")
    assert "vaswani.data.cleaning" in imported(ROOT / "data/token_cache.py", "vaswani.data.token_cache")


def test_the_nearest_tests_are_those_of_the_fewest_imports() -> None:
    importers = {"a": {"b", "test_one"}, "b": {"test_two"}, "c": {"b"}, "d": {"e"}, "e": {"d"}, "test_one": set[str](),
                 "test_two": set()}  # fmt: skip
    assert nearest("a", importers) == {"test_one"}
    assert nearest("c", importers) == {"test_two"}
    assert nearest("d", importers) == set()  # a circle
    assert nearest("test_one", importers) == {"test_one"}


def test_of_many_tests_those_count_that_are_named_alike() -> None:
    assert likeness("test_resumed_translation", "vaswani.commands.translate") == 1
    assert likeness("test_commands", "vaswani.commands.translate") == 1
    assert likeness("test_demo", "vaswani.commands.translate") == 0


def test_what_a_change_is_tested_by() -> None:
    """Every module of the package leads to a test, but for those that are run and not imported."""
    assert "tests/test_corpora.py" in affected.affected([Path("data/parquet.py")])
    assert "tests/test_translate_corpus.py" in affected.affected([Path("commands/translate.py")])
    assert affected.affected([Path("README.md"), Path("gone.py")]) == ["tests/test_house.py"]
    files = listed("ls-files", "*.py")
    importers = importers_by_module(files)
    package = [file for file in files if (ROOT / "src/vaswani" / file.parts[0]).exists() and len(file.parts) > 1]
    assert len(package) > 300
    without = {str(file) for file in package if file.stem not in ("__init__", "__main__") and not
               nearest(module_of(file), importers)}  # fmt: skip
    assert {each.split("/")[0] for each in without} <= {"evaluation", "experiment", "recipes"}, sorted(without)
