"""Assistants that send requests while something happens to the pods, and count failures.

A failed request is repeated once in the cases in which every client does so: the connection was
refused, or the answer says that nothing was started; for reads also if the connection broke or a
proxy answered. Everything else counts as a failure.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from harness.caller import Caller, result
from harness.sdkclient import Assistant

PAUSE_SECONDS = 0.1
"""Pause between two requests of one assistant."""
ME_EACH = 5
REFRESH_EACH = 20
WRITES_AT_ONCE = 6
"""Enough that each gateway is always processing some: requests go to gateways in turn."""
ENTRY = {
    "project": "Website relaunch",
    "service": "16880011",
    "hours": "0:01",
    "allow_duplicate": True,
}

Send = Callable[[], Awaitable[httpx.Response]]


@dataclass
class Tally:
    """The results of all assistants."""

    done: Counter[str] = field(default_factory=Counter)
    """Number of successful answers by request."""
    repeated: Counter[str] = field(default_factory=Counter)
    """Number of repeated requests by request and reason."""
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0
    """Duration of the slowest read, in seconds."""

    def figures(self) -> dict[str, Any]:
        return {
            "done": dict(self.done),
            "repeated": dict(self.repeated),
            "slowest_read_s": round(self.slowest, 2),
        }


@asynccontextmanager
async def working(readers: Sequence[Assistant], writer: Assistant) -> AsyncIterator[Tally]:
    """Let assistants send requests during the block: some read, one logs time."""
    tally, stop = Tally(), asyncio.Event()
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        for reader in readers:
            caller = await stack.enter_async_context(Caller(reader))
            group.create_task(_Loop(caller, tally, stop).reading())
        caller = await stack.enter_async_context(Caller(writer))
        group.create_task(_Loop(caller, tally, stop).writing())
        try:
            yield tally
        finally:
            stop.set()


class _Loop:
    """The request loop of one assistant."""

    def __init__(self, caller: Caller, tally: Tally, stop: asyncio.Event) -> None:
        self._caller = caller
        self._tally = tally
        self._stop = stop

    async def reading(self) -> None:
        async for turn in self._turns():
            if turn % REFRESH_EACH == 0:
                await self._do("refresh", self._caller.refresh, lambda _: True)
            elif turn % ME_EACH == 0:
                await self._do("get_me", lambda: self._caller.call("get_me"), _succeeded)
            else:
                await self._do("tools/list", self._caller.ask, lambda found: bool(found["tools"]))

    async def writing(self) -> None:
        async for turn in self._turns():
            if turn % REFRESH_EACH == 0:
                await self._do("refresh", self._caller.refresh, lambda _: True)
            async with asyncio.TaskGroup() as group:
                for _ in range(WRITES_AT_ONCE):
                    group.create_task(self._do("log_time", self._log_time, _logged, writes=True))

    async def _log_time(self) -> httpx.Response:
        return await self._caller.call("log_time", entries=[ENTRY])

    async def _turns(self) -> AsyncIterator[int]:
        turn = 0
        while not self._stop.is_set():
            turn += 1
            yield turn
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), PAUSE_SECONDS)

    async def _do(
        self, what: str, send: Send, good: Callable[[Any], bool], *, writes: bool = False
    ) -> None:
        started = asyncio.get_running_loop().time()
        try:
            problem = _problem(what, await self._send(what, send, writes=writes), good)
        except httpx.TransportError as error:
            problem = f"{type(error).__name__} {error}"
        if problem is not None:
            self._tally.failures.append(f"{what}: {problem}")
            return
        self._tally.done[what] += 1
        if not writes:
            took = asyncio.get_running_loop().time() - started
            self._tally.slowest = max(self._tally.slowest, took)

    async def _send(self, what: str, send: Send, *, writes: bool) -> httpx.Response:
        try:
            answer = await send()
        except httpx.ConnectError as error:
            why = type(error).__name__
        except httpx.TransportError as error:
            if writes:
                raise
            why = type(error).__name__
        else:
            if not _may_repeat(answer, writes=writes):
                return answer
            why = str(answer.status_code)
        self._tally.repeated[f"{what}: {why}"] += 1
        return await send()


def _problem(what: str, answer: httpx.Response, good: Callable[[Any], bool]) -> str | None:
    """Return what is wrong with an answer, or None."""
    seen = f"{answer.status_code} {answer.text[:1000]}"
    if answer.status_code != httpx.codes.OK:
        return seen
    try:
        found = answer.json() if what == "refresh" else result(answer)
    except ValueError:
        return seen
    return None if good(found) else seen


def _may_repeat(answer: httpx.Response, *, writes: bool) -> bool:
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and "retry-after" in answer.headers:
        return True
    return not writes and answer.status_code in {502, 503, 504}


def _succeeded(found: dict[str, Any]) -> bool:
    return not found.get("isError")


def _logged(found: dict[str, Any]) -> bool:
    return _succeeded(found) and bool(found["structuredContent"]["results"][0]["ok"])
