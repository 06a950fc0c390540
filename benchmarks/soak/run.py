"""One soak: clients, disturbances, revocations and samples side by side."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Final

import aiohttp
import httpx
from benchmarks.grants.population import Held, Population
from benchmarks.grants.starts import start
from benchmarks.soak.clients import Clients
from benchmarks.soak.disturb import disturb
from benchmarks.soak.verdict import Sample, Soaked, state_between

from harness.deployment import Deployment
from harness.kube import ApiRefused, secrets_path
from productive_gateway.grants.tokens import read_access

WORKERS: Final = 8
TAKE_EACH: Final = 4.0
SAMPLE_EACH: Final = 5.0
LOOK_SECONDS: Final = 0.1
LONGEST: Final = 320.0
"""Seconds after which what was taken away should be refused in any state."""
REFUSED: Final = 401


async def soak(deployment: Deployment, population: Population, seconds: float) -> Soaked:
    """Run it for this long over people who have signed in; the gateways are started here."""
    grants = len(population.held)
    for number in range(deployment.plan.replicas):
        await asyncio.to_thread(start, deployment, grants, number)
    found = Soaked(seconds)
    before = await asyncio.to_thread(_objects, deployment)
    begun = time.monotonic()
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        clients = Clients(deployment, population, found, http)
        working = asyncio.create_task(clients.run(WORKERS))
        revoking = asyncio.create_task(_revoke(clients, found, begun, seconds))
        sampling = asyncio.create_task(_sample(deployment, found, begun))
        try:
            await disturb(deployment, seconds, begun, found.disturbances)
            await asyncio.sleep(max(0.0, begun + seconds - time.monotonic()))
            await revoking
        finally:
            clients.stopped.set()
            sampling.cancel()
            await asyncio.gather(working, sampling, return_exceptions=True)
    if not working.cancelled():
        working.result()
    found.objects = before, await asyncio.to_thread(_objects, deployment)
    return found


async def _revoke(clients: Clients, found: Soaked, begun: float, seconds: float) -> None:
    """Take something away every few seconds, in one way and the other, and see when it ends."""
    waiting: set[asyncio.Task[None]] = set()
    turn = 0
    while time.monotonic() - begun < seconds - 2 * TAKE_EACH:
        await asyncio.sleep(TAKE_EACH)
        held = clients.take()
        if held is not None:
            turn += 1
            waiting.add(
                asyncio.create_task(
                    _take_away(clients, held, found, begun, by_client=turn % 2 == 0)
                )
            )
    await asyncio.gather(*waiting)


async def _take_away(
    clients: Clients, held: Held, found: Soaked, begun: float, *, by_client: bool
) -> None:
    take = _revoke_by_client if by_client else _delete
    while not await take(clients, held):  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    sent = time.monotonic()
    served = await asyncio.gather(
        *(_served_until(clients, port, held, sent) for port in clients.deployment.ports)
    )
    state = state_between(found.disturbances, sent - begun, time.monotonic() - begun)
    found.revocations.append((state, max(served)))


async def _served_until(clients: Clients, port: int, held: Held, sent: float) -> float:
    """Ask a replica until it refuses; returns after how many seconds it served last."""
    last = 0.0
    while time.monotonic() - sent < LONGEST:
        asked = time.monotonic()
        with suppress(aiohttp.ClientError, TimeoutError):
            status, _ = await clients.list_tools(port, held.tokens.access_token)
            if status == REFUSED:
                return last
            if status == 200:
                last = asked - sent
        await asyncio.sleep(LOOK_SECONDS)
    return LONGEST


async def _delete(clients: Clients, held: Held) -> bool:
    """Delete the grant as an administrator does; False if the API server is away."""
    deployment = clients.deployment
    token = read_access(clients.population.ring, held.tokens.access_token, deployment.mcp_url)
    path = secrets_path(deployment.cluster.names.grants, token.grant)
    try:
        await asyncio.to_thread(deployment.cluster.kube.delete, path)
    except httpx.TransportError:
        return False
    except ApiRefused as error:
        # Deleted by an attempt whose answer was lost.
        return error.status == httpx.codes.NOT_FOUND
    return True


async def _revoke_by_client(clients: Clients, held: Held) -> bool:
    form = {"token": held.tokens.refresh_token, "client_id": clients.population.client_id}
    url = f"http://127.0.0.1:{clients.deployment.ports[0]}/revoke"
    try:
        async with clients.http.post(url, data=form, headers={"Host": clients.host}) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _sample(deployment: Deployment, found: Soaked, begun: float) -> None:
    while True:
        at = time.monotonic() - begun
        for number, gateway in enumerate(deployment.gateways):
            with suppress(OSError, ValueError, IndexError):  # it is being restarted
                found.samples.append(
                    Sample(at, number, gateway.pid, gateway.resident_bytes(), gateway.open_files())
                )
        await asyncio.sleep(SAMPLE_EACH)


def _objects(deployment: Deployment) -> int:
    return len(deployment.cluster.kube.items(secrets_path(deployment.cluster.names.grants)))
