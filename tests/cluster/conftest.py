"""Fixtures that several modules need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from harness.build import programs
from harness.cluster import Cluster
from harness.grantkit import HeldKeys, HeldPeople, Replica, ana
from harness.grantpair import Pair, ProxiedReplica, SystemClock
from harness.plane import Plane, running_plane
from productive_gateway.grants.store_kubernetes import KubernetesGrantStore
from productive_kube.client import KubeClient


@pytest.fixture
async def pair(cluster: Cluster) -> AsyncIterator[Pair]:
    """Return two replicas over one namespace, each behind a proxy."""
    keys, people = HeldKeys(), HeldPeople(ana())
    async with AsyncExitStack() as stack:

        async def replica() -> ProxiedReplica:
            proxy = cluster.proxy()
            kubeconfig = cluster.kubeconfig("gateway", proxy=proxy)
            api = await stack.enter_async_context(
                await KubeClient.connect(kubeconfig, user_agent="productive-gateway")
            )
            store = KubernetesGrantStore(api, cluster.names.grants)
            return ProxiedReplica(
                Replica.over(store, people=people, keys=keys, clock=SystemClock()), proxy
            )

        yield Pair(await replica(), await replica(), cluster)


@pytest.fixture
def own_plane() -> Iterator[Plane]:
    """Return one that the ledger does not know: before its roles are read it refuses everything."""
    with running_plane(programs()) as plane:
        yield plane
