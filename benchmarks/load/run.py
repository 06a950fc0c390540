"""The phases of a load test against one replica."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from benchmarks.figures.processes import cpu_seconds
from benchmarks.load.client import Client
from benchmarks.load.hostile import Hostile, accepted
from benchmarks.load.verdict import CLOSED, SPARE_DESCRIPTORS, Loaded, Phase, outcome

from harness.deployment import Deployment
from harness.processes import Program

CLIENTS: Final = 200
BEARABLE: Final = 0.8
"""Of what clients get that send as fast as they can, so that no queue forms."""
CAPACITY_SECONDS: Final = 20.0
SAMPLE_SECONDS: Final = 0.5
GOOD_IN_A_ROW: Final = 20
AS_BEFORE: Final = 3.0
"""A latency below so many times that before the load counts as recovered."""
LEAST_LATENCY: Final = 0.25
LONGEST: Final = 60.0


async def load(
    deployment: Deployment, requests: Sequence[bytes], token: str, seconds: float
) -> Loaded:
    """Measure what the replica bears, then that rate, then twice that among hostile clients."""
    gateway, port = deployment.gateways[0], deployment.ports[0]
    host = deployment.url.removeprefix("http://")
    pid = gateway.pid
    clients = [
        Client(port, request)
        for request, _ in zip(itertools.cycle(requests), range(2 * CLIENTS), strict=False)
    ]
    calm = await _latency(clients[0])
    found = Loaded(gateway.resident_bytes(), gateway.open_files())
    capacity = Phase("as fast as they can", CLIENTS, 0.0)
    await _run(capacity, clients[:CLIENTS], gateway, min(CAPACITY_SECONDS, seconds))
    bearable = BEARABLE * capacity.rate
    once = Phase("what it bears", CLIENTS, bearable)
    await _run(once, clients[:CLIENTS], gateway, seconds)
    twice = Phase("twice that, among hostile clients", 2 * CLIENTS, 2 * capacity.rate)
    hostile = Hostile(port, host, token)
    attacking = asyncio.create_task(hostile.run())
    await _run(twice, clients, gateway, seconds)
    attacking.cancel()
    await asyncio.gather(attacking, return_exceptions=True)
    found.recovery_seconds = await _recovery(clients[0], calm)
    for client in clients:
        client.close()
    found.phases += [capacity, once, twice]
    found.attacks, found.accepted = hostile.answers, accepted(hostile.answers)
    found.alive = gateway.running and gateway.pid == pid
    found.descriptors_after = await _released(gateway, found.descriptors_before)
    return found


async def _released(gateway: Program, before: int) -> int:
    """Wait until the gateway has closed what nobody uses any more; returns what is still open."""
    begun = time.monotonic()
    while gateway.running and gateway.open_files() > before + SPARE_DESCRIPTORS:
        if time.monotonic() - begun > LONGEST:
            break
        await asyncio.sleep(SAMPLE_SECONDS)
    return gateway.open_files() if gateway.running else 0


async def _run(phase: Phase, clients: Sequence[Client], gateway: Program, seconds: float) -> None:
    cpu, begun = cpu_seconds(gateway.pid), time.monotonic()
    async with _watching(phase, gateway):
        if phase.wanted:
            await _offer(phase, clients, begun, seconds)
        else:
            await asyncio.gather(*(_hurry(phase, one, begun + seconds) for one in clients))
    phase.seconds = time.monotonic() - begun
    phase.cpu_seconds = cpu_seconds(gateway.pid) - cpu


async def _hurry(phase: Phase, client: Client, end: float) -> None:
    while time.monotonic() < end:
        await _send(phase, client, time.monotonic())


async def _offer(phase: Phase, clients: Sequence[Client], begun: float, seconds: float) -> None:
    """Send requests when they are due, whether or not others were answered."""
    idle = list(clients)
    running: set[asyncio.Task[None]] = set()

    async def one(client: Client, due: float) -> None:
        await _send(phase, client, due)
        idle.append(client)

    for number in range(int(seconds * phase.wanted)):
        due = begun + number / phase.wanted
        wait = due - time.monotonic()
        if wait > 0 or number % 20 == 0:
            await asyncio.sleep(max(0.0, wait))
        if not idle:
            phase.late += 1
            continue
        task = asyncio.create_task(one(idle.pop(), due))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)


async def _send(phase: Phase, client: Client, due: float) -> None:
    try:
        reply = await client.send()
    except (OSError, EOFError):
        phase.outcomes[CLOSED] += 1
        await asyncio.sleep(0.1)
        return
    name = outcome(reply)
    phase.outcomes[name] += 1
    if name == "200":
        phase.latencies.append(time.monotonic() - due)


async def _latency(client: Client) -> float:
    """Return the seconds of the slowest of some requests, one after the other."""
    slowest = 0.0
    for _ in range(GOOD_IN_A_ROW):
        begun = time.monotonic()
        await client.send()
        slowest = max(slowest, time.monotonic() - begun)
    return slowest


async def _recovery(client: Client, calm: float) -> float:
    """Return the seconds until requests are answered as fast as before."""
    begun = time.monotonic()
    good, since = 0, 0.0
    while good < GOOD_IN_A_ROW and time.monotonic() - begun < LONGEST:
        sent = time.monotonic()
        try:
            fine = (await client.send()).status == 200
        except (OSError, EOFError):
            fine = False
        if fine and time.monotonic() - sent < max(AS_BEFORE * calm, LEAST_LATENCY):
            since = sent - begun if good == 0 else since
            good += 1
        else:
            good = 0
    return since if good >= GOOD_IN_A_ROW else LONGEST


@asynccontextmanager
async def _watching(phase: Phase, gateway: Program) -> AsyncIterator[None]:
    async def sample() -> None:
        while True:
            phase.most_bytes = max(phase.most_bytes, gateway.resident_bytes())
            phase.most_descriptors = max(phase.most_descriptors, gateway.open_files())
            await asyncio.sleep(SAMPLE_SECONDS)

    sampling = asyncio.create_task(sample())
    try:
        yield
    finally:
        sampling.cancel()
        with suppress(asyncio.CancelledError):
            await sampling
