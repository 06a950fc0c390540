"""The watched view of grants: warm reads, tombstones, keys, and its size."""

from __future__ import annotations

import asyncio
import secrets
import tracemalloc
from dataclasses import replace

import pytest

from harness.grantkit import (
    CLIENT,
    HeldClock,
    HeldKeys,
    Replica,
    ana,
    eventually,
    new_key,
    records,
    sign_in,
)
from harness.grantwatch import WINDOW, WatchedStore
from harness.oauthkit import audit_log
from productive_gateway.errors import InvalidToken
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.observability.metrics import REGISTRY
from productive_gateway.sealing.keys import KeyRing
from productive_kube.backoff import Backoff


@pytest.fixture
def store() -> WatchedStore:
    watched = WatchedStore(MemoryGrantStore())
    watched.audible.set()
    return watched


@pytest.fixture
def replica(store: WatchedStore) -> Replica:
    return Replica.over(store, window=WINDOW, backoff=Backoff(0.01, 0.02))


def gauge(state: str) -> float | None:
    return REGISTRY.get_sample_value("productive_mcp_grants", {"state": state})


async def test_warm_path_does_not_ask_the_store(replica: Replica, store: WatchedStore) -> None:
    tokens = await replica.tokens()
    async with replica.another().watching() as other:
        gets = store.calls.count("get")
        for _ in range(100):
            await other.grants.authenticate(tokens.access_token)
        assert store.calls.count("get") == gets


async def test_grant_made_at_another_replica_arrives_by_the_watch(
    replica: Replica, store: WatchedStore
) -> None:
    async with replica.another().watching() as other:
        tokens = await replica.tokens()
        await eventually(lambda: len(other.index) == 1, what="the grant arrived")
        await other.grants.authenticate(tokens.access_token)


async def test_replica_whose_watch_is_behind_asks_once_for_a_grant(
    replica: Replica, store: WatchedStore
) -> None:
    async with replica.another().watching() as other:
        store.audible.clear()
        tokens = await replica.tokens()
        store.calls.clear()
        await asyncio.gather(*(other.grants.authenticate(tokens.access_token) for _ in range(20)))
        assert store.calls.count("get") == 1
        store.audible.set()


async def test_not_found_is_asked_for_once_and_makes_a_tombstone(
    replica: Replica, store: WatchedStore
) -> None:
    tokens = await replica.tokens()
    for record in await records(store):
        await store.inner.delete(record)
    other = replica.another()
    store.calls.clear()
    for _ in range(5):
        assert await other.refuses(tokens.access_token)
    assert store.calls.count("get") == 1


async def test_deleted_grant_is_refused_as_soon_as_the_watch_reports_it(
    replica: Replica, store: WatchedStore
) -> None:
    tokens = await replica.tokens()
    async with replica.another().watching() as other:
        await other.grants.authenticate(tokens.access_token)
        for record in await records(store):
            await store.inner.delete(record)
        await eventually(lambda: other.refuses(tokens.access_token), what="refused")


async def test_grant_ended_elsewhere_is_refused_as_soon_as_the_watch_reports_it(
    replica: Replica,
) -> None:
    tokens = await replica.tokens()
    async with replica.another().watching() as other:
        await replica.grants.revoke(tokens.access_token, client_id=CLIENT)
        await eventually(lambda: other.refuses(tokens.access_token), what="refused")


@pytest.mark.attack("J-14")
async def test_deleted_grant_that_is_restored_stays_refused(
    replica: Replica, store: WatchedStore
) -> None:
    tokens = await replica.tokens()
    [record] = await records(store)
    async with replica.another().watching() as other:
        await store.inner.delete(record)
        await eventually(lambda: other.refuses(tokens.access_token), what="refused")
        with audit_log() as log:
            await store.inner.create(record)
            await replica.code()
            await eventually(lambda: len(other.index) == 1, what="the watch went on")
        assert "record_tampered" in log.events()
        assert await other.refuses(tokens.access_token)
    # A replica that never saw the deletion refuses the record itself.
    assert await replica.another().refuses(tokens.access_token)


@pytest.mark.attack("R-02")
async def test_list_makes_no_tombstones(replica: Replica, store: WatchedStore) -> None:
    tokens = await replica.tokens()
    async with replica.watching() as other:
        lists = store.lists
        store.too_old = True
        await eventually(lambda: store.lists > lists, what="listed again")
        await eventually(lambda: other.index.healthy, what="healthy again")
        await other.grants.authenticate(tokens.access_token)


