"""What must never be in the tree, and how the folders of the unit tests are laid out."""

from __future__ import annotations

import operator
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "tests" / "unit"


def test_the_operator_folder_is_not_a_package() -> None:
    """A top-level package of that name would replace the standard library's module."""
    assert not (ROOT / "operator" / "__init__.py").exists()


def test_no_test_is_in_the_operator_folder() -> None:
    """Pytest would put the folder of such a test before the standard library."""
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
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert Path(done.stdout.strip()).is_relative_to(sysconfig.get_path("stdlib"))


def test_names_of_test_files_are_unique() -> None:
    """JUnit reports and `pytest -k` distinguish files only by their names."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_folders_of_unit_tests_mirror_the_sources() -> None:
    """Tests of `productive_gateway.oauth` are in `tests/unit/gateway/oauth`."""
    folders = {path.parent.relative_to(UNIT) for path in UNIT.rglob("test_*.py")} - {Path()}
    assert sorted(str(folder) for folder in folders if not _has_sources(folder)) == []


def _has_sources(folder: Path) -> bool:
    member, *inner = folder.parts
    return any(Path(ROOT, member, "src", f"productive_{member}", *inner).glob("*.py"))
