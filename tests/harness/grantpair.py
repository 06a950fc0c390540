"""Two replicas of the gateway's grants over one namespace, each behind a proxy of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from harness.cluster import Cluster
from harness.faults import Seen
from harness.grantkit import HeldClock, Replica, records
from harness.kube import secrets_path
from harness.proxy import RecordingProxy
from productive_contract.clock import system_clock
from productive_gateway.grants.record import RecordKind, decode
from productive_gateway.grants.store_kubernetes import KubernetesGrantStore
from productive_kube.client import KubeClient


@dataclass
class ProxiedReplica:
    """One replica of the gateway's grants, behind a proxy of its own."""

    replica: Replica
    proxy: RecordingProxy


@dataclass
class Pair:
    """Two replicas over one namespace, and the cluster itself."""

    one: ProxiedReplica
    two: ProxiedReplica
    cluster: Cluster

    def path(self, name: str = "") -> str:
        return secrets_path(self.cluster.names.grants, name)

    def stored(self) -> list[str]:
        """Return the names of the stored grants."""
        found = self.cluster.kube.items(self.path(), fieldSelector=f"type={RecordKind.GRANT.value}")
        return [item["metadata"]["name"] for item in found]

    async def generation(self) -> int:
        [record] = await records(self.one.replica.store)
        return decode(record, self.one.replica.keys.ring()).generation


class SystemClock(HeldClock):
    """The system's clock, which can be moved forward."""

    def __init__(self) -> None:
        super().__init__(0)

    def __call__(self) -> float:
        return system_clock() + self.now


@asynccontextmanager
async def proxied_store(
    cluster: Cluster,
) -> AsyncIterator[tuple[KubernetesGrantStore, RecordingProxy]]:
    """Connect a gateway's store of grants through a proxy of its own."""
    proxy = cluster.proxy()
    kubeconfig = cluster.kubeconfig("gateway", proxy=proxy)
    async with await KubeClient.connect(kubeconfig, user_agent="productive-gateway") as api:
        yield KubernetesGrantStore(api, cluster.names.grants), proxy


def get_of_a_grant(seen: Seen) -> bool:
    return seen.method == "GET" and (seen.name or "").startswith("g-")


def held(seen: Seen) -> bool:
    """Whether a grant was read and its reader does not have the answer yet."""
    return get_of_a_grant(seen) and seen.upstream_status == 200 and seen.status is None
