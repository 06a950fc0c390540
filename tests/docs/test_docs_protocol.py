"""docs/protocol.md has every rule of the protocol, and each is carried by a test."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
PAGE = (TOP / "docs" / "protocol.md").read_text()
GATEWAY = TOP / "gateway" / "src" / "productive_gateway"
ROW = re.compile(r"^\| ([A-Z]\d+) \|", re.MULTILINE)
FILE = re.compile(r"`([a-z_]+(?:/[a-z_]+)*(?:\.py)?)`")
LAST = {"T": 23, "R": 8}
"""Of each group of rules."""


@pytest.mark.parametrize("group", LAST)
def test_page_has_every_rule_of_a_group_once_and_in_order(group: str) -> None:
    named = [one for one in ROW.findall(PAGE) if one[0] == group]
    assert named == [f"{group}{number}" for number in range(1, LAST[group] + 1)]


def test_every_rule_on_the_page_is_carried_by_a_test() -> None:
    assert set(ROW.findall(PAGE)) - set(_carried()) == set()


def test_every_rule_that_a_test_carries_is_on_the_page() -> None:
    assert set(_carried()) - set(ROW.findall(PAGE)) == set()


def test_files_on_the_page_exist() -> None:
    named = {one for one in FILE.findall(PAGE) if "/" in one and one.endswith(".py")}
    assert {one for one in named if not (GATEWAY / one).exists()} == set()
    assert named


def _carried() -> Iterator[str]:
    for path in (TOP / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.rule":
                for one in node.args:
                    assert isinstance(one, ast.Constant)
                    assert isinstance(one.value, str)
                    yield one.value
