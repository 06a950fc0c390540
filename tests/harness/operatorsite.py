"""An operator on a real API server: as a program, or as single passes that a test makes itself."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from harness.cluster import Cluster
from harness.kube import Object, secret, secret_data, secrets_path
from harness.processes import Program, eventually, free_port
from harness.proxy import RecordingProxy
from productive_contract.clock import system_clock
from productive_contract.mapping import Mapping, decode
from productive_contract.names import OPERATOR_FIELD_MANAGER, TOKEN_TYPE
from productive_kube.client import KubeClient, Listed
from productive_kube.collection import Change
from productive_kube.reflector import Reflector
from productive_operator.cluster import ClusterObjects, Place
from productive_operator.reconciler import Reconciler
from productive_operator.view import StoredMapping

API = "/apis/productive-mcp.dev/v1alpha1/namespaces"
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class OperatorSite:
    """One installation's people, mapping and operators."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.kube = cluster.kube
        self.names = cluster.names
        self.place = Place(cluster.names.users, cluster.names.release, cluster.names.mapping)
        self.mapping_path = secrets_path(cluster.names.release, cluster.names.mapping)
        self._programs: list[Program] = []

    def close(self) -> None:
        """Kill what still runs."""
        for program in self._programs:
            if program.running:
                program.kill()

    def path(self, name: str = "") -> str:
        """Return the path of the ProductiveUsers, or of one."""
        return f"{API}/{self.names.users}/productiveusers" + (f"/{name}" if name else "")

    def let_age(self, name: str) -> None:
        """Wait until a person who is created now is younger: creation times have whole seconds."""
        made = self.kube.get(self.path(name))["metadata"]["creationTimestamp"]
        second = datetime.fromisoformat(made) + timedelta(seconds=1)
        eventually(lambda: datetime.now(UTC) >= second, what="the next second")

    def add(self, name: str, *, token: str | None = "token", **spec: Any) -> Object:
        """Make a person and, unless it is None, the token."""
        if token is not None:
            self.set_token(name, token=token)
        required = {
            "email": f"{name}@example.com",
            "userId": 9104,
            "apiTokenSecretRef": {"name": f"{name}-productive"},
        }
        body = {
            "apiVersion": "productive-mcp.dev/v1alpha1",
            "kind": "ProductiveUser",
            "metadata": {"name": name},
            "spec": required | spec,
        }
        return self.kube.create(self.path(), body)

    def set_token(self, name: str, *, kind: str = TOKEN_TYPE, **values: str) -> None:
        """Write the person's Secret."""
        data = {key: value.encode() for key, value in values.items()}
        body = secret(f"{name}-productive", data, kind=kind)
        self.kube.apply(secrets_path(self.names.users, f"{name}-productive"), body)

    def change(self, name: str, **spec: Any) -> None:
        self.kube.merge(self.path(name), {"spec": spec})

    def remove(self, name: str) -> None:
        self.kube.delete(self.path(name))

    def mapping(self) -> Mapping | None:
        """Return what is published; None if nothing is, or nothing that can be read."""
        found = self.kube.find(self.mapping_path)
        return decode(secret_data(found)) if found and found.get("data") else None

    def people(self) -> set[str]:
        """Return the addresses in the mapping."""
        found = self.mapping()
        return set(found.people) if found else set()

    def ready(self, name: str) -> Object | None:
        """Return the Ready condition of the present spec."""
        return self.condition(name, "Ready")

    def condition(self, name: str, kind: str) -> Object | None:
        """Return a condition of the present spec."""
        found = self.kube.get(self.path(name))
        for condition in found.get("status", {}).get("conditions", []):
            current = condition["observedGeneration"] == found["metadata"]["generation"]
            if condition["type"] == kind and current:
                return dict(condition)
        return None

    def until_reason(self, name: str, reason: str) -> Object:
        """Wait for that reason and return the condition."""

        def met() -> bool:
            condition = self.ready(name)
            return condition is not None and condition["reason"] == reason

        eventually(met, what=f"{name} says {reason}")
        found = self.ready(name)
        assert found is not None
        return found

    def until_people(self, *names: str) -> None:
        """Wait until exactly these are in the mapping."""
        expected = {f"{name}@example.com" for name in names}
        eventually(lambda: self.people() == expected, what=f"the mapping holds {expected}")

    def start(self, proxy: RecordingProxy | None = None, **settings: str) -> RunningOperator:
        """Start the program under its own rights."""
        operator = RunningOperator(self, proxy, settings)
        self._programs.append(operator.program)
        return operator

    @asynccontextmanager
    async def objects(self, proxy: RecordingProxy | None = None) -> AsyncIterator[ClusterObjects]:
        """Open the operator's view of the cluster."""
        kubeconfig = self.cluster.kubeconfig("operator", proxy=proxy)
        connecting = KubeClient.connect(kubeconfig, user_agent=OPERATOR_FIELD_MANAGER)
        async with await connecting as client:
            yield ClusterObjects(client, self.place)

    @asynccontextmanager
    async def reconciler(self, proxy: RecordingProxy | None = None) -> AsyncIterator[Reconciler]:
        """Make passes by hand, under the operator's rights."""
        async with self.objects(proxy) as cluster:
            yield Reconciler(cluster, system_clock)


OnMapping = Callable[[StoredMapping | None], object]
"""Called with the mapping Secret, or with None when there is none."""


async def follow_mapping(cluster: ClusterObjects, on_mapping: OnMapping) -> None:
    """Report the mapping and each change of it, until cancelled."""
    await Reflector(cluster.mapping_source, _Reports(on_mapping), label="test").run()


class _Reports:
    def __init__(self, on_mapping: OnMapping) -> None:
        self._on_mapping = on_mapping

    def replace(self, listed: Listed[StoredMapping], *, fell: bool) -> None:  # noqa: ARG002
        self._on_mapping(listed.items[0] if listed.items else None)

    def apply(self, change: Change[StoredMapping]) -> None:
        self._on_mapping(None if change.deleted else change.item)


class RunningOperator:
    """The program as a process."""

    def __init__(
        self, site: OperatorSite, proxy: RecordingProxy | None, settings: dict[str, str]
    ) -> None:
        self.port = free_port()
        environment = {
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(site.cluster.kubeconfig("operator", proxy=proxy)),
            "USERS_NAMESPACE": site.names.users,
            "MAPPING_SECRET": site.names.mapping,
            "INTERNAL_PORT": str(self.port),
            **settings,
        }
        self.program = Program(
            "operator",
            [sys.executable, "-m", "productive_operator", "run"],
            log=site.cluster.folder / f"operator-{self.port}.log",
            environment=environment,
        )

    def answers(self, path: str) -> int | None:
        """Return the status of a probe; None while nobody listens."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}{path}", trust_env=False).status_code
        except httpx.TransportError:
            return None

    def until_ready(self) -> None:
        self.program.until(lambda: self.answers("/readyz") == httpx.codes.OK)

    def metric(self, sample: str) -> float:
        """Return the value of a sample, written as /metrics does; 0 if it is not there."""
        text = httpx.get(f"http://127.0.0.1:{self.port}/metrics", trust_env=False).text
        for line in text.splitlines():
            if line.startswith(f"{sample} "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def passes(self) -> float:
        """Return how many passes were good."""
        return self.metric('productive_operator_passes_total{result="ok"}')
