"""Refreshes at several replicas: each client its own, and one client at all of them at once."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import aiohttp
from benchmarks.figures.processes import cpu_seconds
from benchmarks.grants.population import Held, Population
from benchmarks.grants.starts import metrics

from harness.deployment import Deployment
from productive_gateway.grants.service import Tokens

AT_ONCE = 16
KUBERNETES = re.compile(
    r'^productive_mcp_kubernetes_requests_total\{status="(\d+)",verb="(\w+)"\} (\S+)$',
    re.MULTILINE,
)
STEPS = ("get", "replace")


@dataclass(slots=True)
class Refreshes:
    """What some refreshes cost."""

    replicas: int
    count: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of all gateways together."""
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Requests to the API server about single grants, by verb and status."""
    refused: Counter[str] = field(default_factory=Counter)
    """Answers that were not tokens, and successors that differed; there must be none."""

    @property
    def conflicts(self) -> int:
        """Writes that lost against another replica's."""
        return self.requests["replace", "409"]


async def own_refreshes(
    deployment: Deployment, population: Population, replicas: int, count: int
) -> Refreshes:
    """Refresh one grant after the other, many at a time, at one replica after the other."""
    waiting = iter(population.held[:count])
    found = Refreshes(replicas, count)

    async def work(http: aiohttp.ClientSession, first: int) -> None:
        for number, held in enumerate(waiting, first):
            tokens = await _refresh(http, deployment, population, held, number % replicas, found)
            if tokens is not None:
                held.tokens = tokens

    async with aiohttp.ClientSession() as http:
        before = _used(deployment, replicas)
        begun = time.monotonic()
        await asyncio.gather(*(work(http, number) for number in range(AT_ONCE)))
        found.seconds = time.monotonic() - begun
        _note(found, before, _used(deployment, replicas))
    return found


async def shared_refreshes(
    deployment: Deployment, population: Population, replicas: int, count: int
) -> Refreshes:
    """Present the same refresh token at every replica at once: all must answer the same."""
    found = Refreshes(replicas, count * replicas)
    async with aiohttp.ClientSession() as http:
        before = _used(deployment, replicas)
        begun = time.monotonic()
        for held in population.held[-count:]:
            answers = await asyncio.gather(
                *(
                    _refresh(http, deployment, population, held, number, found)
                    for number in range(replicas)
                )
            )
            good = [tokens for tokens in answers if tokens is not None]
            if len({tokens.refresh_token for tokens in good}) > 1:
                found.refused["successors differ"] += 1
            if good:
                held.tokens = good[0]
        found.seconds = time.monotonic() - begun
        _note(found, before, _used(deployment, replicas))
    return found


async def _refresh(  # noqa: PLR0917
    http: aiohttp.ClientSession,
    deployment: Deployment,
    population: Population,
    held: Held,
    replica: int,
    found: Refreshes,
) -> Tokens | None:
    form = {
        "grant_type": "refresh_token",
        "client_id": population.client_id,
        "refresh_token": held.tokens.refresh_token,
    }
    url = f"http://127.0.0.1:{deployment.ports[replica]}/token"
    host = {"Host": deployment.url.removeprefix("http://")}
    async with http.post(url, data=form, headers=host) as answer:
        if answer.status != 200:
            found.refused[f"{answer.status} {(await answer.text())[:200]}"] += 1
            return None
        body = await answer.json()
    return Tokens(body["access_token"], body["refresh_token"], body["expires_in"], frozenset())


Used = tuple[float, Counter[tuple[str, str]]]


def _used(deployment: Deployment, replicas: int) -> Used:
    cpu, requests = 0.0, Counter[tuple[str, str]]()
    for number in range(replicas):
        cpu += cpu_seconds(deployment.gateways[number].pid)
        requests.update(kubernetes_requests(metrics(deployment.internal_ports[number])))
    return cpu, requests


def kubernetes_requests(text: str) -> Counter[tuple[str, str]]:
    """Return the requests about single grants so far, by verb and status, from the metrics."""
    found: Iterable[tuple[str, str, str]] = KUBERNETES.findall(text)
    return Counter(
        {(verb, status): int(float(count)) for status, verb, count in found if verb in STEPS}
    )


def _note(found: Refreshes, before: Used, after: Used) -> None:
    found.cpu_seconds = after[0] - before[0]
    found.requests = after[1] - before[1]
