"""docs/simulator.md lists the collections that the simulator declares."""

from __future__ import annotations

from pathlib import Path

import pytest

from productive_dev.simulator.declare.resource import CREATE, DELETE, GET, LIST, UPDATE
from productive_dev.simulator.reports.reports import REPORTS
from productive_dev.simulator.resources import RESOURCES

PAGE = (Path(__file__).parents[4] / "docs/simulator.md").read_text()
LETTERS = {LIST: "L", GET: "G", CREATE: "C", UPDATE: "U", DELETE: "D"}


def letters(methods: frozenset[str]) -> str:
    return "".join(letter for name, letter in LETTERS.items() if name in methods)


@pytest.mark.parametrize("kind", sorted(RESOURCES))
def test_the_row_of_a_collection_says_what_it_can(kind: str) -> None:
    ours = RESOURCES[kind]
    (row,) = [line for line in PAGE.splitlines() if f"| `{kind}` |" in line]
    _, _, _, methods, bulk, actions, _ = (cell.strip() for cell in row.split("|"))
    named = [*ours.actions, *(f"{m} {name}" for m, name in ours.collection_actions if name)]
    assert (methods, bulk, actions) == (letters(ours.methods), letters(ours.bulk), ", ".join(named))


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_reports_are_named(name: str) -> None:
    assert f"`{name}`" in PAGE
