"""Clients that call and refresh without a pause, and take note of every answer."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from benchmarks.grants.population import Held, Population
from benchmarks.soak.verdict import Outcome, Soaked, judge

from harness.deployment import Deployment
from productive_gateway.grants.service import Tokens

PAUSE_SECONDS: Final = 0.1
REFRESH_EACH: Final = 8
"""Of so many requests one is a refresh."""
REFRESH_BOUND: Final = 100.0
"""Seconds for which a refresh without an answer is repeated: the old token is good for 120."""
_LIST: Final = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
_KEPT: Final = 20


@dataclass(slots=True)
class Clients:
    """All clients of the run."""

    deployment: Deployment
    population: Population
    found: Soaked
    http: aiohttp.ClientSession
    taken: set[int] = field(default_factory=set)
    """Numbers of holders that were taken away, or soon are."""
    busy: set[int] = field(default_factory=set)
    """Numbers of holders that are sending something."""
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, workers: int) -> None:
        """Send requests until `stopped` is set."""
        await asyncio.gather(*(self._work(number) for number in range(workers)))

    def take(self) -> Held | None:
        """Return somebody whose grant may be taken away now, and leave them alone from now on."""
        number = random.randrange(len(self.population.held))
        if number in self.taken or number in self.busy:
            return None
        self.taken.add(number)
        return self.population.held[number]

    async def list_tools(self, port: int, token: str) -> tuple[int, dict[str, str]]:
        """Send one request to one replica; returns status and headers."""
        headers = {
            "Accept": "application/json, text/event-stream",
            "Authorization": f"Bearer {token}",
            "Host": self.host,
        }
        url = f"http://127.0.0.1:{port}/mcp"
        async with self.http.post(url, json=_LIST, headers=headers) as answer:
            await answer.read()
            return answer.status, dict(answer.headers)

    @property
    def host(self) -> str:
        return self.deployment.url.removeprefix("http://")

    async def _work(self, worker: int) -> None:
        turn = worker
        while not self.stopped.is_set():
            turn += 1
            number = random.randrange(len(self.population.held))
            if number in self.taken or number in self.busy:
                continue
            self.busy.add(number)
            held = self.population.held[number]
            try:
                if turn % REFRESH_EACH:
                    await self._call(held)
                else:
                    await self._refresh(held)
            finally:
                self.busy.discard(number)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _call(self, held: Held) -> None:
        clock = asyncio.get_running_loop().time
        begun = clock()
        for port in self._ports():
            try:
                status, headers = await self.list_tools(port, held.tokens.access_token)
            except aiohttp.ClientError:
                self.found.outcomes["call: another replica"] += 1
                continue
            self._note("call", judge(status, headers), clock() - begun, f"{status} {headers}")
            return
        self.found.outcomes["call: no replica"] += 1

    async def _refresh(self, held: Held) -> None:
        """Refresh, and repeat with the same token until there is an answer, as clients do."""
        clock = asyncio.get_running_loop().time
        form = {
            "grant_type": "refresh_token",
            "client_id": self.population.client_id,
            "refresh_token": held.tokens.refresh_token,
        }
        first = clock()
        while clock() - first < REFRESH_BOUND:
            begun = clock()
            url = f"http://127.0.0.1:{self._ports()[0]}/token"
            try:
                async with self.http.post(url, data=form, headers={"Host": self.host}) as answer:
                    text = await answer.text()
                    outcome = judge(answer.status, answer.headers)
                    self._note("refresh", outcome, clock() - begun, f"{answer.status} {text}")
                    if outcome is Outcome.SERVED:
                        body = await answer.json()
                        held.tokens = Tokens(
                            body["access_token"], body["refresh_token"], 0, frozenset()
                        )
                    if outcome is not Outcome.UNAVAILABLE:
                        return
            except aiohttp.ClientError:
                self.found.outcomes["refresh: another replica"] += 1
            await asyncio.sleep(1.0)
        self.found.outcomes["refresh: given up"] += 1
        self.taken.add(self.population.held.index(held))

    def _ports(self) -> list[int]:
        return random.sample(self.deployment.ports, len(self.deployment.ports))

    def _note(self, what: str, outcome: Outcome, seconds: float, seen: str) -> None:
        self.found.outcomes[f"{what}: {outcome.value}"] += 1
        if outcome is Outcome.SERVED:
            self.found.latencies.setdefault(what, []).append(seconds)
        elif outcome is not Outcome.UNAVAILABLE and len(self.found.wrong) < _KEPT:
            self.found.wrong.append(f"{what}: {seen[:300]}")
