"""The watched view of grants when the watch breaks, the store is away, or was restored."""

from __future__ import annotations

import asyncio
import copy
import time
from dataclasses import replace

import pytest

from harness.grantkit import CLIENT, HeldClock, Replica, eventually, records
from harness.grantwatch import WINDOW, WatchedStore
from productive_gateway.errors import Unavailable
from productive_gateway.grants.record import Record
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_kube.backoff import Backoff


@pytest.fixture
def store() -> WatchedStore:
    watched = WatchedStore(MemoryGrantStore())
    watched.audible.set()
    return watched


def by_version(record: Record) -> int:
    return int(record.version)


@pytest.fixture
def replica(store: WatchedStore) -> Replica:
    return Replica.over(store, window=WINDOW, backoff=Backoff(0.01, 0.02))


@pytest.mark.attack("R-02")
async def test_silent_watch_is_given_up_and_begun_again(
    replica: Replica, store: WatchedStore
) -> None:
    tokens = await replica.tokens()
    async with replica.another().watching() as other:
        store.audible.clear()
        store.watching.clear()
        await replica.grants.revoke(tokens.access_token, client_id=CLIENT)
        await asyncio.wait_for(store.watching.wait(), 5)
        assert len(other.index) == 0
        assert await other.refuses(tokens.access_token)
        store.audible.set()
        await other.grants.authenticate((await replica.tokens()).access_token)


@pytest.mark.attack("R-02")
async def test_each_grant_is_asked_for_every_ten_seconds_while_the_watch_is_broken(
    replica: Replica, store: WatchedStore
) -> None:
    tokens = await replica.tokens()
    other = replica.another()
    store.calls.clear()
    for _ in range(3):
        await other.grants.authenticate(tokens.access_token)
    assert store.calls.count("get") == 1
    replica.clock.forward(10)
    await other.grants.authenticate(tokens.access_token)
    assert store.calls.count("get") == 2
    for record in await records(store):
        await store.inner.delete(record)
    replica.clock.forward(10)
    assert await other.refuses(tokens.access_token)


@pytest.mark.attack("R-02")
async def test_known_grants_serve_for_five_minutes_while_the_store_cannot_be_reached(
    replica: Replica, store: WatchedStore
) -> None:
    known, unknown = await replica.tokens(), await replica.tokens()
    other = replica.another()
    await other.grants.authenticate(known.access_token)
    store.fail("get", "away", times=1000)
    replica.clock.forward(299)
    store.calls.clear()
    for _ in range(50):
        await other.grants.authenticate(known.access_token)
    assert store.calls.count("get") == 1  # one that failed is enough to know for a moment
    with pytest.raises(Unavailable):
        await other.grants.authenticate(unknown.access_token)
    replica.clock.forward(2)
    with pytest.raises(Unavailable) as trouble:
        await other.grants.authenticate(known.access_token)
    assert trouble.value.reason == "grants_away"
    store.faults.clear()
    replica.clock.forward(2)
    await other.grants.authenticate(known.access_token)
    await other.grants.authenticate(unknown.access_token)


async def test_tombstone_counts_while_the_store_cannot_be_reached(
    replica: Replica, store: WatchedStore
) -> None:
    tokens = await replica.tokens()
    await replica.grants.revoke(tokens.access_token, client_id=CLIENT)
    store.fail("get", "away", times=1000)
    assert await replica.refuses(tokens.access_token)


async def test_wall_clock_that_is_set_back_does_not_make_an_old_view_fresh(
    replica: Replica,
) -> None:
    monotonic = HeldClock(1000)
    other = replica.another(monotonic=monotonic)
    async with other.watching():
        assert other.index.healthy
    monotonic.forward(60)
    replica.clock.forward(-3600)
    assert not other.index.healthy


async def test_after_the_wall_clock_was_set_back_grants_are_asked_for_and_an_outage_ends(
    replica: Replica, store: WatchedStore
) -> None:
    tokens = await replica.tokens()
    monotonic = HeldClock(1000)
    other = replica.another(monotonic=monotonic)
    await other.grants.authenticate(tokens.access_token)
    replica.clock.forward(-3600)
    store.fail("get", "away", times=1)
    monotonic.forward(301)
    with pytest.raises(Unavailable):
        await other.grants.authenticate(tokens.access_token)
    monotonic.forward(2)
    await other.grants.authenticate(tokens.access_token)
    for record in await records(store):
        await store.inner.delete(record)
    monotonic.forward(10)
    assert await other.refuses(tokens.access_token)


