"""Sweeping thousands of grants on a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace

import pytest

from harness.cluster import Cluster
from harness.grantkit import Desk, HeldClock, ana, desk, records, sign_in
from productive_contract.clock import system_clock, system_entropy
from productive_gateway.grants.beginning import pending_grant
from productive_gateway.grants.config import DAY, GrantConfig
from productive_gateway.grants.grant import Grant, State
from productive_gateway.grants.record import decode, encode
from productive_gateway.grants.store import GrantStore, Record
from productive_gateway.grants.store_kubernetes import KubernetesGrantStore
from productive_gateway.grants.sweeper import Sweeper
from productive_kube.client import KubeClient

PARALLEL = 24


@pytest.fixture
async def front(cluster: Cluster) -> AsyncIterator[Desk]:
    async with await KubeClient.connect(
        cluster.kubeconfig("gateway"), user_agent="productive-gateway"
    ) as api:
        yield desk(KubernetesGrantStore(api, cluster.names.grants), clock=HeldClock(system_clock()))


def grant(front: Desk, *, age: float) -> Grant:
    config = GrantConfig(front.config.resource)
    return pending_grant(
        sign_in(front.clock),
        config,
        code_hash="0" * 64,
        epoch=0,
        now=front.clock() - age,
        entropy=system_entropy,
    )


async def create_all(front: Desk, grants: Iterable[Grant]) -> None:
    ring, store = front.keys.ring(), front.store
    waiting = list(grants)

    async def create() -> None:
        while waiting:
            await store.create(encode(waiting.pop(), ring))

    await asyncio.gather(*(create() for _ in range(PARALLEL)))


class RenewingStore:
    """Renews a few of the doomed between the list and their removal."""

    def __init__(self, inner: GrantStore, front: Desk, names: set[str]) -> None:
        self.inner, self.front, self.names = inner, front, names
        self.create, self.get, self.update = inner.create, inner.get, inner.update
        self.pages, self.version, self.watch = inner.pages, inner.version, inner.watch

    async def delete(self, record: Record) -> None:
        if record.name in self.names:
            ring = self.front.keys.ring()
            now = self.front.clock()
            renewed = replace(
                decode(record, ring),
                state=State.ACTIVE,
                generation=1,
                rotated_at=now,
                absolute_end=now + DAY,
            )
            await self.inner.update(encode(renewed, ring, uid=record.uid, version=record.version))
        await self.inner.delete(record)


@pytest.mark.attack("R-03")
@pytest.mark.attack("R-04")
@pytest.mark.timeout(300)
async def test_two_sweepers_take_two_thousand_expired_of_five_thousand_and_no_renewed_one(
    front: Desk,
) -> None:
    living = [grant(front, age=60.0 * n / 3000) for n in range(3000)]
    expired = [grant(front, age=8 * DAY) for _ in range(2000)]
    await create_all(front, living + expired)
    renewed = {one.name for one in expired[:5]}
    config = replace(front.config, per_person=10_000)
    sweepers = [
        Sweeper(
            RenewingStore(front.store, front, renewed),
            front.people,
            front.keys,
            config,
            clock=front.clock,
            pace=0,
        )
        for _ in range(2)
    ]
    taken = await asyncio.gather(*(one.sweep() for one in sweepers))
    assert sum(taken) == 1995
    left = {record.name for record in await records(front.store)}
    assert left == {one.name for one in living} | renewed


@pytest.mark.attack("R-05")
async def test_over_the_cap_the_oldest_of_a_person_goes(front: Desk) -> None:
    grants = [grant(front, age=3600.0 + n) for n in range(51)]
    await create_all(front, grants)
    for record in await records(front.store):
        active = replace(decode(record, front.keys.ring()), state=State.ACTIVE)
        active = replace(active, rotated_at=active.created)
        await front.store.update(
            encode(active, front.keys.ring(), uid=record.uid, version=record.version)
        )
    one = Sweeper(front.store, front.people, front.keys, front.config, clock=front.clock, pace=0)
    assert await one.sweep() == 1
    left = {record.name for record in await records(front.store)}
    assert left == {one.name for one in grants[:50]}
    front.people.remove(ana())
    await one.sweep()
    front.clock.forward(1200)
    assert await one.sweep() == 50
