"""Fixtures that several modules need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from harness.build import programs
from harness.cluster import Cluster
from harness.grantkit import HeldKeys, HeldPeople, Replica, ana
from harness.grantpair import Pair, ProxiedReplica, SystemClock, proxied_store
from harness.plane import Plane, running_plane


@pytest.fixture
async def pair(cluster: Cluster) -> AsyncIterator[Pair]:
    """Return two replicas over one namespace, each behind a proxy."""
    keys, people = HeldKeys(), HeldPeople(ana())
    async with AsyncExitStack() as stack:

        async def replica() -> ProxiedReplica:
            store, proxy = await stack.enter_async_context(proxied_store(cluster))
            return ProxiedReplica(
                Replica.over(store, people=people, keys=keys, clock=SystemClock()), proxy
            )

        yield Pair(await replica(), await replica(), cluster)


@pytest.fixture
def own_plane() -> Iterator[Plane]:
    """Return one that the ledger does not know: before its roles are read it refuses everything."""
    with running_plane(programs()) as plane:
        yield plane
