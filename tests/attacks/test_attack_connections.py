"""Attacks by many connections that do as little as they can, while somebody honest works."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial

import httpx
import pytest

from harness.crowd import Crowd, silent_after_an_answer, slow_body
from harness.deployment import Deployment, Plan
from harness.mcpkit import result_of
from harness.processes import Program
from harness.signin import Visitor, new_person

SILENT, SLOW = 300, 1000
BODY = 63 * 1024
KEEP_ALIVE = 3
"""Seconds; short, so that the test sees the connections end."""
MARGIN = 10.0
"""Seconds that a busy machine may take over a deadline."""
MAX_GROWTH = 64.0
"""MiB by which the gateway may grow: far below its limit, however many attackers come."""


@pytest.mark.attack("L-10", "Q-06")
@pytest.mark.timeout(300)
async def test_silent_and_slow_clients_keep_nobody_out_and_do_not_fill_the_memory(
    deploy: Callable[[Plan], Deployment], record_property: Callable[[str, object], None]
) -> None:
    settings = {"KEEP_ALIVE_SECONDS": str(KEEP_ALIVE)}
    deployment = await asyncio.to_thread(deploy, Plan(replicas=1, gateway=settings))
    email = await asyncio.to_thread(new_person, deployment)
    gateway, port = deployment.gateways[0], deployment.ports[0]
    host = deployment.url.partition("://")[2]
    await asyncio.to_thread(work, deployment, email)
    memory = {"before": mebibytes(gateway)}

    silent = Crowd(port, partial(silent_after_an_answer, host=host))
    slow = Crowd(port, partial(slow_body, host=host, size=BODY))
    try:
        begun = time.monotonic()
        await asyncio.gather(silent.gather(SILENT), slow.gather(SLOW))
        honest = await asyncio.to_thread(work, deployment, email)
        memory["during"] = mebibytes(gateway)
        await asyncio.wait_for(silent.closed_by_server(), KEEP_ALIVE + MARGIN)
        await asyncio.wait_for(slow.closed_by_server(), 30 + MARGIN)
        closed = time.monotonic() - begun
    finally:
        await silent.disperse()
        await slow.disperse()
    await asyncio.to_thread(work, deployment, email)
    memory["after"] = mebibytes(gateway)

    for moment, held in memory.items():
        record_property(f"rss_{moment}_mib", round(held, 1))
    record_property("honest_seconds", round(honest, 2))
    record_property("all_closed_after_seconds", round(closed, 1))
    print(f"\nRSS {memory} MiB, honest {honest:.2f} s, all closed after {closed:.1f} s")
    assert honest < MARGIN
    assert memory["during"] - memory["before"] < MAX_GROWTH
    assert memory["after"] - memory["before"] < MAX_GROWTH


def work(deployment: Deployment, email: str) -> float:
    """Sign in and call a tool, each from a new browser; return the seconds it took."""
    begun = time.monotonic()
    with Visitor(deployment) as visitor:
        client = visitor.register()
        token = visitor.tokens(client, email)["access_token"]
        answer = visitor.call(token, "tools/call", name="get_me", arguments={})
        assert answer.status_code == httpx.codes.OK, answer.text
        assert result_of(answer)["result"].get("isError") is not True
    return time.monotonic() - begun


def mebibytes(gateway: Program) -> float:
    """Return the memory that a gateway holds, in MiB."""
    return gateway.resident_bytes() / 1024 / 1024
