"""People who can work at the simulator, which knows a token for each of them and has no limits."""

from __future__ import annotations

import httpx
from benchmarks.grants.population import Population, populate
from benchmarks.operator.crowd import crowd_of, each, email

from harness.deployment import ORGANIZATION, Deployment
from harness.processes import eventually

ANA = "9104"
"""All are this person of the simulator, each with a token of their own."""
UNLIMITED = 1_000_000_000


async def working_people(deployment: Deployment, count: int) -> Population:
    """Create people whose tokens Productive knows; nobody has signed in yet."""
    population = await populate(deployment, count)
    async with httpx.AsyncClient(base_url=deployment.simulator_url, trust_env=False) as http:
        limits = {"per_token": UNLIMITED, "per_organization": UNLIMITED}
        (await http.put("/__simulator/limits", json=limits)).raise_for_status()
        for number in range(count):
            order = {"value": token_of(number), "people": {ORGANIZATION: ANA}}
            (await http.post("/__simulator/tokens", json=order)).raise_for_status()

    async with crowd_of(deployment.cluster) as crowd:

        async def give(number: int) -> None:
            await crowd.rotate(number, token_of(number))
            await crowd.change(number, userId=int(ANA))

        await each(range(count), give)

    def published() -> bool:
        users = deployment.people.published()["users"]
        given = [users.get(email(number), {}) for number in range(count)]
        return all(
            one.get("apiToken") == token_of(number) and one.get("userId") == int(ANA)
            for number, one in enumerate(given)
        )

    eventually(published, seconds=300, what="everybody's token is published")
    deployment.people.arrive()
    return population


def token_of(number: int) -> str:
    return f"simulator-load-{number:05}"
