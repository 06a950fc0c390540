"""What the sweeper takes away, and what it must leave alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from harness.grantfaults import FaultyStore
from harness.grantkit import CLIENT, RESOURCE, HeldClock, HeldPeople, Replica, ana, new_key, records
from productive_gateway.errors import Unavailable
from productive_gateway.grants.config import DAY, GrantConfig
from productive_gateway.grants.errors import AlreadyCompleted
from productive_gateway.grants.record import RecordKind, decode
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.grants.sweeper import Sweeper
from productive_gateway.sealing.keys import KeyRing

BO = ana(uid="5f0c6f0e-0000-4000-8000-000000000002", email="bo@example.com")


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore(MemoryGrantStore())


@pytest.fixture
def replica(store: FaultyStore) -> Replica:
    return Replica.over(store, people=HeldPeople(ana(), BO))


def sweeper(replica: Replica) -> Sweeper:
    return Sweeper(
        replica.store,
        replica.people,
        replica.keys,
        replica.config,
        clock=replica.clock,
        pause=no_pause,
    )


async def no_pause(_: float) -> None:
    await asyncio.sleep(0)


async def names(replica: Replica, kind: RecordKind = RecordKind.GRANT) -> set[str]:
    return {record.name for record in await records(replica.store, kind)}


@pytest.mark.attack("F-06")
async def test_code_that_was_never_redeemed_is_swept_when_its_transaction_is_over(
    replica: Replica,
) -> None:
    await replica.code()
    replica.clock.forward(1200)
    assert await sweeper(replica).sweep() == 0
    replica.clock.forward(31)
    assert await sweeper(replica).sweep() == 1
    assert await names(replica) == set()
    assert len(await names(replica, RecordKind.SUBJECT)) == 1


async def test_expired_and_gone_grants_are_swept_and_others_stay(replica: Replica) -> None:
    await replica.tokens()
    replica.clock.forward(7 * DAY - 1)
    revoked, living = await replica.tokens(), await replica.tokens()
    await replica.grants.revoke(revoked.access_token, client_id=CLIENT)
    replica.clock.forward(32)
    assert await sweeper(replica).sweep() == 1
    assert len(await names(replica)) == 2
    replica.clock.forward(1200)
    assert await sweeper(replica).sweep() == 1
    await replica.refresh(living.refresh_token)


@pytest.mark.attack("R-04")
async def test_two_sweepers_at_once_remove_nothing_twice(replica: Replica) -> None:
    for _ in range(20):
        await replica.code()
    replica.clock.forward(1300)
    taken = await asyncio.gather(sweeper(replica).sweep(), sweeper(replica.another()).sweep())
    assert sum(taken) == 20


@pytest.mark.attack("R-04")
async def test_grant_renewed_between_list_and_removal_stays(
    replica: Replica, store: FaultyStore
) -> None:
    config = GrantConfig(RESOURCE, refresh_idle=DAY)
    idle = replica.another(config=config)
    tokens = await idle.tokens()
    replica.clock.forward(DAY + 31)

    async def renew() -> None:
        # Another replica's clock is behind, so it still takes the refresh.
        replica.clock.forward(-60)
        await idle.refresh(tokens.refresh_token)

    store.hooks["delete"] = renew
    assert await sweeper(idle).sweep() == 0
    assert len(await names(idle)) == 1


@pytest.mark.attack("M-10")
async def test_grants_and_binding_of_a_person_who_is_gone_are_swept_after_ten_minutes(
    replica: Replica,
) -> None:
    await replica.tokens()
    await replica.tokens(person=BO)
    replica.clock.forward(1200)  # from now on a grant is deleted at its end
    one = sweeper(replica)
    replica.people.remove(ana())
    assert await one.sweep() == 0
    replica.clock.forward(599)
    assert await one.sweep() == 0
    replica.clock.forward(1)
    assert await one.sweep() == 2
    assert len(await names(replica)) == len(await names(replica, RecordKind.SUBJECT)) == 1


async def test_person_who_comes_back_within_ten_minutes_loses_nothing(replica: Replica) -> None:
    await replica.tokens()
    one = sweeper(replica)
    replica.people.remove(ana())
    await one.sweep()
    replica.people.put(ana())
    replica.clock.forward(599)
    await one.sweep()
    replica.people.remove(ana())
    replica.clock.forward(599)
    assert await one.sweep() == 0


async def test_without_a_view_of_the_people_nothing_is_swept_and_absence_counts_anew(
    replica: Replica,
) -> None:
    await replica.tokens()
    await replica.code()
    one = sweeper(replica)
    replica.people.remove(ana())
    await one.sweep()
    people, replica.people.people = replica.people.people, None
    replica.clock.forward(1300)
    with pytest.raises(Unavailable):
        await one.sweep()
    replica.people.people = people
    assert await one.sweep() == 1  # the code; the person's absence was not seen all the time
    assert len(await names(replica)) == 1


@pytest.mark.attack("R-05")
async def test_least_recently_used_grants_over_the_cap_are_swept(store: FaultyStore) -> None:
    config = GrantConfig(RESOURCE, per_person=3)
    replica = Replica.over(store, people=HeldPeople(ana(), BO), config=config)
    tokens = []
    for _ in range(5):
        tokens.append(await replica.tokens())
        replica.clock.forward(1)
    await replica.tokens(person=BO)
    tokens[0] = await replica.refresh(tokens[0].refresh_token)
    assert await sweeper(replica).sweep() == 2
    other = replica.another()
    refused = [await other.refuses(one.access_token) for one in tokens]
    assert refused == [False, True, True, False, False]
    assert await sweeper(replica).sweep() == 0


async def test_grant_swept_while_its_transaction_lives_cannot_be_made_again(
    store: FaultyStore,
) -> None:
    replica = Replica.over(store, config=GrantConfig(RESOURCE, per_person=1))
    await replica.code(transaction=b"t" * 16)
    replica.clock.forward(1)
    await replica.code()
    assert await sweeper(replica).sweep() == 1
    with pytest.raises(AlreadyCompleted):
        await replica.code(transaction=b"t" * 16)


@pytest.mark.attack("R-05")
async def test_grant_used_since_the_list_is_no_longer_the_oldest(
    store: FaultyStore,
) -> None:
    replica = Replica.over(store, config=GrantConfig(RESOURCE, per_person=1))
    first = await replica.tokens()
    replica.clock.forward(1)
    await replica.tokens()

    async def use() -> None:
        replica.clock.forward(1)
        await replica.refresh(first.refresh_token)

    store.hooks["get"] = use
    assert await sweeper(replica).sweep() == 0


@pytest.mark.attack("R-08")
async def test_grants_of_an_older_epoch_are_swept(replica: Replica) -> None:
    await replica.tokens()
    replica.keys.put(replace(replica.keys.ring(), epoch=1))
    await replica.tokens()
    assert await sweeper(replica).sweep() == 1
    states = {decode(r, replica.keys.ring()).state.value for r in await records(replica.store)}
    assert states == {"gone", "active"}


async def test_unreadable_record_is_kept_as_evidence_for_the_life_of_a_grant() -> None:
    clock = HeldClock()
    store = MemoryGrantStore(clock=clock)
    replica = Replica.over(store, clock=clock)
    await replica.tokens()
    [record] = await records(store)
    await store.update(replace(record, data={**record.data, "mac": b"wrong"}))
    await replica.tokens()
    key = new_key()
    replica.keys.put(KeyRing((key,), key.kid))  # and one of a retired key
    replica.clock.forward(7 * DAY)
    assert await sweeper(replica).sweep() == 0
    replica.clock.forward(31)
    assert await sweeper(replica).sweep() == 2


async def test_list_that_fails_leads_to_no_removal(replica: Replica, store: FaultyStore) -> None:
    await replica.code()
    replica.clock.forward(1300)
    store.fail("list", "away")
    with pytest.raises(Unavailable):
        await sweeper(replica).sweep()
    assert len(await names(replica)) == 1


async def test_it_sweeps_at_random_times_and_survives_failures(
    replica: Replica, store: FaultyStore
) -> None:
    await replica.code()
    replica.clock.forward(1300)
    store.fail("list", "away", times=2)
    pauses: list[float] = []
    chances = iter([0.0, 0.5, 0.999, 0.25])

    class Done(Exception):
        pass

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 4:
            raise Done

    one = Sweeper(
        store,
        replica.people,
        replica.keys,
        replica.config,
        clock=replica.clock,
        chance=lambda: next(chances),
        pause=pause,
    )
    with pytest.raises(Done):
        await one.run()
    assert pauses[:3] == [300, 600, pytest.approx(900, abs=1)]
    assert await names(replica) == set()
