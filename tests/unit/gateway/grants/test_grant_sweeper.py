"""What the sweeper takes away, and what it must leave alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from harness.grantfaults import FaultyStore
from harness.grantkit import CLIENT, RESOURCE, HeldClock, HeldPeople, Replica, ana, new_key, records
from harness.oauthkit import audit_log
from productive_contract.names import LABEL_ABSENT_SINCE
from productive_gateway.errors import Unavailable
from productive_gateway.grants.config import DAY, GrantConfig
from productive_gateway.grants.errors import AlreadyCompleted
from productive_gateway.grants.grant import Cause, ended
from productive_gateway.grants.record import RecordKind, decode, encode
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.grants.sweeper import Sweeper
from productive_gateway.observability.metrics import REGISTRY
from productive_gateway.sealing.keys import KeyRing

BO = ana(uid="5f0c6f0e-0000-4000-8000-000000000002", email="bo@example.com")


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
async def test_grants_and_binding_of_a_person_absent_for_a_day_are_swept_across_restarts(
    replica: Replica,
) -> None:
    await replica.tokens()
    await replica.tokens(person=BO)
    replica.people.remove(ana())
    for hours in (0, 12, 11.9):
        replica.clock.forward(hours * 3600)
        assert await sweeper(replica).sweep() == 0
    replica.clock.forward(0.1 * 3600 + 1)
    assert await sweeper(replica.another()).sweep() == 2
    assert len(await names(replica)) == len(await names(replica, RecordKind.SUBJECT)) == 1


async def test_person_absent_for_less_than_a_day_loses_nothing(
    replica: Replica, store: FaultyStore
) -> None:
    tokens = await replica.tokens()
    for _ in range(3):
        replica.people.remove(ana())
        await sweeper(replica).sweep()
        replica.clock.forward(0.9 * DAY)
        assert await sweeper(replica).sweep() == 0
        replica.people.put(ana())
        await sweeper(replica).sweep()
    await replica.refresh(tokens.refresh_token)
    [binding] = await records(store, RecordKind.SUBJECT)
    assert LABEL_ABSENT_SINCE not in binding.labels


async def test_absence_costs_one_write_and_so_does_the_return(
    replica: Replica, store: FaultyStore
) -> None:
    for person in (ana(), BO):
        for _ in range(3):
            await replica.tokens(person=person)
    written = store.writes()
    replica.people.remove(ana())
    replica.people.remove(BO)
    await asyncio.gather(*(sweeper(replica).sweep() for _ in range(2)))
    for _ in range(3):
        replica.clock.forward(3600)
        await sweeper(replica).sweep()
    absent = await records(store, RecordKind.SUBJECT)
    assert {one.labels[LABEL_ABSENT_SINCE] for one in absent} == {"20261118T110640Z"}
    # Two sweepers at once may both try; one of each pair is refused.
    assert 2 <= store.writes() - written <= 4
    written = store.writes()
    replica.people.put(ana())
    replica.people.put(BO)
    for _ in range(3):
        await sweeper(replica).sweep()
    assert store.writes() - written == 2


@pytest.mark.parametrize("edited", ["yesterday", "", "20991231T000000Z"])
async def test_time_of_absence_that_cannot_be_right_is_begun_again(
    replica: Replica, store: FaultyStore, edited: str
) -> None:
    await replica.tokens()
    replica.people.remove(ana())
    [binding] = await records(store, RecordKind.SUBJECT)
    await store.update(replace(binding, labels={**binding.labels, LABEL_ABSENT_SINCE: edited}))
    assert await sweeper(replica).sweep() == 0
    replica.clock.forward(DAY)
    assert await sweeper(replica).sweep() == 2


async def test_grants_of_an_absent_person_without_a_binding_stay_until_they_expire(
    replica: Replica, store: FaultyStore
) -> None:
    await replica.tokens()
    [binding] = await records(store, RecordKind.SUBJECT)
    await store.delete(binding)
    replica.people.remove(ana())
    await sweeper(replica).sweep()
    replica.clock.forward(2 * DAY)
    assert await sweeper(replica).sweep() == 0
    replica.clock.forward(5 * DAY + 31)
    assert await sweeper(replica).sweep() == 1


async def test_without_a_view_of_the_people_nothing_is_swept_or_marked(
    replica: Replica, store: FaultyStore
) -> None:
    await replica.tokens()
    replica.people.remove(ana())
    await sweeper(replica).sweep()
    people, replica.people.people = replica.people.people, None
    written = store.writes()
    replica.clock.forward(2 * DAY)
    with pytest.raises(Unavailable):
        await sweeper(replica).sweep()
    assert store.writes() == written
    replica.people.people = people
    replica.people.proves_absence = False
    with pytest.raises(Unavailable):
        await sweeper(replica).sweep()
    assert store.writes() == written
    replica.people.proves_absence = True
    assert await sweeper(replica).sweep() == 2


@pytest.mark.attack("R-10")
async def test_absent_people_go_first_when_the_store_is_nearly_full() -> None:
    store = FaultyStore(MemoryGrantStore(capacity=10))
    replica = Replica.over(store, people=HeldPeople(ana(), BO))
    for _ in range(4):
        await replica.tokens()
    await replica.tokens(person=BO)
    replica.people.remove(ana())
    assert len(await names(replica)) + len(await names(replica, RecordKind.SUBJECT)) == 7
    assert await sweeper(replica).sweep() == 0
    await replica.tokens(person=BO)
    replica.clock.forward(1200)  # from now on a grant is deleted when it ends
    assert await sweeper(replica).sweep() == 5
    assert len(await names(replica)) == 2
    assert await names(replica, RecordKind.SUBJECT) == {f"subject-{BO.uid}"}


@pytest.mark.attack("R-10")
async def test_the_number_of_stored_secrets_is_a_metric(replica: Replica) -> None:
    await replica.tokens()
    await replica.tokens(person=BO)
    await sweeper(replica).sweep()
    # Two grants and two subject bindings.
    assert REGISTRY.get_sample_value("productive_mcp_grants_stored") == 4


async def test_record_that_a_finalizer_keeps_is_not_deleted_again(
    replica: Replica, store: FaultyStore
) -> None:
    await replica.tokens()
    await replica.code()
    for kind in RecordKind:
        for record in await records(store, kind):
            await store.update(replace(record, deleting=True))
    replica.people.remove(ana())
    written = store.writes()
    for _ in range(2):
        replica.clock.forward(8 * DAY)
        assert await sweeper(replica).sweep() == 0
    assert store.writes() == written


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


@pytest.mark.attack("R-04")
@pytest.mark.parametrize(
    ("cause", "audited"),
    [(Cause.ADMINISTRATOR, ["revoked_by_administrator"]), (Cause.REVOKED, [])],
    ids=["by a command", "by a client, which a gateway audited"],
)
async def test_what_a_command_ended_is_audited_by_the_one_replica_that_removes_it(
    replica: Replica, cause: Cause, audited: list[str]
) -> None:
    await replica.tokens()
    [record] = await records(replica.store)
    ring = replica.keys.ring()
    gone = ended(decode(record, ring), cause, now=replica.clock())
    await replica.store.update(encode(gone, ring, replacing=record))
    replica.clock.forward(1300)
    with audit_log() as log:
        swept = await asyncio.gather(*(sweeper(replica.another()).sweep() for _ in range(3)))
    assert sum(swept) == 1
    assert log.reasons("grant_ended") == audited


async def test_unreadable_record_is_kept_for_the_longest_life_of_a_grant() -> None:
    clock = HeldClock()
    store = MemoryGrantStore(clock=clock)
    replica = Replica.over(store, clock=clock)
    await replica.tokens()
    [record] = await records(store)
    await store.update(replace(record, data={**record.data, "mac": b"wrong"}))
    await replica.tokens()
    key = new_key()
    replica.keys.put(KeyRing((key,), key.kid))  # and one of a retired key
    replica.clock.forward(30 * DAY)
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
