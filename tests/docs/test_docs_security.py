"""docs/security.md names tests that exist, and something of every group of attacks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PAGE = (TOP / "docs" / "security.md").read_text()
GROUPS = set("ABCDEFGHIJKLMNOPQRS")
"""Of the attack catalogue; T is about attachments, which no tool has yet."""
NAMED = re.compile(r"\b([A-Z])-(\d{2})(?: to [A-Z]-(\d{2}))?")
HEADING = re.compile(r"^##+ (.+)$", re.MULTILINE)


def test_every_id_on_the_page_is_carried_by_a_test() -> None:
    assert set(_named()) - set(_carried()) == set()


def test_every_group_of_attacks_is_on_the_page() -> None:
    assert {one[0] for one in _named()} == GROUPS


def test_ids_that_tests_carry_are_on_the_page() -> None:
    assert set(_carried()) - set(_named()) == set()


def test_every_section_is_in_the_table_of_contents() -> None:
    contents, _, rest = PAGE.partition("## The model")
    sections = HEADING.findall(f"## The model{rest}")
    linked = re.findall(r"\(#([a-z-]+)\)", contents)
    assert linked == [re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in sections]


def _named() -> Iterator[str]:
    for group, first, last in NAMED.findall(PAGE):
        for number in range(int(first), int(last or first) + 1):
            yield f"{group}-{number:02}"


def _carried() -> Iterator[str]:
    for path in (TOP / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "attack":
                for one in node.args:
                    assert isinstance(one, ast.Constant)
                    assert isinstance(one.value, str)
                    yield one.value
