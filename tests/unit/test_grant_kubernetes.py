"""Events of a watch as changes."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from productive_gateway.grants.kubernetes import _change
from productive_gateway.grants.store import Change, Kind, Record

ITEM: dict[str, Any] = {
    "type": Kind.GRANT.value,
    "metadata": {
        "name": "g-one",
        "uid": "uid-1",
        "resourceVersion": "17",
        "creationTimestamp": "2026-11-23T12:00:00Z",
        "labels": {"a": "b"},
    },
    "data": {"field": base64.b64encode(b"value").decode()},
}
RECORD = Record(
    Kind.GRANT, "g-one", {"a": "b"}, {"field": b"value"}, "uid-1", "17", 1_795_435_200.0
)


@pytest.mark.parametrize(
    ("kind", "deleted"), [("ADDED", False), ("MODIFIED", False), ("DELETED", True)]
)
def test_an_event_carries_the_record(kind: str, deleted: bool) -> None:
    assert _change({"type": kind, "object": ITEM}) == Change("17", RECORD, deleted=deleted)


def test_a_bookmark_only_tells_how_far_the_watch_has_come() -> None:
    bookmark = {"kind": "Secret", "metadata": {"resourceVersion": "42"}}
    assert _change({"type": "BOOKMARK", "object": bookmark}) == Change("42")


def test_a_secret_without_labels_or_data_is_an_empty_record() -> None:
    bare = {k: v for k, v in ITEM.items() if k != "data"}
    bare["metadata"] = {k: v for k, v in ITEM["metadata"].items() if k != "labels"}
    change = _change({"type": "ADDED", "object": bare})
    assert change.record is not None
    assert (change.record.labels, change.record.data) == ({}, {})
