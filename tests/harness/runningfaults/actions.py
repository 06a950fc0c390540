"""What the faults do to a site, and what its people do meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx

from harness.faults import Answer, Predicate
from harness.grantrequests import proxies
from harness.processes import eventually
from harness.runningfaults.site import Site
from harness.signin import Registered, Visitor, new_person


@contextmanager
def failing(act: Callable[[], object], *, threads: int = 1) -> Iterator[None]:
    """Do something again and again while the block lasts."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(0.1):
            act()

    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(run) for _ in range(threads)]
        try:
            yield
        finally:
            ended.set()
        for one in running:
            one.result()


@contextmanager
def ruled(site: Site, predicate: Predicate, answer: Answer) -> Iterator[None]:
    """Let both gateways get an answer in place of the API server's."""
    made = [proxy.rule(predicate, answer, times=None) for proxy in proxies(site.running)]
    yield
    for rule in made:
        rule.remove()


def refresh(site: Site, client: Registered, tokens: dict[str, Any]) -> None:
    with Visitor(site.running) as one:
        one.refresh(client, tokens["refresh_token"])


def find(site: Site, tokens: dict[str, Any]) -> None:
    """Call a tool that asks Productive each time."""
    with Visitor(site.running) as one:
        one.http.timeout = 60
        arguments = {"query": "Website"}
        one.call(tokens["access_token"], "tools/call", name="find", arguments=arguments)


def with_token(site: Site, token: str) -> dict[str, Any]:
    """Return the tokens of somebody new, for whom this token of Productive is stored."""
    with Visitor(site.running) as one:
        client, email = one.register(), new_person(site.running)
        tokens = one.tokens(client, email)
        name = email.partition("@")[0]
        revisions = site.running.people.published_revision()
        site.running.people.set_token(name, token)
        eventually(
            lambda: site.running.people.published_revision() > revisions,
            seconds=60,
            what="the new token",
        )
        site.running.people.arrive()
        return tokens


def left(site: Site) -> int:
    """Return how many answers the fault of the simulator still spoils."""
    listed = httpx.get(f"{site.running.simulator_url}/__simulator/faults", trust_env=False).json()
    return sum(one["times"] for one in listed)
