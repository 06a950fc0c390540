"""What the API server says, in the terms of the store."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from productive_gateway.errors import Unavailable
from productive_gateway.grants.store import Change, Kind, Record
from productive_gateway.grants.store_kubernetes import KubernetesGrantStore, _change
from productive_kube.client import KubeClient
from productive_kube.errors import ApiError, Conflict, NotFound

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


@pytest.mark.attack("R-10")
@pytest.mark.parametrize(
    "refusal",
    [
        # Creations that met at the ResourceQuota: "the object has been modified" is the quota's.
        Conflict("create /x", status=409, reason="Conflict"),
        NotFound("create /x", status=404, reason="NotFound"),
    ],
)
async def test_a_creation_that_fails_for_another_object_is_our_trouble(
    refusal: ApiError, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def create(*_: object) -> None:
        raise refusal

    monkeypatch.setattr(KubeClient, "create", create)
    store = KubernetesGrantStore(KubeClient.__new__(KubeClient), "grants")
    with pytest.raises(Unavailable):
        await store.create(RECORD)
