from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.productive.wire.jsonapi import DocumentError, Ref, Resource, decode

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


def resource(**attributes: Any) -> Resource:
    return Resource("tasks", "1", attributes, {})


def test_stub_is_absent_and_empty_relationship_is_none() -> None:
    document = decode(
        json.dumps(
            {
                "data": {
                    "id": "1",
                    "type": "tasks",
                    "attributes": {"title": "Wireframes"},
                    "relationships": {
                        "project": {"meta": {"included": False}},
                        "assignee": {"data": None},
                        "service": {"data": {"type": "services", "id": "7"}},
                        "subscribers": {"data": [{"type": "people", "id": "9"}]},
                    },
                },
                "included": [
                    {
                        "id": "7",
                        "type": "services",
                        "relationships": {"deal": {"data": {"type": "deals", "id": 8}}},
                    },
                    {"id": "8", "type": "deals", "attributes": {"name": "Phase 2"}},
                ],
            }
        ).encode()
    )
    task = document.only()
    assert "project" not in task.relationships
    assert task.relationships["assignee"] is None
    assert task.relationships["subscribers"] == (Ref("people", "9"),)
    deal = document.related(task, "service", "deal")
    assert deal is not None
    assert deal.text("name") == "Phase 2"
    assert document.related(task, "assignee") is None
    assert document.related(task, "service", "deal", "project") is None


def test_only_refuses_anything_but_one_record() -> None:
    with pytest.raises(DocumentError):
        decode(b'{"data":[]}').only()
    assert decode(b'{"data":null}').records == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"data":"x"}',
        '{"data":{"id":"1"}}',
        '{"data":{"id":true,"type":"x"}}',
        '{"data":{"id":"1","type":"x","attributes":[1]}}',
        '{"data":[],"included":{"a":1}}',
        "[" * 100_000,
    ],
)
def test_text_that_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(DocumentError):
        decode(text.encode())


@given(st.dictionaries(st.sampled_from(["data", "included", "meta"]), json_values))
def test_any_json_is_a_document_or_refused(value: dict[str, Any]) -> None:
    try:
        document = decode(json.dumps(value).encode())
    except DocumentError:
        return
    assert all(record.id for record in document.records if record.id != "")


@given(st.binary(max_size=64))
def test_any_bytes_are_a_document_or_refused(body: bytes) -> None:
    try:
        decode(body)
    except DocumentError:
        return


@pytest.mark.parametrize(
    ("value", "number"),
    [(5, 5), ("5", 5), ("-5", -5), (True, None), ("5.5", None), ("x", None), ("9" * 5000, None)],
)
def test_whole_numbers_are_read_tolerantly(value: Any, number: int | None) -> None:
    assert resource(time=value).whole("time") == number


def test_missing_and_empty_texts_are_none() -> None:
    assert resource(note="").text("note") is None
    assert resource(note=5).text("note") is None
    assert resource().text("note") is None
    assert resource(closed="true").flag("closed") is False
