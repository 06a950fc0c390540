"""Ledgers over a store of grants: compare-and-swap, seals, failures, and who sweeps them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from harness.grantfaults import FaultyStore
from harness.grantkit import HeldClock, HeldKeys, HeldPeople, ana, new_key, records
from productive_contract.names import LABEL_USER, LABEL_USER_UID
from productive_gateway.errors import Unavailable
from productive_gateway.grants.config import DAY, GrantConfig
from productive_gateway.grants.errors import StoreFull
from productive_gateway.grants.ledger import PersonLedgers, ledger_name
from productive_gateway.grants.record import RecordKind
from productive_gateway.grants.retry_budget import RetryLimits
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.grants.sweeper import Sweeper
from productive_gateway.sealing.keys import KeyRing

BO = ana(uid="5f0c6f0e-0000-4000-8000-000000000002", email="bo@example.com")
NO_PAUSES = RetryLimits(conflict_pauses=(0, 0), failure_pauses=(0, 0))


@pytest.fixture
def keys() -> HeldKeys:
    return HeldKeys()


def ledgers(store: FaultyStore, keys: HeldKeys) -> PersonLedgers:
    return PersonLedgers(store, keys, clock=HeldClock(), limits=NO_PAUSES)


def add(word: bytes) -> object:
    """Return a decision that appends a word once, and answers with what it found."""

    def decide(content: bytes | None) -> tuple[bytes | None, bytes | None]:
        words = (content or b"").split()
        return (None if word in words else b" ".join([*words, word])), content

    return decide


async def test_content_is_read_back_by_another_replica(store: FaultyStore, keys: HeldKeys) -> None:
    assert await ledgers(store, keys).swap(ana(), lambda held: (b"one", held)) is None
    assert await ledgers(store, keys).swap(ana(), lambda held: (None, held)) == b"one"


async def test_each_person_has_a_ledger_of_their_own(store: FaultyStore, keys: HeldKeys) -> None:
    both = ledgers(store, keys)
    await both.swap(ana(), lambda _: (b"one", None))
    assert await both.swap(BO, lambda held: (b"two", held)) is None
    assert {one.name for one in await records(store, RecordKind.LEDGER)} == {
        ledger_name(ana().uid),
        ledger_name(BO.uid),
    }


async def test_record_names_its_person_and_shows_nothing_else(
    store: FaultyStore, keys: HeldKeys
) -> None:
    await ledgers(store, keys).swap(ana(), lambda _: (b"wireframes", None))
    [record] = await records(store, RecordKind.LEDGER)
    assert record.labels == {LABEL_USER_UID: ana().uid, LABEL_USER: "ana"}
    assert b"wireframes" not in b"".join(record.data.values())


async def test_nothing_is_written_when_nothing_changes(store: FaultyStore, keys: HeldKeys) -> None:
    await ledgers(store, keys).swap(ana(), lambda held: (None, held))
    assert store.writes() == 0


@pytest.mark.parametrize("method", ["create", "update"])
async def test_change_that_came_second_is_decided_anew(
    store: FaultyStore, keys: HeldKeys, method: str
) -> None:
    if method == "update":
        await ledgers(store, keys).swap(ana(), add(b"zero"))

    async def other() -> None:
        await ledgers(store, keys).swap(ana(), add(b"other"))

    store.hooks["create" if method == "create" else "update"] = other
    await ledgers(store, keys).swap(ana(), add(b"mine"))
    held = await ledgers(store, keys).swap(ana(), lambda held: (None, held))
    assert held.split()[-2:] == [b"other", b"mine"]


@pytest.mark.parametrize("method", ["create", "update"])
async def test_lost_answer_is_decided_again_on_what_was_stored(
    store: FaultyStore, keys: HeldKeys, method: str
) -> None:
    if method == "update":
        await ledgers(store, keys).swap(ana(), add(b"zero"))
    store.fail("create" if method == "create" else "update", "lost")
    seen = await ledgers(store, keys).swap(ana(), add(b"mine"))
    assert seen.split()[-1] == b"mine"
    [record] = await records(store, RecordKind.LEDGER)
    assert store.writes() == (1 if method == "create" else 2)
    assert record.data


async def test_parallel_changes_of_one_process_cost_one_write_each(
    store: FaultyStore, keys: HeldKeys
) -> None:
    one = ledgers(store, keys)
    await asyncio.gather(*(one.swap(ana(), add(b"%d" % n)) for n in range(12)))
    held = await one.swap(ana(), lambda held: (None, held))
    assert sorted(held.split()) == sorted(b"%d" % n for n in range(12))
    assert store.writes() == 12


async def test_parallel_changes_of_two_replicas_are_all_made(
    store: FaultyStore, keys: HeldKeys
) -> None:
    both = ledgers(store, keys), ledgers(store, keys)
    await asyncio.gather(*(both[n % 2].swap(ana(), add(b"%d" % n)) for n in range(8)))
    held = await both[0].swap(ana(), lambda held: (None, held))
    assert sorted(held.split()) == sorted(b"%d" % n for n in range(8))


async def test_store_that_is_away_is_reported(store: FaultyStore, keys: HeldKeys) -> None:
    store.fail("get", "away", times=10)
    with pytest.raises(Unavailable) as error:
        await ledgers(store, keys).swap(ana(), add(b"mine"))
    assert error.value.retry_after == 7


async def test_store_without_room_is_reported(keys: HeldKeys) -> None:
    store = FaultyStore(MemoryGrantStore(capacity=0))
    with pytest.raises(StoreFull):
        await ledgers(store, keys).swap(ana(), add(b"mine"))


async def test_slow_store_costs_each_of_many_calls_the_time_of_one(keys: HeldKeys) -> None:
    store = FaultyStore(MemoryGrantStore())
    store.fail("get", "slow", times=100)
    one = PersonLedgers(store, keys, limits=RetryLimits(seconds=0.2, failures=0))
    begun = asyncio.get_running_loop().time()
    answers = await asyncio.gather(
        *(one.swap(ana(), add(b"%d" % n)) for n in range(8)), return_exceptions=True
    )
    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert asyncio.get_running_loop().time() - begun < 1


@pytest.mark.parametrize("spoilt", ["content", "name"])
async def test_edited_ledger_counts_as_none_and_is_replaced(
    store: FaultyStore, keys: HeldKeys, spoilt: str
) -> None:
    await ledgers(store, keys).swap(ana(), lambda _: (b"one", None))
    [record] = await records(store, RecordKind.LEDGER)
    if spoilt == "content":
        await store.update(replace(record, data={"content": record.data["content"][:-1] + b"!"}))
    else:  # the ledger of somebody else under Ana's name
        await ledgers(store, keys).swap(BO, lambda _: (b"two", None))
        other = await store.get(ledger_name(BO.uid))
        assert other is not None
        await store.update(replace(record, data=other.data))
    assert await ledgers(store, keys).swap(ana(), lambda held: (b"new", held)) is None
    assert await ledgers(store, keys).swap(ana(), lambda held: (None, held)) == b"new"


async def test_key_that_another_replica_took_first_is_read_afresh(store: FaultyStore) -> None:
    old, new = new_key(), new_key()
    ahead = HeldKeys(KeyRing((old, new), new.kid))
    await ledgers(store, ahead).swap(ana(), lambda _: (b"one", None))
    behind = HeldKeys(KeyRing((old,), old.kid))
    behind.stored = ahead.stored
    assert await ledgers(store, behind).swap(ana(), lambda held: (None, held)) == b"one"
    assert behind.reads == 1


async def test_key_ring_that_cannot_be_read_afresh_is_no_empty_ledger(store: FaultyStore) -> None:
    await ledgers(store, HeldKeys()).swap(ana(), lambda _: (b"one", None))
    behind = HeldKeys()
    behind.stored = None
    with pytest.raises(Unavailable):
        await ledgers(store, behind).swap(ana(), lambda held: (b"new", held))


# --- the sweeper


async def sweep(store: FaultyStore, people: HeldPeople, clock: HeldClock, keys: HeldKeys) -> int:
    async def no_pause(_: float) -> None:
        await asyncio.sleep(0)

    sweeper = Sweeper(store, people, keys, GrantConfig("r"), clock=clock, pause=no_pause)
    return await sweeper.sweep()


async def test_ledger_is_swept_a_day_after_it_was_last_written(
    store: FaultyStore, keys: HeldKeys
) -> None:
    clock, people = HeldClock(), HeldPeople(ana(), BO)
    one = PersonLedgers(store, keys, clock=clock)
    await one.swap(ana(), lambda _: (b"one", None))
    await one.swap(BO, lambda _: (b"one", None))
    clock.forward(DAY)
    await one.swap(BO, lambda _: (b"two", None))
    clock.forward(30)
    assert await sweep(store, people, clock, keys) == 0
    clock.forward(1)
    assert await sweep(store, people, clock, keys) == 1
    [left] = await records(store, RecordKind.LEDGER)
    assert left.name == ledger_name(BO.uid)
    assert left.data["content"]


async def test_ledger_written_between_list_and_removal_stays(
    store: FaultyStore, keys: HeldKeys
) -> None:
    clock = HeldClock()
    one = PersonLedgers(store, keys, clock=clock)
    await one.swap(ana(), lambda _: (b"one", None))
    clock.forward(2 * DAY)

    async def write() -> None:
        await one.swap(ana(), lambda _: (b"two", None))

    store.hooks["delete"] = write
    assert await sweep(store, HeldPeople(ana()), clock, keys) == 0
    assert await one.swap(ana(), lambda held: (None, held)) == b"two"


async def test_ledger_of_an_absent_person_goes_at_once_only_where_room_is_short(
    keys: HeldKeys,
) -> None:
    store, clock, people = FaultyStore(MemoryGrantStore(capacity=3)), HeldClock(), HeldPeople(BO)
    one = PersonLedgers(store, keys, clock=clock)
    await one.swap(ana(), lambda _: (b"one", None))
    await one.swap(BO, lambda _: (b"one", None))
    assert await sweep(store, people, clock, keys) == 0
    third = ana(uid="5f0c6f0e-0000-4000-8000-000000000003", email="cy@example.com")
    people.put(third)
    await one.swap(third, lambda _: (b"one", None))
    assert await sweep(store, people, clock, keys) == 1
    left = {record.name for record in await records(store, RecordKind.LEDGER)}
    assert left == {ledger_name(BO.uid), ledger_name(third.uid)}


async def test_ledger_without_a_time_is_judged_by_its_creation(keys: HeldKeys) -> None:
    clock = HeldClock()
    store = FaultyStore(MemoryGrantStore(clock=clock))
    await PersonLedgers(store, keys, clock=clock).swap(ana(), lambda _: (b"one", None))
    [record] = await records(store, RecordKind.LEDGER)
    await store.update(replace(record, data={"content": b"?", "written": b"soon"}))
    clock.forward(DAY + 30)
    assert await sweep(store, HeldPeople(ana()), clock, keys) == 0
    clock.forward(1)
    assert await sweep(store, HeldPeople(ana()), clock, keys) == 1
