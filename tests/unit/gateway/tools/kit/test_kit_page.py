from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.mcpkit import KEYS
from productive_gateway.tools.kit.errors import ToolError
from productive_gateway.tools.kit.page import Place, cursor_of, digest_of, page_of

PLACE = Place("uid-1", "list_tasks", digest_of({"project": "x", "cursor": None}))


@given(st.integers(1, 10**9))
def test_cursor_names_its_page(number: int) -> None:
    assert page_of(KEYS.ring(), PLACE, cursor_of(KEYS.ring(), PLACE, number)) == number


def test_without_a_cursor_a_list_begins() -> None:
    assert page_of(KEYS.ring(), PLACE, None) == 1


@pytest.mark.parametrize(
    "other",
    [
        replace(PLACE, person="uid-2"),
        replace(PLACE, tool="list_people"),
        replace(PLACE, arguments=digest_of({"project": "y"})),
    ],
)
def test_cursor_of_another_list_is_refused(other: Place) -> None:
    with pytest.raises(ToolError) as refused:
        page_of(KEYS.ring(), other, cursor_of(KEYS.ring(), PLACE, 2))
    assert refused.value.problem.field == "cursor"


@given(st.text(max_size=200))
def test_no_text_is_taken_for_a_cursor(text: str) -> None:
    with pytest.raises(ToolError):
        page_of(KEYS.ring(), PLACE, text)


def test_arguments_are_the_same_in_any_order_and_with_any_cursor() -> None:
    assert digest_of({"a": 1, "b": 2, "cursor": "x"}) == digest_of({"b": 2, "a": 1, "c": None})
    assert digest_of({"a": 1}) != digest_of({"a": 2})
