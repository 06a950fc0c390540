"""The watched view: warm reads, tombstones, and what happens when watch or store are away."""

from __future__ import annotations

import asyncio
import secrets
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest

from harness.grantkit import (
    CLIENT,
    Desk,
    FaultyStore,
    HeldClock,
    ana,
    desk,
    eventually,
    new_key,
    records,
    refused,
    running,
    sign_in,
)
from productive_gateway.errors import Unavailable
from productive_gateway.grants import index as index_module
from productive_gateway.grants.errors import Expired
from productive_gateway.grants.index import GrantIndex
from productive_gateway.grants.store import Change, Kind, Page
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.observability.metrics import GRANTS
from productive_gateway.sealing.keys import KeyRing


@dataclass
class WatchedStore(FaultyStore):
    """A store whose watch can be cut, held silent or made too old."""

    watching: asyncio.Event = field(default_factory=asyncio.Event)
    audible: asyncio.Event = field(default_factory=asyncio.Event)
    too_old: bool = False
    windows_end_at_once: bool = False
    lists: int = 0
    windows: int = 0

    async def pages(self, kind: Kind, *, user_uid: str | None = None) -> AsyncIterator[Page]:
        self.lists += 1
        async for page in super().pages(kind, user_uid=user_uid):
            yield page

    async def watch(self, version: str, *, seconds: float) -> AsyncIterator[Change]:
        if self.too_old:
            self.too_old = False
            raise Expired
        self.watching.set()
        self.windows += 1
        if self.windows_end_at_once:
            return
        if int(version) > int(await self.inner.version()):
            # What an API server does that is asked for changes after a version it has not come to.
            await asyncio.sleep(seconds)
            return
        async for change in super().watch(version, seconds=seconds):
            await self.audible.wait()
            yield change

    def restore(self, backup: MemoryGrantStore) -> None:
        """Put the store back to what it was."""
        self.inner = backup


async def backup_of(store: WatchedStore) -> MemoryGrantStore:
    """Return a store that holds what `store` holds now, at the same version."""
    copy = MemoryGrantStore()
    copy._records = {record.name: record for record in await records(store.inner)}
    copy._version = int(await store.inner.version())
    return copy


