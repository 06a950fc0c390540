"""The calls of one person: a few run, some wait, the rest are told to wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from harness.mcpkit import SimulatedTools, person, principal, simulated_tools, until
from productive_gateway.tools.kit.call_limit import RUNNING, WAITING, CallLimit
from productive_gateway.tools.registry import Answer

SECONDS = 10
LUKA = principal(person("simulator-luka-babic", user_id=9106, email="luka@northlight.example"))


class HeldProductive:
    """Holds Ana's requests to Productive until it is released."""

    def __init__(self, tools: SimulatedTools) -> None:
        self.released = asyncio.Event()
        tools.transport.before = self._hold

    async def _hold(self, request: Any) -> None:
        if "ana" in request.headers["x-auth-token"]:
            await self.released.wait()


async def start(tools: SimulatedTools, count: int) -> list[asyncio.Task[Answer]]:
    """Start calls of Ana and let each come as far as it can."""
    tasks = [asyncio.create_task(tools.call("get_me")) for _ in range(count)]
    for _ in range(20):
        await asyncio.sleep(0)
    return tasks


@pytest.mark.rule("T22")
async def test_calls_beyond_the_limit_are_told_to_wait_and_do_nothing() -> None:
    async with simulated_tools() as tools, asyncio.timeout(SECONDS):
        productive = HeldProductive(tools)
        tools.world.limiter.count = lambda *_, **__: None  # type: ignore[method-assign]
        with capture_logs() as lines:
            calls = await start(tools, 1000)
            refused = [call for call in calls if call.done()]
            assert len(refused) == 1000 - RUNNING - WAITING
            for call in refused:
                answer = call.result()
                assert answer.is_error
                error = answer.structured["error"]
                assert (error["code"], error["retry_after_s"]) == ("rate_limited", 10)
                assert "Wait 10 seconds" in error["fix"]
            assert [line["reason"] for line in lines] == ["rate_limited"] * len(refused)

            # Another person is not affected.
            assert not (await tools.call("get_me", LUKA)).is_error

            productive.released.set()
            answers = await asyncio.gather(*calls)
        assert sum(not answer.is_error for answer in answers) == RUNNING + WAITING
        assert not (await tools.call("get_me")).is_error


async def test_call_that_waits_too_long_is_told_to_wait() -> None:
    limit = CallLimit(running=1, waiting=1, longest_wait=0.01)
    async with simulated_tools(call_limit=limit) as tools, asyncio.timeout(SECONDS):
        productive = HeldProductive(tools)
        first, second = await start(tools, 2)
        assert (await second).structured["error"]["code"] == "rate_limited"
        assert not first.done()
        productive.released.set()
        assert not (await first).is_error


async def test_cancelled_calls_give_their_turn_away() -> None:
    async with simulated_tools() as tools, asyncio.timeout(SECONDS):
        productive = HeldProductive(tools)
        calls = await start(tools, RUNNING + WAITING)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        productive.released.set()
        calls = await start(tools, RUNNING + WAITING)
        await until(lambda: all(call.done() for call in calls))
        assert not any(call.result().is_error for call in calls[:RUNNING])
