"""An installation with a person who works and an administrator who changes something."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final, Self

import httpx

from harness.cluster import Cluster
from harness.deployment import Deployment, Plan
from harness.kube import secrets_path
from harness.people import API
from harness.plane import Plane
from harness.signin import Registered, Visitor, new_person
from harness.tracereceiver import TraceReceiver, trace_receiver

BUSY_SECONDS: Final = 0.2
"""Between two calls of the person who works all the time."""
LARGE_BUDGET: Final = "10000000"
"""Requests in 30 minutes: more than that person makes."""
PLENTY: Final = {"per_token": 1_000_000, "per_organization": 10_000_000}
"""What Productive allows then."""


class Site:
    """The installation and its people."""

    def __init__(self, running: Deployment, clients: Path, collector: TraceReceiver) -> None:
        self.running = running
        self.collector = collector
        self.kube = running.cluster.kube
        self.names = running.cluster.names
        self.clients = clients
        """The list of pre-registered ones."""
        self.visitor = Visitor(running)
        self.client = self.visitor.register()
        self.email = new_person(running)
        self.tokens = self.visitor.tokens(self.client, self.email)
        self.idle = threading.Event()
        """Set while the person makes no calls."""
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=run) for run in (self._work, self._change)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self.visitor.http.close()

    def sign_in(self) -> tuple[Registered, dict[str, Any]]:
        """Let somebody new sign in; return the client and its tokens."""
        with Visitor(self.running) as one:
            client = one.register()
            return client, one.tokens(client, new_person(self.running))

    def fail_to_sign_in(self, email: str) -> None:
        with Visitor(self.running) as one:
            answer = one.sign_in(one.register(), email)
            location = answer.headers.get("location", "")
            assert "code=" not in location, "the sign-in succeeded"

    def secret(self, name: str) -> str:
        return secrets_path(self.names.release, name)

    def simulator(self, path: str, document: Any) -> None:
        address = f"{self.running.simulator_url}/__simulator/{path}"
        httpx.put(address, json=document, trust_env=False).raise_for_status()

    def _work(self) -> None:
        with Visitor(self.running) as one:
            while not self._ended.wait(BUSY_SECONDS):
                if not self.idle.is_set():
                    try:
                        one.call(
                            self.tokens["access_token"],
                            "tools/call",
                            name="find",
                            arguments={"query": "Website"},
                        )
                    except httpx.TransportError:
                        continue  # no gateway runs at the moment

    def _change(self) -> None:
        """Change a person often, so that the operator has passes to make."""
        name = self.email.partition("@")[0]
        path = f"{API}/{self.names.users}/productiveusers/{name}"
        read_only = False
        while not self._ended.wait(5):
            read_only = not read_only
            self.kube.merge(path, {"spec": {"access": {"readOnly": read_only}}})


@contextmanager
def running_site(plane: Plane) -> Iterator[Site]:
    """Run everything, with a budget that nobody uses up, while the block lasts."""
    with ExitStack() as stack:
        cluster = stack.enter_context(closing(Cluster(plane)))
        collector = stack.enter_context(trace_receiver())
        clients = cluster.folder / "clients.json"
        clients.write_text("[]")
        settings = {
            "PREREGISTERED_CLIENTS": str(clients),
            "LIMIT_TOKEN": "120",
            "PRODUCTIVE_REQUESTS_PER_30_MIN": LARGE_BUDGET,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        }
        plan = Plan(proxied=True, forked=True, gateway=settings)
        running = stack.enter_context(Deployment(cluster, plan).running())
        site = stack.enter_context(Site(running, clients, collector))
        site.simulator("limits", PLENTY)
        yield site
