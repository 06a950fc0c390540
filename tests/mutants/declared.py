"""The declared mutants, and how one is made of a tree."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DEFENCES = Path(__file__).with_name("defences")
EVERYWHERE = ("tests/unit",)
"""Where the tests of a mutant are looked for, unless it says otherwise."""


class WrongMutant(ValueError):
    """A mutant does not fit the tree; `str()` names it and says why."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a file."""

    file: str
    """Below the root of the tree."""
    old: str
    """Must occur exactly once."""
    new: str

    def applied(self, text: str) -> str:
        """Return the changed text.

        Raises:
            WrongMutant: the old text does not occur exactly once.
        """
        found = text.count(self.old)
        if found != 1:
            raise WrongMutant(f"{self.file} has its old text {found} times: {self.old!r}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Mutant:
    """The product without one defence."""

    name: str
    """What is missing, as a clause about the product."""
    attacks: tuple[str, ...]
    """The rows of the attack catalogue that the defence is for; none if `tests` are named."""
    edits: tuple[Edit, ...]
    where: tuple[str, ...] = EVERYWHERE
    """Files and folders with the tests, of which those run that carry one of the ids."""
    tests: tuple[str, ...] = ()
    """Files of which all tests run, of a defence that the catalogue has no row for."""
    topic: str = ""
    """Name of the file that declares it, without its ending."""

    @property
    def groups(self) -> str:
        """The groups of the catalogue that its ids are of."""
        return "".join(sorted({attack[0] for attack in self.attacks}))

    def changed(self, root: Path) -> dict[Path, str]:
        """Return the changed files with their new text; nothing is written.

        Raises:
            WrongMutant: an edit does not fit the tree.
        """
        texts: dict[Path, str] = {}
        for edit in self.edits:
            path = root / edit.file
            if not path.is_file():
                raise WrongMutant(f"{self.name}: there is no {edit.file}")
            try:
                texts[path] = edit.applied(texts.get(path) or path.read_text())
            except WrongMutant as error:
                raise WrongMutant(f"{self.name}: {error}") from None
        return texts

    def test_files(self, root: Path) -> list[Path]:
        """Return the files of its tests: those it names, or those that mention one of its ids.

        Raises:
            WrongMutant: there are none, or a file that is named is not there.
        """
        if self.tests:
            named = [root / name for name in self.tests]
            for path in named:
                if not path.is_file():
                    raise WrongMutant(f"{self.name}: there is no {path.relative_to(root)}")
            return named
        wanted = [f'"{attack}"' for attack in self.attacks]
        found = [
            path
            for path in _files(root / place for place in self.where)
            if any(attack in _content(path) for attack in wanted)
        ]
        if not found:
            raise WrongMutant(f"{self.name}: no test in {self.where} carries {self.attacks}")
        return found


def declared(folder: Path = DEFENCES) -> list[Mutant]:
    """Return the mutants of all TOML files of a folder.

    Raises:
        WrongMutant: a declaration is incomplete, or two have one name.
    """
    mutants = [one for path in sorted(folder.glob("*.toml")) for one in _read(path)]
    names = [one.name for one in mutants]
    for name in names:
        if names.count(name) > 1:
            raise WrongMutant(f"two mutants are called {name!r}")
    return mutants


def _read(path: Path) -> Iterator[Mutant]:
    for entry in tomllib.loads(path.read_text())["mutant"]:
        yield _mutant(path, entry)


def _mutant(path: Path, entry: dict[str, Any]) -> Mutant:
    try:
        mutant = Mutant(
            name=entry["name"],
            attacks=tuple(entry.get("attacks", ())),
            edits=tuple(Edit(**edit) for edit in entry["edit"]),
            where=tuple(entry.get("where", EVERYWHERE)),
            tests=tuple(entry.get("tests", ())),
            topic=path.stem,
        )
    except (KeyError, TypeError) as error:
        raise WrongMutant(f"{path.name}: {entry.get('name', 'a mutant')}: {error}") from error
    unknown = entry.keys() - {"name", "attacks", "edit", "where", "tests"}
    if unknown or bool(mutant.attacks) == bool(mutant.tests) or not mutant.edits:
        raise WrongMutant(
            f"{path.name}: {mutant.name}: {sorted(unknown)} is unknown, or it has no edit, or not "
            "one of ids and tests"
        )
    return mutant


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        yield from _inside(place)


# Most mutants look into the same folder.
@cache
def _inside(place: Path) -> tuple[Path, ...]:
    return (place,) if place.is_file() else tuple(sorted(place.rglob("test_*.py")))


@cache
def _content(path: Path) -> str:
    return path.read_text()
