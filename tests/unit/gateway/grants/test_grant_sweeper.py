"""What the sweeper takes away, and what it must leave alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from harness.grantkit import (
    CLIENT,
    NOW,
    RESOURCE,
    Desk,
    FaultyStore,
    HeldPeople,
    ana,
    desk,
    new_key,
    records,
)
from productive_gateway.errors import InvalidToken, Unavailable
from productive_gateway.grants.config import DAY, GrantConfig
from productive_gateway.grants.errors import AlreadyCompleted, Expired
from productive_gateway.grants.record import decode
from productive_gateway.grants.store import Kind
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.grants.sweeper import Sweeper
from productive_gateway.sealing.keys import KeyRing

BO = ana(uid="5f0c6f0e-0000-4000-8000-000000000002", email="bo@example.com")


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore(MemoryGrantStore())


@pytest.fixture
def front(store: FaultyStore) -> Desk:
    return desk(store, people=HeldPeople(ana(), BO))


def sweeper(front: Desk) -> Sweeper:
    return Sweeper(front.store, front.people, front.keys, front.config, clock=front.clock, pace=0)


async def names(front: Desk, kind: Kind = Kind.GRANT) -> set[str]:
    return {record.name for record in await records(front.store, kind)}


@pytest.mark.attack("F-06")
async def test_a_code_that_was_never_redeemed_is_swept_when_its_transaction_is_over(
    front: Desk,
) -> None:
    await front.code()
    front.clock.forward(1200)
    assert await sweeper(front).sweep() == 0
    front.clock.forward(31)
    assert await sweeper(front).sweep() == 1
    assert await names(front) == set()
    assert len(await names(front, Kind.SUBJECT)) == 1


async def test_expired_and_gone_grants_are_swept_and_living_ones_stay(front: Desk) -> None:
    await front.tokens()
    front.clock.forward(7 * DAY - 1)
    revoked, living = await front.tokens(), await front.tokens()
    await front.grants.revoke(revoked.access_token, client_id=CLIENT)
    front.clock.forward(32)
    assert await sweeper(front).sweep() == 1
    assert len(await names(front)) == 2
    front.clock.forward(1200)
    assert await sweeper(front).sweep() == 1
    await front.refresh(living.refresh_token)


@pytest.mark.attack("R-04")
async def test_two_sweepers_at_once_do_nothing_twice(front: Desk) -> None:
    for _ in range(20):
        await front.code()
    front.clock.forward(1300)
    taken = await asyncio.gather(sweeper(front).sweep(), sweeper(front.replica()).sweep())
    assert sum(taken) == 20


@pytest.mark.attack("R-04")
async def test_a_grant_renewed_between_list_and_removal_stays(
    front: Desk, store: FaultyStore
) -> None:
    config = GrantConfig(RESOURCE, refresh_idle=DAY)
    idle = desk(store, people=front.people, keys=front.keys, clock=front.clock, config=config)
    tokens = await idle.tokens()
    front.clock.forward(DAY + 31)
    original = store.delete

    async def renewed_first(record: object) -> None:
        # Another replica's clock is behind, so it still takes the refresh.
        store.delete = original  # type: ignore[method-assign]
        front.clock.forward(-60)
        await idle.refresh(tokens.refresh_token)
        await original(record)  # type: ignore[arg-type]

    store.delete = renewed_first  # type: ignore[method-assign, assignment]
    assert await sweeper(idle).sweep() == 0
    assert len(await names(idle)) == 1


@pytest.mark.attack("M-10")
async def test_grants_and_binding_of_who_is_gone_are_swept_after_ten_minutes_of_absence(
    front: Desk,
) -> None:
    await front.tokens()
    await front.tokens(person=BO)
    front.clock.forward(1200)  # from now on a grant is deleted at its end
    one = sweeper(front)
    front.people.remove(ana())
    assert await one.sweep() == 0
    front.clock.forward(599)
    assert await one.sweep() == 0
    front.clock.forward(1)
    assert await one.sweep() == 2
    assert len(await names(front)) == len(await names(front, Kind.SUBJECT)) == 1


async def test_who_comes_back_within_ten_minutes_loses_nothing(front: Desk) -> None:
    await front.tokens()
    one = sweeper(front)
    front.people.remove(ana())
    await one.sweep()
    front.people.put(ana())
    front.clock.forward(599)
    await one.sweep()
    front.people.remove(ana())
    front.clock.forward(599)
    assert await one.sweep() == 0


async def test_without_a_view_of_the_people_nothing_is_swept_and_absence_counts_anew(
    front: Desk,
) -> None:
    await front.tokens()
    await front.code()
    one = sweeper(front)
    front.people.remove(ana())
    await one.sweep()
    people, front.people.people = front.people.people, None
    front.clock.forward(1300)
    with pytest.raises(Unavailable):
        await one.sweep()
    front.people.people = people
    assert await one.sweep() == 1  # the code; the person's absence was not seen all the time
    assert len(await names(front)) == 1


@pytest.mark.attack("R-05")
async def test_over_the_cap_the_least_recently_used_go(store: FaultyStore) -> None:
    front = desk(store, people=HeldPeople(ana(), BO), config=GrantConfig(RESOURCE, per_person=3))
    tokens = []
    for _ in range(5):
        tokens.append(await front.tokens())
        front.clock.forward(1)
    await front.tokens(person=BO)
    tokens[0] = await front.refresh(tokens[0].refresh_token)
    assert await sweeper(front).sweep() == 2
    replica = front.replica()
    for n, dead in enumerate([False, True, True, False, False]):
        if dead:
            with pytest.raises(InvalidToken):
                await replica.grants.authenticate(tokens[n].access_token)
        else:
            await replica.grants.authenticate(tokens[n].access_token)
    assert await sweeper(front).sweep() == 0


async def test_a_grant_taken_while_its_transaction_lives_cannot_be_made_again(
    store: FaultyStore,
) -> None:
    front = desk(store, config=GrantConfig(RESOURCE, per_person=1))
    await front.code(transaction=b"t" * 16)
    front.clock.forward(1)
    await front.code()
    assert await sweeper(front).sweep() == 1
    with pytest.raises(AlreadyCompleted):
        await front.code(transaction=b"t" * 16)


@pytest.mark.attack("R-05")
async def test_a_grant_used_since_the_list_is_not_the_oldest_any_more(
    store: FaultyStore,
) -> None:
    front = desk(store, config=GrantConfig(RESOURCE, per_person=1))
    first = await front.tokens()
    front.clock.forward(1)
    await front.tokens()
    original = store.get

    async def used_first(name: str) -> object:
        store.get = original  # type: ignore[method-assign]
        front.clock.forward(1)
        await front.refresh(first.refresh_token)
        return await original(name)

    store.get = used_first  # type: ignore[method-assign, assignment]
    assert await sweeper(front).sweep() == 0


@pytest.mark.attack("R-08")
async def test_grants_of_an_older_epoch_are_swept(front: Desk) -> None:
    await front.tokens()
    front.keys.put(replace(front.keys.ring(), epoch=1))
    await front.tokens()
    assert await sweeper(front).sweep() == 1
    states = {decode(r, front.keys.ring()).state.value for r in await records(front.store)}
    assert states == {"gone", "active"}


async def test_a_record_that_cannot_be_read_is_kept_as_evidence_for_the_life_of_a_grant() -> None:
    clock_front = desk(FaultyStore(MemoryGrantStore()))
    store = MemoryGrantStore(clock=clock_front.clock)
    front = desk(store, clock=clock_front.clock)
    await front.tokens()
    [record] = await records(store)
    await store.update(replace(record, data={**record.data, "mac": b"wrong"}))
    await front.tokens()
    key = new_key()
    front.keys.put(KeyRing((key,), key.kid))  # and one of a retired key
    front.clock.forward(7 * DAY)
    assert await sweeper(front).sweep() == 0
    front.clock.forward(31)
    assert await sweeper(front).sweep() == 2


async def test_a_half_read_list_judges_nobody(front: Desk, store: FaultyStore) -> None:
    await front.code()
    front.clock.forward(1300)
    store.fail("pages", "away")
    with pytest.raises(Unavailable):
        await sweeper(front).sweep()

    async def expired(kind: Kind, *, user_uid: str | None = None) -> object:
        async for page in store.inner.pages(kind):
            yield page
        raise Expired

    original, store.pages = store.pages, expired  # type: ignore[method-assign, assignment]
    with pytest.raises(Unavailable):
        await sweeper(front).sweep()
    store.pages = original  # type: ignore[method-assign]
    assert len(await names(front)) == 1


async def test_it_sweeps_again_and_again_at_random_times_and_outlives_trouble(
    front: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    swept = 0

    async def sleep(seconds: float) -> None:
        if seconds >= 1:
            slept.append(seconds)

    class Done(Exception):
        pass

    async def sweep() -> int:
        nonlocal swept
        swept += 1
        if swept == 3:
            raise Done
        raise Unavailable("Try again.", reason="test")

    monkeypatch.setattr("productive_gateway.grants.sweeper.asyncio.sleep", sleep)
    one = sweeper(front)
    monkeypatch.setattr(one, "sweep", sweep)
    with pytest.raises(Done):
        await one.run()
    assert len(set(slept)) == 3
    assert all(300 <= seconds <= 900 for seconds in slept)
    assert front.clock() == NOW
