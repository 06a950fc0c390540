"""What every store of grants promises: the one in memory and the one in Kubernetes alike."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace

import pytest

from harness.cluster import Cluster
from harness.grantkit import records
from harness.quota import limit_secrets
from productive_contract.names import LABEL_USER_UID
from productive_gateway.grants.errors import Changed, Exists, Missing, StoreFull
from productive_gateway.grants.record import Record, RecordKind
from productive_gateway.grants.store import GrantStore
from productive_gateway.grants.store_kubernetes import KubernetesGrantStore
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_kube.client import KubeClient
from productive_kube.collection import Change, Source
from productive_kube.errors import Gone

Limit = Callable[[int], None]
"""Lets a store take no more than so many records."""


@pytest.fixture(params=["memory", "kubernetes"])
async def limited(request: pytest.FixtureRequest) -> AsyncIterator[tuple[GrantStore, Limit]]:
    if request.param == "memory":
        memory = MemoryGrantStore()

        def limit(records: int) -> None:
            memory.capacity = records

        yield memory, limit
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    async with await KubeClient.connect(
        cluster.kubeconfig("gateway"), user_agent="productive-gateway"
    ) as api:
        yield KubernetesGrantStore(api, cluster.names.grants), lambda n: limit_secrets(cluster, n)


@pytest.fixture
def store(limited: tuple[GrantStore, Limit]) -> GrantStore:
    return limited[0]


def grant(name: str | None = None, *, user_uid: str = "uid-1", **data: bytes) -> Record:
    name = name or f"g-{secrets.token_hex(8)}"
    labels = {LABEL_USER_UID: user_uid}
    return Record(RecordKind.GRANT, name, labels, data or {"field": b"\x00\xff"})


async def test_created_record_can_be_read_and_has_uid_version_and_time(store: GrantStore) -> None:
    wanted = grant()
    created = await store.create(wanted)
    assert created.uid
    assert int(created.version) > 0
    assert created.created > 1_700_000_000
    assert (created.name, created.labels, created.data, created.kind) == (
        wanted.name,
        wanted.labels,
        wanted.data,
        wanted.kind,
    )
    assert await store.get(wanted.name) == created


async def test_missing_record_reads_as_none(store: GrantStore) -> None:
    assert await store.get("g-nothing") is None


async def test_version_is_that_of_lists_and_rises_with_each_change(store: GrantStore) -> None:
    source = grants(store)
    before = int(await source.version())
    created = await store.create(grant())
    assert before < int(created.version) <= int(await source.version())
    listed = await source.list()
    assert listed.items == [created]
    assert int(created.version) <= int(listed.version) <= int(await source.version())


async def test_name_is_created_once(store: GrantStore) -> None:
    first = await store.create(grant("g-one", field=b"first"))
    with pytest.raises(Exists):
        await store.create(grant("g-one", field=b"second"))
    assert await store.get("g-one") == first


async def test_one_of_parallel_creations_succeeds(store: GrantStore) -> None:
    answers = await asyncio.gather(
        *(store.create(grant("g-one")) for _ in range(10)), return_exceptions=True
    )
    assert sum(isinstance(answer, Record) for answer in answers) == 1
    assert sum(isinstance(answer, Exists) for answer in answers) == 9


async def test_update_replaces_what_was_read_and_raises_the_version(store: GrantStore) -> None:
    created = await store.create(grant(one=b"1", two=b"2"))
    changed = replace(created, labels={LABEL_USER_UID: "uid-2"}, data={"three": b"3"})
    updated = await store.update(changed)
    assert updated == replace(changed, version=updated.version)
    assert int(updated.version) > int(created.version)
    assert await store.get(created.name) == updated


async def test_update_of_an_older_version_is_refused(store: GrantStore) -> None:
    created = await store.create(grant())
    updated = await store.update(replace(created, data={"field": b"new"}))
    with pytest.raises(Changed):
        await store.update(replace(created, data={"field": b"late"}))
    assert await store.get(created.name) == updated


async def test_one_of_parallel_updates_of_one_version_succeeds(store: GrantStore) -> None:
    created = await store.create(grant())
    answers = await asyncio.gather(
        *(store.update(replace(created, data={"n": b"%d" % n})) for n in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, Record) for answer in answers) == 1
    assert sum(isinstance(answer, Changed) for answer in answers) == 9


async def test_update_of_a_missing_record_creates_nothing(store: GrantStore) -> None:
    created = await store.create(grant())
    await store.delete(created)
    with pytest.raises(Missing):
        await store.update(created)
    assert await store.get(created.name) is None


async def test_update_of_another_object_of_the_name_is_refused(store: GrantStore) -> None:
    first = await store.create(grant("g-one"))
    await store.delete(first)
    second = await store.create(grant("g-one"))
    with pytest.raises(Changed):
        await store.update(replace(first, version=second.version))


async def test_deletion_removes_exactly_what_was_read(store: GrantStore) -> None:
    created = await store.create(grant())
    updated = await store.update(replace(created, data={"field": b"new"}))
    with pytest.raises(Changed):
        await store.delete(created)
    with pytest.raises(Changed):
        await store.delete(replace(updated, uid="4b1bd1a4-0000-4000-8000-000000000000"))
    await store.delete(updated)
    assert await store.get(created.name) is None
    with pytest.raises(Missing):
        await store.delete(updated)


async def test_list_holds_all_of_its_kind_and_nothing_else(store: GrantStore) -> None:
    made = [await store.create(grant(user_uid=f"uid-{n % 2}")) for n in range(6)]
    labels = {LABEL_USER_UID: "uid-1"}
    binding = Record(RecordKind.SUBJECT, "subject-uid-1", labels, {"digest": b"d"})
    bound = await store.create(binding)
    listed = await records(store)
    assert sorted(listed, key=lambda one: one.name) == sorted(made, key=lambda one: one.name)
    assert await records(store, RecordKind.SUBJECT) == [bound]
    assert (
        await store.list(
            RecordKind.GRANT, lambda record: record.labels[LABEL_USER_UID], user_uid="uid-1"
        )
        == ["uid-1"] * 3
    )


async def test_empty_list_still_has_a_version_to_watch_from(store: GrantStore) -> None:
    listed = await grants(store).list()
    assert listed.items == []
    assert int(listed.version) > 0


def grants(store: GrantStore) -> Source[Record]:
    return store.grants(lambda record: record)


async def watched(store: GrantStore, version: str, count: int) -> list[Change[Record]]:
    found: list[Change[Record]] = []
    async with aclosing(grants(store).watch(version, 5)) as changes:
        async for change in changes:
            if change.item is not None:
                found.append(change)
            if len(found) == count:
                break
    return found


async def test_watch_reports_every_change_of_grants_after_a_list_in_order(
    store: GrantStore,
) -> None:
    await store.create(grant())
    listed = await grants(store).list()
    watching = asyncio.create_task(watched(store, listed.version, 3))
    created = await store.create(grant("g-one"))
    await store.create(Record(RecordKind.SUBJECT, "subject-x", {}, {"digest": b"d"}))
    updated = await store.update(replace(created, data={"field": b"new"}))
    await store.delete(updated)
    [first, second, third] = await watching
    assert (first.item, first.deleted) == (created, False)
    assert (second.item, second.deleted) == (updated, False)
    assert third.deleted
    assert third.item is not None
    assert (third.item.name, third.item.uid) == (created.name, created.uid)
    # It can be continued after any change.
    assert await watched(store, first.version, 2) == [second, third]


async def test_watch_without_changes_ends_after_its_window(store: GrantStore) -> None:
    listed = await grants(store).list()
    async with asyncio.timeout(5):
        async for change in grants(store).watch(listed.version, 1):
            assert change.item is None


async def test_full_store_refuses_new_records_and_changes_those_it_has(
    limited: tuple[GrantStore, Limit],
) -> None:
    store, limit = limited
    created = await store.create(grant())
    limit(1)
    with pytest.raises(StoreFull):
        await store.create(grant())
    updated = await store.update(replace(created, data={"field": b"new"}))
    await store.delete(updated)


async def test_watch_from_a_version_that_is_too_old_is_refused() -> None:
    """Kubernetes does so after minutes only; the cluster tests produce it by a proxy."""
    store = MemoryGrantStore(history=3)
    listed = await grants(store).list()
    for _ in range(4):
        await store.create(grant())
    with pytest.raises(Gone):
        await watched(store, listed.version, 1)
