"""The phases of a load test against one replica."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import aiohttp
from benchmarks.figures.processes import cpu_seconds
from benchmarks.grants.population import Held
from benchmarks.load.client import Client
from benchmarks.load.hostile import Hostile, accepted
from benchmarks.load.mix import Assistant, Sent
from benchmarks.load.verdict import (
    CLOSED,
    REFUSED,
    SERVED,
    SPARE_DESCRIPTORS,
    Loaded,
    Phase,
    bearable,
    outcome,
)
from benchmarks.mcp.wire import MODERN, message

from harness.deployment import Deployment
from harness.processes import Program

CLIENTS: Final = 200
FIRST: Final = 0.8
"""Of what clients get that send as fast as they can: tried first as the bearable rate."""
LOWER: Final = 0.85
"""Of a rate that was too high: tried next."""
TRIES: Final = 5
CAPACITY_SECONDS: Final = 20.0
SAMPLE_SECONDS: Final = 0.5
GOOD_IN_A_ROW: Final = 20
AS_BEFORE: Final = 3.0
"""A latency below so many times that before the load counts as recovered."""
LEAST_LATENCY: Final = 0.25
LONGEST: Final = 60.0


@dataclass(frozen=True, slots=True)
class User:
    """A client and what it sends."""

    client: Client
    assistant: Assistant


async def load(
    deployment: Deployment, held: Sequence[Held], client_id: str, attacker: Held, seconds: float
) -> Loaded:
    """Measure what the replica bears, then that rate, then twice that among hostile clients.

    Args:
        deployment: with one replica.
        held: tokens of the clients, one for each of twice `CLIENTS`.
        client_id: of all of them.
        attacker: tokens of somebody else.
        seconds: of each of the two long phases.
    """
    gateway, port = deployment.gateways[0], deployment.ports[0]
    host = deployment.url.removeprefix("http://")
    pid = gateway.pid
    users = [
        User(Client(port), Assistant(number, host, client_id, each))
        for number, each in enumerate(held)
    ]
    asked = message("tools/list", MODERN).to(host, "/mcp", attacker.tokens.access_token)
    witness = Client(port)
    calm = await _latency(witness, asked)
    found = Loaded(gateway.resident_bytes(), gateway.open_files())
    watched = _Watched(gateway, deployment.internal_ports[0])
    short = min(CAPACITY_SECONDS, seconds)
    capacity = Phase("as fast as they can", CLIENTS, 0.0)
    await _run(capacity, users[:CLIENTS], watched, short)
    rate = await _bearable_rate(users[:CLIENTS], watched, FIRST * capacity.rate, short)
    once = Phase("what it bears", CLIENTS, rate, may_refuse=False)
    await _run(once, users[:CLIENTS], watched, seconds)
    twice = Phase("twice that, among hostile clients", len(users), 2 * rate)
    hostile = Hostile(port, host, attacker.tokens.access_token)
    attacking = asyncio.create_task(hostile.run())
    await _run(twice, users, watched, seconds)
    attacking.cancel()
    ended = await asyncio.gather(attacking, return_exceptions=True)
    found.recovery_seconds = await _recovery(witness, asked, calm)
    for client in [witness, *(user.client for user in users)]:
        client.close()
    found.phases += [capacity, once, twice]
    found.attacks = hostile.answers
    found.accepted = [*accepted(hostile.answers), *(repr(one) for one in ended if _failed(one))]
    found.alive = gateway.running and gateway.pid == pid
    found.descriptors_after = await _released(gateway, found.descriptors_before)
    found.bytes_after = gateway.resident_bytes() if gateway.running else 0
    found.load_average = os.getloadavg()[2]
    return found


def _failed(result: object) -> bool:
    return isinstance(result, Exception)


async def _bearable_rate(
    users: Sequence[User], watched: _Watched, rate: float, seconds: float
) -> float:
    """Return the highest rate that was borne, among ever lower ones."""
    for _ in range(TRIES):
        phase = Phase("a try", len(users), rate)
        await _run(phase, users, watched, seconds)
        if bearable(phase):
            return rate
        rate *= LOWER
    return rate


async def _released(gateway: Program, before: int) -> int:
    """Wait until the gateway has closed what nobody uses any more; returns what is still open."""
    begun = time.monotonic()
    while gateway.running and gateway.open_files() > before + SPARE_DESCRIPTORS:
        if time.monotonic() - begun > LONGEST:
            break
        await asyncio.sleep(SAMPLE_SECONDS)
    return gateway.open_files() if gateway.running else 0


async def _run(phase: Phase, users: Sequence[User], watched: _Watched, seconds: float) -> None:
    cpu, begun = cpu_seconds(watched.gateway.pid), time.monotonic()
    async with _watching(phase, watched):
        if phase.wanted:
            await _offer(phase, users, begun, seconds)
        else:
            await asyncio.gather(*(_hurry(phase, one, begun + seconds) for one in users))
    phase.seconds = time.monotonic() - begun
    phase.cpu_seconds = cpu_seconds(watched.gateway.pid) - cpu


async def _hurry(phase: Phase, user: User, end: float) -> None:
    while time.monotonic() < end:
        await _send(phase, user, time.monotonic())


async def _offer(phase: Phase, users: Sequence[User], begun: float, seconds: float) -> None:
    """Send requests when they are due, whether or not others were answered.

    Who has waited longest sends next, so that no person's own limits are reached.
    """
    idle = deque(users)
    running: set[asyncio.Task[None]] = set()

    async def one(user: User, due: float) -> None:
        await _send(phase, user, due)
        idle.append(user)

    for number in range(int(seconds * phase.wanted)):
        due = begun + number / phase.wanted
        wait = due - time.monotonic()
        if wait > 0 or number % 20 == 0:
            await asyncio.sleep(max(0.0, wait))
        if not idle:
            phase.late += 1
            continue
        task = asyncio.create_task(one(idle.popleft(), due))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)


async def _send(phase: Phase, user: User, due: float) -> None:
    sent: Sent = user.assistant.next()
    begun = time.monotonic()
    phase.waits.append(begun - due)
    try:
        reply = await user.client.send(sent.request)
    except (OSError, EOFError):
        phase.outcomes[CLOSED] += 1
        await asyncio.sleep(0.1)
        return
    seconds = time.monotonic() - begun
    name = user.assistant.take(sent, reply) or outcome(reply)
    if name not in {SERVED, REFUSED}:
        name = f"{sent.kind}: {name}"
    phase.outcomes[name] += 1
    if name == SERVED:
        phase.latencies.setdefault(sent.kind, []).append(seconds)
    elif name == REFUSED:
        phase.refusals.append(seconds)


async def _latency(client: Client, asked: bytes) -> float:
    """Return the seconds of the slowest of some requests, one after the other."""
    slowest = 0.0
    for _ in range(GOOD_IN_A_ROW):
        begun = time.monotonic()
        await client.send(asked)
        slowest = max(slowest, time.monotonic() - begun)
    return slowest


async def _recovery(client: Client, asked: bytes, calm: float) -> float:
    """Return the seconds until requests are answered as fast as before."""
    begun = time.monotonic()
    good, since = 0, 0.0
    while good < GOOD_IN_A_ROW and time.monotonic() - begun < LONGEST:
        sent = time.monotonic()
        try:
            fine = (await client.send(asked)).status == 200
        except (OSError, EOFError):
            fine = False
        if fine and time.monotonic() - sent < max(AS_BEFORE * calm, LEAST_LATENCY):
            since = sent - begun if good == 0 else since
            good += 1
        else:
            good = 0
    return since if good >= GOOD_IN_A_ROW else LONGEST


@dataclass(frozen=True, slots=True)
class _Watched:
    """The replica, and the port where the kubelet asks it."""

    gateway: Program
    internal_port: int


@asynccontextmanager
async def _watching(phase: Phase, watched: _Watched) -> AsyncIterator[None]:
    gateway = watched.gateway

    async def sample() -> None:
        while True:
            phase.most_bytes = max(phase.most_bytes, gateway.resident_bytes())
            phase.most_descriptors = max(phase.most_descriptors, gateway.open_files())
            await asyncio.sleep(SAMPLE_SECONDS)

    async def probe() -> None:
        url = f"http://127.0.0.1:{watched.internal_port}/livez"
        async with aiohttp.ClientSession() as http:
            while True:
                begun = time.monotonic()
                with suppress(aiohttp.ClientError):
                    async with http.get(url) as answer:
                        await answer.read()
                phase.probes.append(time.monotonic() - begun)
                await asyncio.sleep(SAMPLE_SECONDS)

    tasks = [asyncio.create_task(sample()), asyncio.create_task(probe())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