@pytest.fixture(autouse=True)
def short_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of the watch in real time, as short as a test can be; ages are in held time."""
    monkeypatch.setattr(index_module, "WINDOW", 0.2)
    monkeypatch.setattr(index_module, "LATE", 0.2)


@pytest.fixture
def store() -> WatchedStore:
    watched = WatchedStore(MemoryGrantStore())
    watched.audible.set()
    return watched


@pytest.fixture
def front(store: WatchedStore) -> Desk:
    return desk(store)


def index_of(front: Desk) -> GrantIndex:
    return front.grants._index


async def test_the_warm_path_asks_nobody(front: Desk, store: WatchedStore) -> None:
    tokens = await front.tokens()
    async with running(front.replica()) as replica:
        gets = store.calls.count("get")
        for _ in range(100):
            await replica.grants.authenticate(tokens.access_token)
        assert store.calls.count("get") == gets


async def test_a_grant_made_at_another_replica_arrives_by_the_watch(
    front: Desk, store: WatchedStore
) -> None:
    async with running(front.replica()) as replica:
        tokens = await front.tokens()
        await eventually(lambda: len(index_of(replica)) == 1, what="the grant arrived")
        await replica.grants.authenticate(tokens.access_token)


async def test_a_replica_whose_watch_is_behind_asks_once_for_a_grant(
    front: Desk, store: WatchedStore
) -> None:
    async with running(front.replica()) as replica:
        store.audible.clear()
        tokens = await front.tokens()
        store.calls.clear()
        await asyncio.gather(*(replica.grants.authenticate(tokens.access_token) for _ in range(20)))
        assert store.calls.count("get") == 1
        store.audible.set()


async def test_only_a_not_found_makes_a_tombstone_and_it_is_asked_for_once(
    front: Desk, store: WatchedStore
) -> None:
    tokens = await front.tokens()
    for record in await records(store):
        await store.inner.delete(record)
    replica = front.replica()
    store.calls.clear()
    for _ in range(5):
        assert await refused(replica, tokens.access_token)
    assert store.calls.count("get") == 1


async def test_a_deleted_grant_is_refused_as_soon_as_the_watch_says_so(
    front: Desk, store: WatchedStore
) -> None:
    tokens = await front.tokens()
    async with running(front.replica()) as replica:
        await replica.grants.authenticate(tokens.access_token)
        for record in await records(store):
            await store.inner.delete(record)
        await eventually(lambda: refused(replica, tokens.access_token), what="refused")


async def test_a_grant_that_was_ended_elsewhere_is_refused_as_soon_as_the_watch_says_so(
    front: Desk,
) -> None:
    tokens = await front.tokens()
    async with running(front.replica()) as replica:
        await front.grants.revoke(tokens.access_token, client_id=CLIENT)
        await eventually(lambda: refused(replica, tokens.access_token), what="refused")


@pytest.mark.attack("J-14")
async def test_a_deleted_grant_that_is_restored_stays_refused(
    front: Desk, store: WatchedStore
) -> None:
    tokens = await front.tokens()
    [record] = await records(store)
    async with running(front.replica()) as replica:
        await store.inner.delete(record)
        await eventually(lambda: refused(replica, tokens.access_token), what="refused")
        await store.inner.create(record)
        await front.code()
        await eventually(lambda: len(index_of(replica)) == 1, what="the watch went on")
        assert await refused(replica, tokens.access_token)
    # A replica that never saw the deletion refuses the record itself.
    assert await refused(front.replica(), tokens.access_token)


@pytest.mark.attack("R-02")
async def test_a_list_makes_no_tombstones(front: Desk, store: WatchedStore) -> None:
    tokens = await front.tokens()
    async with running(front) as replica:
        lists = store.lists
        store.too_old = True
        await eventually(lambda: store.lists > lists, what="listed again")
        await eventually(lambda: replica.grants.healthy, what="healthy again")
        await replica.grants.authenticate(tokens.access_token)


@pytest.mark.attack("R-02")
async def test_what_was_deleted_while_the_watch_was_too_old_is_asked_for_and_refused(
    front: Desk, store: WatchedStore
) -> None:
    tokens = await front.tokens()
    async with running(front.replica()) as replica:
        store.too_old = True
        store.audible.clear()
        for record in await records(store):
            await store.inner.delete(record)
        store.audible.set()
        await eventually(lambda: refused(replica, tokens.access_token), what="refused")


@pytest.mark.attack("R-02")
async def test_a_silent_watch_is_given_up_and_continued_where_it_was(
    front: Desk, store: WatchedStore
) -> None:
    tokens = await front.tokens()
    async with running(front.replica()) as replica:
        store.audible.clear()
        store.watching.clear()
        await front.grants.revoke(tokens.access_token, client_id=CLIENT)
        await asyncio.wait_for(store.watching.wait(), 5)
        store.audible.set()
        lists = store.lists
        await eventually(lambda: refused(replica, tokens.access_token), what="refused")
        assert store.lists == lists


@pytest.mark.attack("R-02")
async def test_with_a_broken_watch_each_grant_is_asked_for_every_ten_seconds(
    front: Desk, store: WatchedStore
) -> None:
    tokens = await front.tokens()
    replica = front.replica()
    store.calls.clear()
    for _ in range(3):
        await replica.grants.authenticate(tokens.access_token)
    assert store.calls.count("get") == 1
    front.clock.forward(10)
    await replica.grants.authenticate(tokens.access_token)
    assert store.calls.count("get") == 2
    for record in await records(store):
        await store.inner.delete(record)
    front.clock.forward(10)
    assert await refused(replica, tokens.access_token)


@pytest.mark.attack("R-02")
async def test_with_the_store_away_known_grants_serve_for_five_minutes_and_others_do_not(
    front: Desk, store: WatchedStore
) -> None:
    known, unknown = await front.tokens(), await front.tokens()
    replica = front.replica()
    await replica.grants.authenticate(known.access_token)
    store.fail("get", "away", times=1000)
    front.clock.forward(299)
    store.calls.clear()
    for _ in range(50):
        await replica.grants.authenticate(known.access_token)
    assert store.calls.count("get") == 1  # one that failed is enough to know for a moment
    with pytest.raises(Unavailable):
        await replica.grants.authenticate(unknown.access_token)
    front.clock.forward(2)
    with pytest.raises(Unavailable) as trouble:
        await replica.grants.authenticate(known.access_token)
    assert trouble.value.reason == "grants_away"
    store.faults.clear()
    front.clock.forward(2)
    await replica.grants.authenticate(known.access_token)
    await replica.grants.authenticate(unknown.access_token)


async def test_a_tombstone_counts_while_the_store_is_away(front: Desk, store: WatchedStore) -> None:
    tokens = await front.tokens()
    await front.grants.revoke(tokens.access_token, client_id=CLIENT)
    store.fail("get", "away", times=1000)
    assert await refused(front, tokens.access_token)


async def test_a_clock_that_was_set_back_makes_no_old_view_a_fresh_one(
    front: Desk, store: WatchedStore
) -> None:
    async with running(front):
        assert front.grants.healthy
    front.clock.forward(-3600)
    assert not front.grants.healthy


async def test_after_a_clock_was_set_back_grants_are_asked_for_and_an_outage_has_an_end(
    front: Desk, store: WatchedStore
) -> None:
    tokens = await front.tokens()
    replica = front.replica()
    await replica.grants.authenticate(tokens.access_token)
    front.clock.forward(-3600)
    store.fail("get", "away", times=1)
    with pytest.raises(Unavailable):
        await replica.grants.authenticate(tokens.access_token)
    front.clock.forward(-3600)
    await replica.grants.authenticate(tokens.access_token)
    for record in await records(store):
        await store.inner.delete(record)
    front.clock.forward(-3600)
    assert await refused(replica, tokens.access_token)


@pytest.mark.attack("R-15")
async def test_a_grant_in_the_index_whose_key_is_retired_is_refused(
    front: Desk, store: WatchedStore
) -> None:
    old = front.keys.ring()
    key = new_key()
    both = KeyRing((*old.keys, key), key.kid)
    front.keys.put(both)
    tokens = await front.tokens()
    front.keys.put(replace(both, current=old.current))
    async with running(front):
        renewed = await front.refresh(tokens.refresh_token)  # the record is under the old key now
        await front.grants.authenticate(renewed.access_token)
        front.keys.put(KeyRing((key,), key.kid))
        assert await refused(front, tokens.access_token)


@pytest.mark.attack("R-15")
async def test_a_key_that_the_index_does_not_know_yet_is_read_when_it_is_needed(
    front: Desk, store: WatchedStore
) -> None:
    replica_keys = type(front.keys)(front.keys.ring())
    key = new_key()
    front.keys.put(KeyRing((*front.keys.ring().keys, key), key.kid))
    tokens = await front.tokens()
    async with running(front.replica(keys=replica_keys)) as replica:
        assert GRANTS.labels(state="foreign")
        replica_keys.stored = front.keys.ring()
        await replica.grants.authenticate(tokens.access_token)


@pytest.mark.attack("R-09")
async def test_an_edited_grant_is_refused_as_soon_as_the_watch_shows_it(
    front: Desk, store: WatchedStore
) -> None:
    tokens = await front.tokens()
    async with running(front.replica()) as replica:
        [record] = await records(store)
        edited = {**record.data, "scopes": b"productive:admin"}
        await store.inner.update(replace(record, data=edited))
        await eventually(lambda: refused(replica, tokens.access_token), what="refused")
        gets = store.calls.count("get")
        assert await refused(replica, tokens.access_token)
        assert store.calls.count("get") == gets


@pytest.mark.attack("R-02")
async def test_a_list_that_got_too_old_is_begun_anew_and_drops_what_is_not_there(
    front: Desk, store: WatchedStore
) -> None:
    dead, living = await front.tokens(), await front.tokens()
    async with running(front) as replica:
        # Nobody tells of this deletion: the watch is too old when it comes back.
        store.audible.clear()
        [one] = [
            r
            for r in await records(store)
            if r.version == min((r.version for r in await records(store)), key=int)
        ]
        await store.inner.delete(one)
        store.fail("watch", "expired", times=1)
        store.fail("pages", "expired", times=1)
        await eventually(lambda: len(index_of(replica)) == 1, what="it was dropped")
        store.audible.set()
        assert await refused(replica, dead.access_token)
        await replica.grants.authenticate(living.access_token)


@pytest.mark.attack("J-14")
async def test_a_grant_that_a_restored_store_does_not_know_is_refused_though_the_watch_is_silent(
    front: Desk, store: WatchedStore
) -> None:
    older = await front.tokens()
    backup = await backup_of(store)
    younger = await front.tokens()
    async with running(front.replica()) as replica:
        await replica.grants.authenticate(younger.access_token)
        store.restore(backup)
        await eventually(lambda: refused(replica, younger.access_token), what="refused")
        await eventually(lambda: replica.grants.healthy, what="healthy again")
        await replica.grants.authenticate(older.access_token)


@pytest.mark.attack("J-14")
@pytest.mark.attack("R-09")
async def test_after_a_restore_changes_are_seen_although_their_versions_are_lower(
    front: Desk, store: WatchedStore
) -> None:
    tokens = await front.tokens()
    backup = await backup_of(store)
    async with running(front.replica()) as replica:
        for _ in range(5):  # the grant's version leaves that of the backup behind
            tokens = await front.refresh(tokens.refresh_token)
        [record] = await records(store)
        await eventually(
            lambda: index_of(replica)._entries[record.name].version == int(record.version),
            what="the watch has come so far",
        )
        store.restore(backup)
        lists = store.lists
        await eventually(lambda: store.lists > lists and replica.grants.healthy, what="listed")
        [restored] = await records(backup)
        edited = {**restored.data, "scopes": b"productive:admin"}
        await backup.update(replace(restored, data=edited))
        await eventually(lambda: refused(replica, tokens.access_token), what="refused")


async def test_a_silent_window_at_the_present_version_needs_no_new_list(
    front: Desk, store: WatchedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silence(version: str, *, seconds: float) -> AsyncIterator[Change]:
        await asyncio.sleep(seconds)
        for change in ():
            yield change

    tokens = await front.tokens()
    monkeypatch.setattr(store.inner, "watch", silence)
    async with running(front.replica()) as replica:
        windows, lists = store.windows, store.lists
        front.clock.forward(60)
        await eventually(lambda: store.windows > windows + 1, what="two windows")
        assert replica.grants.healthy
        assert store.lists == lists
        await replica.grants.authenticate(tokens.access_token)


async def test_a_server_that_closes_each_window_at_once_is_not_asked_without_a_break(
    front: Desk, store: WatchedStore
) -> None:
    store.windows_end_at_once = True
    async with running(front.replica()):
        await asyncio.sleep(0.5)
        assert store.windows <= 5


async def test_the_watch_outlives_a_store_that_is_away_for_a_while(
    front: Desk, store: WatchedStore
) -> None:
    store.fail("pages", "away", times=1)
    store.fail("watch", "away", times=2)
    async with running(front.replica()) as replica:
        tokens = await front.tokens()
        await eventually(lambda: len(index_of(replica)) == 1, what="the grant arrived")
        await replica.grants.authenticate(tokens.access_token)


async def test_who_gives_up_waiting_does_not_take_the_answer_from_others(
    front: Desk, store: WatchedStore
) -> None:
    tokens = await front.tokens()
    replica = front.replica()
    impatient = asyncio.create_task(replica.grants.authenticate(tokens.access_token))
    patient = asyncio.create_task(replica.grants.authenticate(tokens.access_token))
    await asyncio.sleep(0)
    impatient.cancel()
    await patient
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_tombstones_are_kept_as_long_as_an_access_token_can_live(
    front: Desk, store: WatchedStore
) -> None:
    tokens = await front.tokens()
    async with running(front):
        await front.grants.revoke(tokens.access_token, client_id=CLIENT)
        tombstones = index_of(front)._tombstones
        await eventually(lambda: len(tombstones) == 1, what="a tombstone")
        front.clock.forward(front.config.access_life + 61)
        await eventually(lambda: len(tombstones) == 0, what="the tombstone is gone")


async def test_the_index_takes_less_than_a_kilobyte_for_a_grant() -> None:
    front = desk(MemoryGrantStore())
    grants = [sign_in(front.clock, person=ana(uid=secrets.token_hex(16))) for _ in range(300)]
    for one in grants:
        front.people.put(replace(one.person, email=f"{one.person.uid}@example.com"))
        await front.redeem(await front.grants.begin(one))
    replica = front.replica(clock=HeldClock())
    tracemalloc.start()
    task = asyncio.create_task(replica.grants.run())
    await eventually(lambda: len(index_of(replica)) == 300, what="all are there")
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert taken / 300 < 1024
