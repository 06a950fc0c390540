"""How the store translates the objects and errors of the API server."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from harness.grantkit import HeldClock
from productive_gateway.errors import Unavailable
from productive_gateway.grants.config import DAY
from productive_gateway.grants.errors import Immutable, StoreFull
from productive_gateway.grants.record import Record, RecordKind
from productive_gateway.grants.store_kubernetes import KubernetesGrantStore
from productive_kube.collection import Change
from productive_kube.errors import ApiError, Conflict, NotFound, QuotaExceeded, Refused, Unreachable

CREATED = "2026-11-23T12:00:00Z"
ITEM: dict[str, Any] = {
    "type": RecordKind.GRANT.value,
    "metadata": {
        "name": "g-one",
        "uid": "uid-1",
        "resourceVersion": "17",
        "creationTimestamp": CREATED,
        "labels": {"a": "b"},
    },
    "data": {"field": base64.b64encode(b"value").decode()},
}
RECORD = Record(
    RecordKind.GRANT, "g-one", {"a": "b"}, {"field": b"value"}, "uid-1", "17", 1_795_435_200.0
)


@dataclass
class AnsweringClient:
    """Stands in for the client: it answers with one object, events, or an error."""

    answer: dict[str, Any] | ApiError = field(default_factory=lambda: ITEM)
    events: tuple[dict[str, Any], ...] = ()
    written: dict[str, Any] | None = None

    async def get(self, *_: Any, **__: Any) -> dict[str, Any]:
        if isinstance(self.answer, ApiError):
            raise self.answer
        return self.answer

    create = get

    async def replace(self, _: str, body: dict[str, Any]) -> dict[str, Any]:
        self.written = body
        if isinstance(self.answer, ApiError):
            raise self.answer
        return body | {"metadata": body["metadata"] | {"creationTimestamp": CREATED}}

    async def watch(self, *_: Any, **__: Any) -> AsyncGenerator[dict[str, Any], None]:
        for event in self.events:
            yield event


def store(
    answer: dict[str, Any] | ApiError = ITEM, *events: dict[str, Any]
) -> KubernetesGrantStore:
    return KubernetesGrantStore(AnsweringClient(answer, events), "grants")  # type: ignore[arg-type]


async def watched(*events: dict[str, Any]) -> list[Change[Record]]:
    source = store(ITEM, *events).grants(lambda record: record)
    return [change async for change in source.watch("1", 10)]


@pytest.mark.parametrize(
    ("kind", "deleted"), [("ADDED", False), ("MODIFIED", False), ("DELETED", True)]
)
async def test_event_carries_the_record(kind: str, deleted: bool) -> None:
    assert await watched({"type": kind, "object": ITEM}) == [Change("17", RECORD, deleted=deleted)]


async def test_bookmark_only_shows_how_far_the_watch_has_come() -> None:
    bookmark = {"kind": "Secret", "metadata": {"resourceVersion": "42"}}
    assert await watched({"type": "BOOKMARK", "object": bookmark}) == [Change("42")]


async def test_secret_without_labels_or_data_is_an_empty_record() -> None:
    bare = {k: v for k, v in ITEM.items() if k != "data"}
    bare["metadata"] = {k: v for k, v in ITEM["metadata"].items() if k != "labels"}
    record = await store(bare).get("g-one")
    assert record is not None
    assert (record.labels, record.data) == ({}, {})


async def test_secret_of_another_type_is_a_record_without_data() -> None:
    record = await store(ITEM | {"type": "Opaque"}).get("g-one")
    assert record is not None
    assert record.data == {}


async def test_update_sends_back_what_others_attached_and_nothing_else() -> None:
    attached = {
        "annotations": {"example.com/note": "kept"},
        "finalizers": ["example.com/backup"],
        "ownerReferences": [{"kind": "Secret", "name": "other", "uid": "uid-2"}],
    }
    managed = {"managedFields": [{"manager": "x"}], "deletionTimestamp": CREATED}
    client = AnsweringClient(ITEM | {"metadata": ITEM["metadata"] | attached | managed})
    grants = KubernetesGrantStore(client, "grants")  # type: ignore[arg-type]
    record = await grants.get("g-one")
    assert record is not None
    assert record.deleting
    await grants.update(record)
    assert client.written is not None
    assert client.written["metadata"] == attached | {
        "name": "g-one",
        "namespace": "grants",
        "labels": {"a": "b"},
        "uid": "uid-1",
        "resourceVersion": "17",
    }


@pytest.mark.attack("R-10")
async def test_capacity_is_learnt_from_the_refusal_of_a_full_namespace_and_forgotten() -> None:
    full = QuotaExceeded("create /x", status=403, reason="Forbidden")
    full.limits = {"count/secrets": 100, "pods": 5}
    clock = HeldClock()
    grants = KubernetesGrantStore(AnsweringClient(full), "grants", monotonic=clock)  # type: ignore[arg-type]
    assert grants.capacity is None
    with pytest.raises(StoreFull):
        await grants.create(RECORD)
    assert grants.capacity == 100
    clock.forward(DAY + 1)
    assert grants.capacity is None


async def test_version_that_is_not_a_number_is_not_an_answer_of_an_api_server() -> None:
    foreign = ITEM | {"metadata": ITEM["metadata"] | {"resourceVersion": "x"}}
    with pytest.raises(Unavailable):
        await store(foreign).get("g-one")
    with pytest.raises(Unreachable):
        await watched({"type": "ADDED", "object": foreign})


@pytest.mark.attack("R-10")
@pytest.mark.parametrize(
    "refusal",
    [
        # Creations that met at the ResourceQuota: "the object has been modified" is the quota's.
        Conflict("create /x", status=409, reason="Conflict"),
        NotFound("create /x", status=404, reason="NotFound"),
    ],
)
async def test_creation_that_fails_because_of_another_object_is_unavailable(
    refusal: ApiError,
) -> None:
    with pytest.raises(Unavailable):
        await store(refusal).create(RECORD)


INVALID = Refused("replace secret", status=422, reason="Invalid")


async def test_secret_that_was_made_immutable_is_a_record_that_cannot_be_changed() -> None:
    record = await store(ITEM | {"immutable": True}).get("g-one")
    assert record is not None
    assert record.immutable
    with pytest.raises(Immutable):
        await store(INVALID).update(record)


async def test_immutable_is_written_back_so_that_labels_can_be_changed() -> None:
    client = AnsweringClient()
    await KubernetesGrantStore(client, "grants").update(  # type: ignore[arg-type]
        replace(RECORD, immutable=True)
    )
    assert client.written is not None
    assert client.written["immutable"] is True
    await KubernetesGrantStore(client, "grants").update(RECORD)  # type: ignore[arg-type]
    assert "immutable" not in client.written


async def test_another_refusal_of_a_change_is_our_own_fault() -> None:
    """An admission policy answers 422, too: it must end no sign-in."""
    with pytest.raises(Unavailable) as caught:
        await store(INVALID).update(RECORD)
    assert caught.value.reason == "grants_refused"
