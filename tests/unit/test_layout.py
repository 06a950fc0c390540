"""What must never be in the tree, and what the tree must have."""

from __future__ import annotations

import operator
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_operator_folder_is_no_package() -> None:
    """A package of that name at the top would replace the standard library's module."""
    assert not (ROOT / "operator" / "__init__.py").exists()


def test_no_test_stands_under_the_operator_folder() -> None:
    """Collecting one would put its folder in front of the standard library."""
    source = ROOT / "operator"
    found = [*source.rglob("test_*.py"), *source.rglob("*_test.py"), *source.rglob("conftest.py")]
    assert found == []


@pytest.mark.parametrize("module", [operator, subprocess])
def test_these_are_the_modules_of_the_standard_library(module: object) -> None:
    home = Path(sysconfig.get_path("stdlib"))
    assert Path(getattr(module, "__file__", "")).is_relative_to(home)


def test_a_program_started_at_the_top_gets_the_standard_library() -> None:
    """`python -c` and `-m` put the current folder first."""
    code = "import operator; print(operator.__file__)"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert Path(told.stdout.strip()).is_relative_to(sysconfig.get_path("stdlib"))


def test_names_of_test_files_are_unique() -> None:
    """JUnit reports and `pytest -k` tell two files apart by their names only."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted({name for name in names if names.count(name) > 1}) == []
