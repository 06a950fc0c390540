"""What is done to the installation meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from benchmarks.soak.verdict import API_SERVER, Disturbance

from harness.deployment import Deployment
from harness.processes import pause

CUT: Final = "watches cut"
ROLLED: Final = "replicas restarted"
CUT_EACH: Final = 60.0
AWAY: Final = 5.0
"""Seconds from the end of the API server to its next start."""
ROLLS: Final = (0.2, 0.6)
KILLS: Final = (0.4, 0.8)
"""Parts of the run."""


def schedule(seconds: float) -> list[tuple[float, str]]:
    """Return what happens when, in seconds of a run that is this long."""
    cuts = [(CUT_EACH * n, CUT) for n in range(1, int(seconds / CUT_EACH) + 1)]
    rolls = [(part * seconds, ROLLED) for part in ROLLS]
    kills = [(part * seconds, API_SERVER) for part in KILLS]
    return sorted(one for one in cuts + rolls + kills if one[0] < seconds)


async def disturb(
    deployment: Deployment, seconds: float, begun: float, found: list[Disturbance]
) -> None:
    """Do all of it, one after the other; a disturbance that is due during another comes after."""
    acts: dict[str, Callable[[Deployment], None]] = {
        CUT: _cut,
        ROLLED: _roll,
        API_SERVER: _kill_api_server,
    }
    for due, kind in schedule(seconds):
        await asyncio.sleep(max(0.0, begun + due - time.monotonic()))
        at = time.monotonic() - begun
        # Known before it happens: what is taken away meanwhile looks here.
        found.append(Disturbance(kind, at, seconds * 10))
        await asyncio.to_thread(acts[kind], deployment)
        found[-1] = Disturbance(kind, at, time.monotonic() - begun)


def _cut(deployment: Deployment) -> None:
    for proxy in deployment.proxies.values():
        proxy.cut()


def _roll(deployment: Deployment) -> None:
    for number, gateway in enumerate(deployment.gateways):
        deployment.refresh_mounts()
        gateway.stop(40)
        gateway.restart()
        deployment.until_ready(number)


def _kill_api_server(deployment: Deployment) -> None:
    plane = deployment.cluster.plane
    plane.api_server.kill()
    pause(AWAY)
    plane.api_server.restart()
    plane.until_ready()
