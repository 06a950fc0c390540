"""People, entries and answers of the tools for time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import httpx
import jsonschema

from harness.mcpkit import SimulatedTools, person, principal
from harness.toolkit import said_alike
from productive_gateway.tools.registry import Answer
from productive_gateway.tools.time.log_time import log_time

DESIGN = {"project": "relaunch", "service": "design", "hours": 2}
LUKA = principal(person("simulator-luka-babic", user_id=9106))
MANAGER = principal(
    person("simulator-manager", user_id=9103, email="marko.cavic@northlight.example")
)


def checked(answer: Answer) -> dict[str, Any]:
    """Check what every answer of log_time fulfils, and return its structure."""
    said_alike(answer)
    known = {name: value for name, value in answer.structured.items() if name != "error"}
    jsonschema.validate(known, log_time.output_schema)
    return answer.structured


def codes(answer: Answer) -> list[str]:
    """Return the error code of each result; empty for none."""
    return [row.get("error", {}).get("code", "") for row in answer.structured["results"]]


def written(tools: SimulatedTools) -> list[Any]:
    """Return the bodies that were posted."""
    return [entry.body for entry in tools.requests("POST")]


def stored(tools: SimulatedTools, number: str) -> Any:
    """Return the attributes of a time entry in the simulator."""
    record = tools.world.state.get("time_entries", number)
    assert record is not None
    return record.attributes


def count(tools: SimulatedTools) -> int:
    """Return how many time entries there are."""
    return sum(1 for _ in tools.world.state.all("time_entries"))


async def rounds(tools: SimulatedTools, calling: Awaitable[Answer]) -> tuple[Answer, int]:
    """Run a call, and return its answer and how many round trips follow each other in it.

    All requests that are sent without waiting for each other are one round.
    """
    waiting: list[asyncio.Event] = []

    async def hold(_: httpx.Request) -> None:
        waiting.append(asyncio.Event())
        await waiting[-1].wait()

    tools.transport.before = hold
    running = asyncio.ensure_future(calling)
    count_ = 0
    while not running.done():
        for _ in range(_IDLE):
            await asyncio.sleep(0)
        if waiting:
            count_ += 1
        for held in waiting:
            held.set()
        waiting.clear()
    tools.transport.before = None
    return await running, count_


_IDLE = 200
"""Turns of the event loop after which nothing more happens without an answer."""