@pytest.mark.attack("R-02")
async def test_grant_deleted_while_the_watch_was_too_old_is_refused(
    replica: Replica, store: WatchedStore
) -> None:
    tokens = await replica.tokens()
    async with replica.another().watching() as other:
        store.too_old = True
        store.audible.clear()
        for record in await records(store):
            await store.inner.delete(record)
        store.audible.set()
        await eventually(lambda: other.refuses(tokens.access_token), what="refused")


@pytest.mark.attack("R-15")
async def test_grant_in_the_index_whose_key_is_retired_is_refused(
    replica: Replica, store: WatchedStore
) -> None:
    old = replica.keys.ring()
    key = new_key()
    both = KeyRing((*old.keys, key), key.kid)
    replica.keys.put(both)
    tokens = await replica.tokens()
    replica.keys.put(replace(both, current=old.current))
    async with replica.watching():
        renewed = await replica.refresh(tokens.refresh_token)  # the record is under the old key now
        await replica.grants.authenticate(renewed.access_token)
        replica.keys.put(KeyRing((key,), key.kid))
        assert await replica.refuses(tokens.access_token)


@pytest.mark.attack("R-15")
async def test_key_that_the_index_does_not_know_yet_is_read_when_needed(
    replica: Replica, store: WatchedStore
) -> None:
    replica_keys = HeldKeys(replica.keys.ring())
    key = new_key()
    replica.keys.put(KeyRing((*replica.keys.ring().keys, key), key.kid))
    tokens = await replica.tokens()
    async with replica.another(keys=replica_keys).watching() as other:
        assert gauge("foreign") == 1
        replica_keys.stored = replica.keys.ring()
        await other.grants.authenticate(tokens.access_token)
        assert (gauge("foreign"), gauge("active")) == (0, 1)


@pytest.mark.attack("R-09")
async def test_edited_grant_is_refused_as_soon_as_the_watch_reports_it(
    replica: Replica, store: WatchedStore
) -> None:
    tokens = await replica.tokens()
    async with replica.another().watching() as other:
        [record] = await records(store)
        edited = {**record.data, "scopes": b"productive:admin"}
        await store.inner.update(replace(record, data=edited))
        await eventually(lambda: other.refuses(tokens.access_token), what="refused")
        gets = store.calls.count("get")
        assert await other.refuses(tokens.access_token)
        assert store.calls.count("get") == gets


async def test_caller_that_gives_up_does_not_take_the_answer_from_others(
    replica: Replica, store: WatchedStore
) -> None:
    tokens = await replica.tokens()
    other = replica.another()
    leaving = asyncio.create_task(other.grants.authenticate(tokens.access_token))
    waiting = asyncio.create_task(other.grants.authenticate(tokens.access_token))
    await asyncio.sleep(0)
    leaving.cancel()
    await waiting
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_tombstones_are_kept_as_long_as_an_access_token_can_live(
    replica: Replica, store: WatchedStore
) -> None:
    first, second = await replica.tokens(), await replica.tokens()
    [name, _] = [record.name for record in await records(store)]
    await replica.grants.revoke(first.access_token, client_id=CLIENT)
    replica.clock.forward(replica.config.access_life + 59)
    await replica.grants.revoke(second.refresh_token, client_id=CLIENT)
    gets = store.calls.count("get")
    with pytest.raises(InvalidToken):
        await replica.index.find(name)
    assert store.calls.count("get") == gets
    replica.clock.forward(2)
    await replica.grants.revoke((await replica.tokens()).access_token, client_id=CLIENT)
    gets = store.calls.count("get")
    with pytest.raises(InvalidToken):
        await replica.index.find(name)
    assert store.calls.count("get") == gets + 1


async def test_index_takes_less_than_a_kilobyte_for_a_grant() -> None:
    replica = Replica.over(MemoryGrantStore())
    grants = [sign_in(replica.clock, person=ana(uid=secrets.token_hex(16))) for _ in range(300)]
    for one in grants:
        replica.people.put(replace(one.person, email=f"{one.person.uid}@example.com"))
        await replica.redeem(await replica.grants.begin(one))
    other = replica.another(clock=HeldClock())
    tracemalloc.start()
    async with other.watching():
        await eventually(lambda: len(other.index) == 300, what="all are there")
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert taken / 300 < 1024
