"""How many replicas of this gateway are ready: the EndpointSlices of its own Service, watched.

A Service has one slice or more for each address family, so a replica may be in several. While
nothing is known, or the watch is broken, the last known number stays; so it does while no replica
at all is ready, because then the replica that reads this is not in the list, either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypedDict, Unpack

import structlog

from productive_gateway.observability.metrics import WATCH_HEALTHY
from productive_kube.client import KubeClient, Listed, Query
from productive_kube.collection import Change, Collection
from productive_kube.reflector import Reflector

_log = structlog.get_logger(__name__)

_SERVICE: Final = "kubernetes.io/service-name"
"""Label of every EndpointSlice: the Service that it is of.
https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#ownership"""


@dataclass(frozen=True, slots=True)
class ReadyEndpoints:
    """What one EndpointSlice says."""

    name: str
    ready: frozenset[str]
    """One identity for each replica, the same in every slice."""


class ReflectorOptions(TypedDict, total=False):
    """How the slices are followed; what is left out has the reflector's default."""

    window: int
    """Seconds of one watch."""
    monotonic: Callable[[], float]
    """Seconds from any origin."""


class ReplicaWatch:
    """Follows the slices and reports how many replicas are ready; the sink of its reflector."""

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        service: str,
        on_count: Callable[[int], None],
        **options: Unpack[ReflectorOptions],
    ) -> None:
        """Know nothing yet; `run` does the rest.

        Args:
            client: the API server.
            namespace: of the Service.
            service: its name.
            on_count: called with each new number of ready replicas, which is at least 1.
            options: see `ReflectorOptions`.
        """
        self._on_count = on_count
        self._slices: dict[str, ReadyEndpoints] = {}
        self._count = 0
        self._reflector: Reflector[ReadyEndpoints] = Reflector(
            Collection(client, slices_path(namespace), ready_endpoints, _of_service(service)),
            self,
            label="replicas",
            **options,
        )
        WATCH_HEALTHY.labels(watch="replicas").set_function(lambda: float(self.healthy))

    @property
    def healthy(self) -> bool:
        """Whether the watch is healthy."""
        return self._reflector.healthy

    async def run(self) -> None:
        """Follow the slices until cancelled."""
        await self._reflector.run()

    def replace(self, listed: Listed[ReadyEndpoints], *, fell: bool) -> None:
        """Take up all slices."""
        del fell
        self._slices = {one.name: one for one in listed.items}
        self._report()

    def apply(self, change: Change[ReadyEndpoints]) -> None:
        """Take up one event of the watch."""
        if change.item is None:
            return
        if change.deleted:
            self._slices.pop(change.item.name, None)
        else:
            self._slices[change.item.name] = change.item
        self._report()

    def _report(self) -> None:
        count = len(frozenset[str]().union(*(one.ready for one in self._slices.values())))
        if count not in {0, self._count}:
            self._count = count
            _log.info("replicas.changed", ready=count)
            self._on_count(count)


def slices_path(namespace: str) -> str:
    """Return the path of the EndpointSlices of a namespace."""
    return f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"


def ready_endpoints(found: Mapping[str, Any]) -> ReadyEndpoints:
    """Decode an EndpointSlice; a condition that is not given counts as true.

    Source: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/
    """
    endpoints = found.get("endpoints") or []
    ready = (
        _identity(one)
        for one in endpoints
        if (one.get("conditions") or {}).get("ready", True) is not False
    )
    return ReadyEndpoints(found["metadata"]["name"], frozenset(ready))


def _identity(endpoint: Mapping[str, Any]) -> str:
    target = endpoint.get("targetRef") or {}
    return str(target.get("uid") or target.get("name") or endpoint.get("addresses"))


def _of_service(name: str) -> Query:
    return (("labelSelector", f"{_SERVICE}={name}"),)