@pytest.mark.attack("R-02")
async def test_list_that_expired_is_begun_again_and_drops_what_it_does_not_hold(
    replica: Replica, store: WatchedStore
) -> None:
    dead, living = await replica.tokens(), await replica.tokens()
    async with replica.watching() as other:
        # No event reports this deletion: the watch is too old when it comes back.
        store.audible.clear()
        oldest = min(await records(store), key=by_version)
        store.fail("watch", "expired")
        store.fail("list", "expired")
        await store.inner.delete(oldest)
        await eventually(lambda: len(other.index) == 1, what="it was dropped")
        store.audible.set()
        assert await other.refuses(dead.access_token)
        await other.grants.authenticate(living.access_token)


@pytest.mark.attack("J-14")
async def test_grant_unknown_to_a_restored_store_is_refused_although_the_watch_is_silent(
    replica: Replica, store: WatchedStore
) -> None:
    older = await replica.tokens()
    backup = copy.deepcopy(store.inner)
    younger = await replica.tokens()
    async with replica.another().watching() as other:
        await other.grants.authenticate(younger.access_token)
        store.restore(backup)
        await eventually(lambda: other.refuses(younger.access_token), what="refused")
        await eventually(lambda: other.index.healthy, what="healthy again")
        await other.grants.authenticate(older.access_token)


@pytest.mark.attack("J-14")
@pytest.mark.attack("R-09")
async def test_changes_after_a_restore_are_seen_although_their_versions_are_lower(
    replica: Replica, store: WatchedStore
) -> None:
    tokens = await replica.tokens()
    backup = copy.deepcopy(store.inner)
    async with replica.another().watching() as other:
        for _ in range(5):  # the grant's version leaves that of the backup behind
            tokens = await replica.refresh(tokens.refresh_token)
        [record] = await records(store)

        async def arrived() -> bool:
            return (await other.index.find(record.name)).version == int(record.version)

        await eventually(arrived, what="the watch has come so far")
        store.restore(backup)
        lists = store.lists
        await eventually(lambda: store.lists > lists and other.index.healthy, what="listed")
        [restored] = await records(backup)
        edited = {**restored.data, "scopes": b"productive:admin"}
        await backup.update(replace(restored, data=edited))
        await eventually(lambda: other.refuses(tokens.access_token), what="refused")


@pytest.mark.attack("J-14")
async def test_entry_from_our_own_read_ahead_of_the_watch_does_not_outlive_a_restore(
    replica: Replica, store: WatchedStore
) -> None:
    tokens = await replica.tokens()
    [record] = await records(store)
    other = replica.another()
    other.index.note(replace(record, version="500"))
    async with other.watching():
        edited = {**record.data, "scopes": b"productive:admin"}
        await store.inner.update(replace(record, data=edited))
        await eventually(lambda: other.refuses(tokens.access_token), what="refused")


async def test_silent_window_at_the_present_version_needs_no_new_list(store: WatchedStore) -> None:
    clock = HeldClock()
    replica = Replica.over(
        store,
        clock=clock,
        # Windows that take no time would count as cut short.
        monotonic=lambda: clock() + time.monotonic(),
        window=WINDOW,
        backoff=Backoff(0.01, 0.02),
    )
    tokens = await replica.tokens()
    store.silent = True
    async with replica.another().watching() as other:
        windows, lists = store.windows, store.lists
        replica.clock.forward(60)
        await eventually(lambda: store.windows > windows + 1, what="two windows")
        assert other.index.healthy
        assert store.lists == lists
        await other.grants.authenticate(tokens.access_token)


async def test_watch_survives_an_outage_of_the_store(replica: Replica, store: WatchedStore) -> None:
    store.fail("list", "away")
    store.fail("watch", "away", times=2)
    async with replica.another().watching() as other:
        tokens = await replica.tokens()
        await eventually(lambda: len(other.index) == 1, what="the grant arrived")
        await other.grants.authenticate(tokens.access_token)
