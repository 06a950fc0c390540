"""The declared mutants fit the tree; `make mutants` runs them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from mutants.declared import ROOT, Edit, Mutant, WrongMutant, declared

GROUPS = "ABCDEFGHIJKLMNOPQRS"
"""Of the attack catalogue."""

MUTANTS = declared()


@pytest.mark.parametrize("mutant", [pytest.param(one, id=one.name) for one in MUTANTS])
def test_mutant_fits_the_tree_and_has_tests(mutant: Mutant) -> None:
    for path, text in mutant.changed(ROOT).items():
        assert text != path.read_text()
        if path.suffix == ".py":
            ast.parse(text)
    assert mutant.test_files(ROOT)


def test_every_group_of_the_catalogue_has_a_mutant() -> None:
    assert sorted({group for mutant in MUTANTS for group in mutant.groups}) == list(GROUPS)


@pytest.mark.parametrize("text", ["", "aa", "b"])
def test_edit_whose_old_text_is_not_there_once_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    mutant = Mutant("m", ("A-01",), (Edit("file", "a", "c"),))
    with pytest.raises(WrongMutant, match=r"^m: file has its old text [02] times"):
        mutant.changed(tmp_path)


def test_edits_of_one_file_are_made_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("ab")
    mutant = Mutant("m", ("A-01",), (Edit("file", "a", "x"), Edit("file", "b", "y")))
    assert mutant.changed(tmp_path) == {tmp_path / "file": "xy"}


def test_mutant_without_tests_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text('@pytest.mark.attack("A-02")')
    mutant = Mutant("m", ("A-01",), (), where=("test_one.py",))
    with pytest.raises(WrongMutant, match="no test"):
        mutant.test_files(tmp_path)


def test_mutant_has_the_files_of_tests_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text("")
    mutant = Mutant("m", (), (), tests=("test_one.py",))
    assert mutant.test_files(tmp_path) == [tmp_path / "test_one.py"]
    with pytest.raises(WrongMutant, match="there is no test_two"):
        Mutant("m", (), (), tests=("test_two.py",)).test_files(tmp_path)


@pytest.mark.parametrize(
    "entry",
    [
        'attacks = ["A-01"]',
        'name = "m"',
        'name = "m"\nattacks = []',
        'name = "m"\nattacks = ["A-01"]\ntests = ["test_one.py"]',
        'name = "m"\nattacks = ["A-01"]\nwith = 1',
        'name = "m"\nattacks = ["A-01"]\n[[mutant.edit]]\nfile = "f"',
    ],
)
def test_incomplete_declaration_is_refused(tmp_path: Path, entry: str) -> None:
    edit = '\n[[mutant.edit]]\nfile = "f"\nold = "a"\nnew = "b"\n'
    (tmp_path / "one.toml").write_text(f"[[mutant]]\n{entry}{edit}")
    with pytest.raises(WrongMutant, match=r"^one\.toml"):
        declared(tmp_path)
