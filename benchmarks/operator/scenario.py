"""One size: an operator from its first pass to the suspension of all, with a gateway's view.

The gateway's part is the very `MappingSource` that it uses, in this process: it decodes each
mapping that is published, so what it takes to become usable is in every latency.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from benchmarks.operator.crowd import Crowd, crowd_of, email
from benchmarks.operator.readings import Cost, Reading, at_start, cost, read

from harness.cluster import Cluster
from harness.gatewayclient import gateway_client
from harness.operatorsite import OperatorSite, RunningOperator
from productive_contract.mapping import Person, State
from productive_gateway.errors import Unavailable
from productive_gateway.watched.mapping import MappingSource

STEADY_PASSES = 5
REST_SECONDS = 1.2
"""Longer than the operator waits for changes to pause."""
LOOK_SECONDS = 0.005
"""Between two looks at the gateway's view."""
LONGEST = 300.0
CHANGES = ("a change", "a rotation", "a new person", "a removal")

Holds = Callable[[dict[str, Person]], bool]


@dataclass
class Result:
    """What was measured with one number of people."""

    people: int
    baseline_seconds: float = 0.0
    """Listing and decoding the same objects, no more: wall."""
    baseline_cpu_seconds: float = 0.0
    costs: dict[str, Cost] = field(default_factory=dict)
    latencies: dict[str, list[float]] = field(default_factory=dict)
    """Seconds from sending a change to using it at the gateway."""


class Scenario:
    """One installation with its operator and its gateway's view."""

    def __init__(
        self, site: OperatorSite, crowd: Crowd, source: MappingSource, result: Result
    ) -> None:
        self._site = site
        self._crowd = crowd
        self._source = source
        self._result = result
        self._chance = random.Random(result.people)

    async def run(self, repeats: int) -> None:
        """Do it all, in an order in which each part finds the operator at rest."""
        count = self._result.people
        await self._crowd.make(range(count))
        await self._baseline()
        await self._first_pass()
        operator = await self._restart()
        await self._changes(operator, repeats)
        await self._suspension(operator)
        operator.program.stop()

    async def _first_pass(self) -> None:
        start = at_start(self._site.cluster.plane)
        operator = await self._start()
        await self._usable(lambda people: len(people) == self._result.people)
        self._result.latencies["first start"] = [time.monotonic() - start.at]
        self._result.costs["first start"] = cost(start, await self._at_rest(operator))
        await self._steady(operator)
        operator.program.stop()

    async def _restart(self) -> RunningOperator:
        start = at_start(self._site.cluster.plane)
        operator = await self._start()
        self._result.costs["restart"] = cost(start, await self._read(operator))
        return operator

    async def _baseline(self) -> None:
        best: tuple[float, float] | None = None
        for _ in range(3):
            cpu, wall = time.process_time(), time.monotonic()
            assert await self._crowd.read_all() == 2 * self._result.people
            taken = (time.process_time() - cpu, time.monotonic() - wall)
            best = taken if best is None else min(best, taken)
        assert best is not None
        self._result.baseline_cpu_seconds, self._result.baseline_seconds = best

    async def _start(self) -> RunningOperator:
        operator = self._site.start()
        while await asyncio.to_thread(operator.answers, "/readyz") != 200:
            assert operator.program.running, operator.program.output()[-2000:]
            await asyncio.sleep(0.02)
        return operator

    async def _steady(self, operator: RunningOperator) -> None:
        async with self._costs(operator, "steady passes"):
            for number in range(STEADY_PASSES):
                before = await self._read(operator)
                await self._crowd.touch(number)
                while not cost(before, await self._read(operator)).passes:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

    async def _changes(self, operator: RunningOperator, repeats: int) -> None:
        count = self._result.people
        chosen = [self._chance.randrange(count) for _ in range(repeats)]
        flags = dict.fromkeys(chosen, False)

        async def change(number: int) -> Holds:
            flags[number] = not flags[number]
            wanted = flags[number]
            await self._crowd.change(number, access={"readOnly": wanted})
            return lambda people: people[email(number)].access.read_only is wanted

        async def rotate(number: int) -> Holds:
            token = str(uuid.uuid4())
            await self._crowd.rotate(number, token)

            def rotated(people: dict[str, Person]) -> bool:
                found = people[email(number)].api_token
                return found is not None and found.reveal() == token

            return rotated

        added = iter(range(count, count + repeats))

        async def add(_: int) -> Holds:
            number = next(added)
            await self._crowd.add(number)
            return lambda people: email(number) in people

        going = iter(range(count, count + repeats))

        async def remove(_: int) -> Holds:
            number = next(going)
            await self._crowd.remove(number)
            return lambda people: email(number) not in people

        for name, kind in zip(CHANGES, (change, rotate, add, remove), strict=True):
            await self._latencies(operator, name, kind, chosen)

    async def _latencies(
        self,
        operator: RunningOperator,
        name: str,
        kind: Callable[[int], Awaitable[Holds]],
        chosen: list[int],
    ) -> None:
        async with self._costs(operator, name):
            for number in chosen:
                begun = time.monotonic()
                await self._usable(await kind(number))
                self._result.latencies.setdefault(name, []).append(time.monotonic() - begun)
                # So that changes come at no fixed moment of the operator's own rhythm.
                await asyncio.sleep(0.3 * self._chance.random())

    async def _suspension(self, operator: RunningOperator) -> None:
        async with self._costs(operator, "mass suspension"):
            begun = time.monotonic()
            await self._crowd.suspend(range(self._result.people))
            written = time.monotonic()
            await self._usable(
                lambda people: all(p.state is State.SUSPENDED for p in people.values())
            )
            done = time.monotonic()
            self._result.latencies["everybody suspended"] = [done - begun]
            self._result.latencies["after the last write"] = [done - written]

    @asynccontextmanager
    async def _costs(self, operator: RunningOperator, name: str) -> AsyncIterator[None]:
        before = await self._at_rest(operator)
        yield
        self._result.costs[name] = cost(before, await self._at_rest(operator))

    async def _at_rest(self, operator: RunningOperator) -> Reading:
        """Wait until the operator asks for nothing any more; its rest does not count."""
        before = await self._read(operator)
        first = before
        while True:
            await asyncio.sleep(REST_SECONDS)
            after = await self._read(operator)
            moved = cost(before, after)
            if not moved.requests and not moved.passes and moved.cpu_seconds < 0.2 * REST_SECONDS:
                return first
            first = before = after

    async def _read(self, operator: RunningOperator) -> Reading:
        return await asyncio.to_thread(read, operator, self._site.cluster.plane)

    async def _usable(self, holds: Holds) -> None:
        async with asyncio.timeout(LONGEST):
            while True:
                try:
                    if holds(dict(self._source.snapshot().by_email)):
                        return
                except (KeyError, Unavailable):
                    # Nothing is published yet, or not this person.
                    pass
                await asyncio.sleep(LOOK_SECONDS)


async def measure(cluster: Cluster, people: int, repeats: int) -> Result:
    """Measure one number of people in namespaces of their own."""
    result = Result(people)
    site = OperatorSite(cluster)
    try:
        async with crowd_of(cluster) as crowd, _gateway(cluster) as source:
            await Scenario(site, crowd, source, result).run(repeats)
    finally:
        site.close()
    return result


@asynccontextmanager
async def _gateway(cluster: Cluster) -> AsyncIterator[MappingSource]:
    async with gateway_client(cluster.kubeconfig("gateway")) as client:
        source = MappingSource(client, client.namespace, cluster.names.mapping)
        following = asyncio.create_task(source.run())
        try:
            yield source
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
