from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.productive.records.people import PersonRef
from productive_gateway.tools.core.changesets import changes_in


def one(changeset: Any) -> tuple[str, str | None, str | None]:
    (change,) = changes_in(changeset)
    return change.field, change.before, change.after


def values(name: str, before: Any, after: Any) -> list[Any]:
    return [{name: [{"value": before}, {"value": after}]}]


@pytest.mark.parametrize(
    ("changeset", "expected"),
    [
        (values("due_date", None, "2026-11-27"), ("due date", None, "2026-11-27")),
        (values("closed", False, True), ("closed", "no", "yes")),
        (values("initial_estimate", 90, 480), ("estimate", "1.50 h", "8.00 h")),
        (values("tag_list", ["a"], ["a", "b"]), ("tags", "a", "a, b")),
        (values("workflow_status_id", "6101", "6103"), ("status", "6101", "6103")),
        (values("some-New_thing", "", 3), ("some new thing", None, "3")),
        # Amounts are in minor units of a currency that is not said.
        (values("budget_total", 100, 250), ("budget total", None, None)),
        (values("custom_fields", {"1": "a"}, {"1": "b"}), ("custom fields", None, None)),
        # Other forms of the same.
        ({"title": ["Old", "New"]}, ("title", "Old", "New")),
        ([{"assignee": [{"id": 1, "name": "Ana"}, {"id": 2}]}], ("assignee", "Ana", "2")),
        ([{"note": "something else"}], ("note", None, None)),
        ([{"note": [1, 2, 3]}], ("note", None, None)),
    ],
)
def test_change_is_read_in_words(changeset: Any, expected: tuple[str, Any, Any]) -> None:
    assert one(changeset) == expected


@pytest.mark.parametrize(
    "changeset", [None, [], "text", 7, [None], values("placement", 1, 2), values("title", "A", "A")]
)
def test_what_says_nothing_is_no_change(changeset: Any) -> None:
    assert changes_in(changeset) == ()


def test_ids_are_those_of_the_field() -> None:
    (change,) = changes_in(values("assignee_id", None, 9104))
    assert list(change.ids) == [(PersonRef, "9104")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_read_without_an_error(changeset: Any) -> None:
    for change in changes_in(changeset):
        assert change.field
        assert all(isinstance(value, str | None) for value in (change.before, change.after))
