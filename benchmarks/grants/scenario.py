"""One number of grants: sign-ins, starts, look-ups, refreshes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.grants.lookups import Listing, Lookups, measure_listings, measure_lookups
from benchmarks.grants.population import people_for, populate, sign_in_all
from benchmarks.grants.refreshes import Refreshes, own_refreshes, shared_refreshes
from benchmarks.grants.starts import Start, start

from harness.deployment import Deployment

SHARED = 10
"""Of so many refreshes that are a client's own, one is presented everywhere at once."""


@dataclass(slots=True)
class Result:
    """What was measured with one number of grants."""

    grants: int
    people: int
    empty: Start
    """A start with the same people and no grant."""
    starts: list[Start]
    lookups: Lookups
    listings: dict[str, list[Listing]]
    sign_ins_per_second: float
    own: list[Refreshes] = field(default_factory=list)
    shared: list[Refreshes] = field(default_factory=list)

    @property
    def resident_each(self) -> float:
        """Bytes of the whole process for each grant."""
        held = min(one.resident_bytes for one in self.starts)
        return (held - self.empty.resident_bytes) / self.grants


async def measure(
    deployment: Deployment, grants: int, replicas: Sequence[int], refreshes: int, starts: int
) -> Result:
    """Measure one number of grants in a deployment of its own."""
    population = await populate(deployment, people_for(grants))
    empty = await asyncio.to_thread(start, deployment, 0)
    for gateway in deployment.gateways:
        gateway.kill()  # so that none follows all the sign-ins
    await sign_in_all(deployment, population, grants)
    result = Result(
        grants=grants,
        people=len(population.people),
        empty=empty,
        listings=await measure_listings(deployment, population, starts),
        starts=[await asyncio.to_thread(start, deployment, grants) for _ in range(starts)],
        lookups=await measure_lookups(deployment, population),
        sign_ins_per_second=grants / population.seconds,
    )
    running = 1
    for number in replicas:
        for other in range(running, number):
            await asyncio.to_thread(start, deployment, grants, other)
        running = max(running, number)
        count = min(grants, refreshes)
        result.own.append(await own_refreshes(deployment, population, number, count))
        result.shared.append(
            await shared_refreshes(deployment, population, number, max(1, count // SHARED))
        )
    return result
