"""Sweeping thousands of grants on a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace

import pytest

from harness.cluster import Cluster
from harness.grantkit import HeldClock, Replica, ana, records, sign_in
from harness.quota import limit_secrets
from productive_contract.clock import system_clock, system_entropy
from productive_gateway.grants.config import DAY, GrantConfig
from productive_gateway.grants.errors import StoreFull
from productive_gateway.grants.grant import Grant, GrantState
from productive_gateway.grants.record import Record, RecordKind, decode, encode
from productive_gateway.grants.store import GrantStore
from productive_gateway.grants.store_kubernetes import KubernetesGrantStore
from productive_gateway.grants.sweeper import Sweeper
from productive_gateway.grants.transitions import issue
from productive_kube.client import KubeClient

PARALLEL = 24


@pytest.fixture
async def replica(cluster: Cluster) -> AsyncIterator[Replica]:
    async with await KubeClient.connect(
        cluster.kubeconfig("gateway"), user_agent="productive-gateway"
    ) as api:
        store = KubernetesGrantStore(api, cluster.names.grants)
        yield Replica.over(store, clock=HeldClock(system_clock()))


def grant(replica: Replica, *, age: float) -> Grant:
    config = GrantConfig(replica.config.resource)
    return issue(
        sign_in(replica.clock),
        config,
        subject="0" * 64,
        code_hash="0" * 64,
        epoch=0,
        now=replica.clock() - age,
        entropy=system_entropy,
    )


async def create_all(replica: Replica, grants: Iterable[Grant]) -> None:
    ring, store = replica.keys.ring(), replica.store
    waiting = list(grants)

    async def create() -> None:
        while waiting:
            await store.create(encode(waiting.pop(), ring))

    await asyncio.gather(*(create() for _ in range(PARALLEL)))


async def no_pause(_: float) -> None:
    await asyncio.sleep(0)


def sweeper(replica: Replica, store: GrantStore | None = None) -> Sweeper:
    return Sweeper(
        store or replica.store,
        replica.people,
        replica.keys,
        replica.config,
        clock=replica.clock,
        pause=no_pause,
    )


class RenewingStore:
    """Renews a few of the grants to remove between the list and their removal."""

    def __init__(self, inner: GrantStore, replica: Replica, names: set[str]) -> None:
        self.inner, self.replica, self.names = inner, replica, names
        self.create, self.get, self.update = inner.create, inner.get, inner.update
        self.list, self.grants = inner.list, inner.grants
        self.capacity = inner.capacity

    async def delete(self, record: Record) -> None:
        if record.name in self.names:
            ring = self.replica.keys.ring()
            now = self.replica.clock()
            renewed = replace(
                decode(record, ring),
                state=GrantState.ACTIVE,
                generation=1,
                rotated_at=now,
                absolute_end=now + DAY,
            )
            await self.inner.update(encode(renewed, ring, replacing=record))
        await self.inner.delete(record)


@pytest.mark.attack("R-03")
@pytest.mark.attack("R-04")
@pytest.mark.timeout(300)
async def test_two_sweepers_remove_two_thousand_expired_of_five_thousand_and_no_renewed_one(
    replica: Replica,
) -> None:
    living = [grant(replica, age=60.0 * n / 3000) for n in range(3000)]
    expired = [grant(replica, age=8 * DAY) for _ in range(2000)]
    await create_all(replica, living + expired)
    renewed = {one.name for one in expired[:5]}
    many = replica.another(config=replace(replica.config, per_person=10_000))
    sweepers = [sweeper(many, RenewingStore(replica.store, replica, renewed)) for _ in range(2)]
    taken = await asyncio.gather(*(one.sweep() for one in sweepers))
    assert sum(taken) == 1995
    left = {record.name for record in await records(replica.store)}
    assert left == {one.name for one in living} | renewed


@pytest.mark.attack("R-05")
async def test_oldest_grant_of_a_person_over_the_cap_is_removed(replica: Replica) -> None:
    grants = [grant(replica, age=3600.0 + n) for n in range(51)]
    await create_all(replica, grants)
    for record in await records(replica.store):
        active = replace(decode(record, replica.keys.ring()), state=GrantState.ACTIVE)
        active = replace(active, rotated_at=active.created)
        await replica.store.update(encode(active, replica.keys.ring(), replacing=record))
    one = sweeper(replica)
    assert await one.sweep() == 1
    left = {record.name for record in await records(replica.store)}
    assert left == {one.name for one in grants[:50]}


async def test_grants_of_an_absent_person_are_removed_after_a_day_by_another_replica(
    replica: Replica,
) -> None:
    for _ in range(3):
        await replica.tokens()
    replica.people.remove(ana())
    assert await sweeper(replica).sweep() == 0
    replica.clock.forward(DAY - 60)
    assert await sweeper(replica).sweep() == 0
    replica.clock.forward(60)
    assert await sweeper(replica.another()).sweep() == 4
    assert await records(replica.store) == await records(replica.store, RecordKind.SUBJECT) == []


@pytest.mark.attack("R-10")
async def test_grants_of_absent_people_are_removed_at_once_when_the_quota_is_used_up(
    replica: Replica, cluster: Cluster
) -> None:
    for _ in range(3):
        await replica.tokens()
    limit_secrets(cluster, 4)
    replica.people.remove(ana())
    with pytest.raises(StoreFull):
        await replica.code()
    replica.clock.forward(1200)  # from now on a grant is deleted when it ends
    assert await sweeper(replica).sweep() == 4
    # That the quota is free again is for a controller to say, which the plane does not run.
    assert await records(replica.store) == []
