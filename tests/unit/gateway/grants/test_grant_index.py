"""The watched view: warm reads, tombstones, and what happens when watch or store fail."""

from __future__ import annotations

import asyncio
import copy
import secrets
import time
import tracemalloc
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import pytest

from harness.grantfaults import FaultySource, FaultyStore, Item
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
from harness.oauthkit import audit_log
from productive_gateway.errors import InvalidToken, Unavailable
from productive_gateway.grants.record import Record
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.observability.metrics import REGISTRY
from productive_gateway.sealing.keys import KeyRing
from productive_kube.backoff import Backoff
from productive_kube.collection import Change
from productive_kube.errors import Gone, Unreachable

WINDOW = 1
"""Seconds of a watch in real time, as short as one can be; ages are in held time."""
LATE = 0.2
"""Seconds after which a window that stays silent counts as dead."""


@dataclass
class WatchedStore(FaultyStore):
    """A store whose watch can be cut, held silent or made too old."""

    watching: asyncio.Event = field(default_factory=asyncio.Event)
    audible: asyncio.Event = field(default_factory=asyncio.Event)
    too_old: bool = False
    windows_end_at_once: bool = False
    silent: bool = False
    """Windows end in order, but not even a bookmark comes."""

    @property
    def lists(self) -> int:
        return self.calls.count("list")

    @property
    def windows(self) -> int:
        return self.calls.count("watch")

    def grants(self, decode: Callable[[Record], Item]) -> WatchedSource[Item]:
        return WatchedSource(self, decode)

    def restore(self, backup: MemoryGrantStore) -> None:
        """Put the store back to what it was."""
        self.inner = backup


class WatchedSource(FaultySource[Item]):
    store: WatchedStore

    async def watch(self, version: str, seconds: int) -> AsyncGenerator[Change[Item], None]:
        store = self.store
        if store.too_old:
            store.too_old = False
            raise Gone("watch test", status=410, reason="Expired")
        store.watching.set()
        if store.windows_end_at_once:
            await store.before("watch")
            return
        if store.silent or int(version) > int(await self.inner.version()):
            # What an API server does when it is asked for changes after a version that it has not
            # reached.
            await store.before("watch")
            await asyncio.sleep(seconds)
            return
        async with aclosing(super().watch(version, seconds)) as changes:
            async for change in changes:
                try:
                    async with asyncio.timeout(LATE):
                        await store.audible.wait()
                except TimeoutError as error:
                    raise Unreachable("watch test", status=0, reason="Timeout") from error
                yield change


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
