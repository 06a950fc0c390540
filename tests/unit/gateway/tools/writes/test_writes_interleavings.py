"""Guarded calls at two replicas in any order of their requests, with lost answers and deaths."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.grantfaults import FaultyStore, away
from harness.grantkit import RING, HeldKeys, ana
from harness.virtualtime import run
from harness.writeskit import QUICK, Things, Writer
from productive_gateway.grants.record import Record
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.tools.writes.claims import Known
from productive_gateway.tools.writes.errors import LedgerUnavailable
from productive_gateway.tools.writes.results import (
    Found,
    Intent,
    Lost,
    NotWritten,
    Outcome,
    Pending,
    Report,
    Work,
    Written,
)

CALL_SECONDS = 25
LATE_SECONDS = 9
"""Productive may still carry out so late what it received."""
CONTENTS = (b"a", b"b")
SKEW = 8.0
"""The second replica's clock is ahead by that much."""

T = TypeVar("T")


@dataclass(eq=False)
class Call:
    """One guarded call, and what came of it."""

    replica: int
    contents: tuple[bytes, ...]
    task: asyncio.Task[None] | None = None
    report: Report | Exception | None = None


@dataclass(eq=False)
class Request:
    """A request that waits for its turn; its result says whether the answer comes."""

    call: Call
    turn: asyncio.Future[bool]


CALL: ContextVar[Call | None] = ContextVar("CALL", default=None)


@dataclass
class Schedule:
    """Requests of all calls, let through one by one."""

    waiting: list[Request] = field(default_factory=list)

    async def turn(self) -> bool:
        """Wait for this request's turn; return whether its answer comes."""
        call = CALL.get()
        assert call is not None
        request = Request(call, asyncio.get_running_loop().create_future())
        self.waiting.append(request)
        try:
            return await request.turn
        finally:
            if request in self.waiting:
                self.waiting.remove(request)


@dataclass
class ScheduledStore(FaultyStore):
    """The API server: each request waits for its turn."""

    schedule: Schedule = field(default_factory=Schedule)

    async def get(self, name: str) -> Record | None:
        return await self._in_turn(lambda: self.inner.get(name))

    async def create(self, record: Record) -> Record:
        return await self._in_turn(lambda: self.inner.create(record))

    async def update(self, record: Record) -> Record:
        return await self._in_turn(lambda: self.inner.update(record))

    async def _in_turn(self, call: Callable[[], Awaitable[T]]) -> T:
        answered = await self.schedule.turn()
        result = await call()
        if not answered:
            raise away()
        return result


class Site:
    """Two replicas and Productive, moved on by the test."""

    def __init__(self) -> None:
        self.schedule = Schedule()
        self.store = ScheduledStore(MemoryGrantStore(), schedule=self.schedule)
        loop = asyncio.get_running_loop()
        self.now = lambda: 1_795_000_000 + loop.time()
        self.things = Things(clock=self.now)
        self.calls: list[Call] = []
        self.replicas = [self._replica(0), self._replica(1)]

    async def act(self, action: str, number: int) -> None:
        waiting = self.schedule.waiting
        match action:
            case "start":
                self._start(number % 2, (CONTENTS, CONTENTS[:1], CONTENTS[::-1])[number % 3])
            case "pass":
                await asyncio.sleep((1, 11, 30)[number % 3])
            case "kill":
                self._kill(number % 2)
            case "answer" | "lose" if waiting:
                waiting[number % len(waiting)].turn.set_result(action == "answer")
            case "run" if waiting:
                await self._run(waiting[number % len(waiting)].call)
        await self._settle()

    async def finish(self) -> list[Report]:
        """Let all calls end, and after the deadlines make them again."""
        while any(call.task is not None and not call.task.done() for call in self.calls):
            while self.schedule.waiting:
                self.schedule.waiting[0].turn.set_result(True)
                await self._settle()
            await asyncio.sleep(0.5)
        await asyncio.sleep(60)
        reports = []
        for replica in (0, 1):
            last = self._start(replica, CONTENTS)
            await self._settle()
            await self._run(last)
            assert isinstance(last.report, Report), last.report
            reports.append(last.report)
        return reports

    def _replica(self, number: int) -> Writer:
        return Writer(
            self.store, HeldKeys(RING), clock=lambda: self.now() + number * SKEW, limits=QUICK
        )

    def _start(self, replica: int, contents: tuple[bytes, ...]) -> Call:
        call = Call(replica, contents)
        self.calls.append(call)
        call.task = asyncio.create_task(self._make(call))
        return call

    async def _make(self, call: Call) -> None:
        CALL.set(call)
        guard = self.replicas[call.replica].guard
        intents = [Intent(content) for content in call.contents]
        try:
            async with asyncio.timeout(CALL_SECONDS):
                call.report = await guard.run(ana(), intents, self._work(call.contents))
        except (LedgerUnavailable, TimeoutError, ConnectionError) as error:
            call.report = error

    def _work(self, contents: Sequence[bytes]) -> Work:
        honest = self.things.work(contents)

        async def write(which: Sequence[int]) -> Mapping[int, Outcome]:
            try:
                answered = await self.schedule.turn()
            except asyncio.CancelledError:
                # The gateway died or gave up; what it sent is carried out all the same.
                loop = asyncio.get_running_loop()
                for number in which:
                    loop.call_later(LATE_SECONDS, self.things.create, contents[number])
                raise
            outcomes = await honest.write(which)
            if answered:
                return outcomes
            return {number: Lost(TimeoutError()) for number in which}

        async def look(which: Sequence[int], since: float) -> Mapping[int, str]:
            if not await self.schedule.turn():
                raise ConnectionError
            return await honest.look(which, since)

        return Work(write, look, honest.inverse)

    def _kill(self, replica: int) -> None:
        for call in self.calls:
            if call.replica == replica and call.task is not None:
                call.task.cancel()
        self.replicas[replica] = self._replica(replica)

    async def _run(self, call: Call) -> None:
        for _ in range(60):
            await self._settle()
            requests = [one for one in self.schedule.waiting if one.call is call]
            if not requests:
                return
            requests[0].turn.set_result(True)

    async def _settle(self) -> None:
        """Let every task run until it waits for a request, for time, or is done."""
        for _ in range(30):
            await asyncio.sleep(0)


ACTIONS = st.tuples(
    st.sampled_from(["start", "start", "answer", "answer", "run", "run", "lose", "pass", "kill"]),
    st.integers(0, 5),
)
DIED_WHILE_WRITING = [
    ("start", 0),
    ("answer", 0),  # it read the ledger …
    ("answer", 0),  # … and claimed; now it writes …
    ("kill", 0),
    ("start", 1),  # … and another replica is asked for the same.
    ("run", 0),
    ("pass", 2),
    ("start", 1),
    ("run", 0),
]
LOST_ANSWER = [
    ("start", 0),
    ("answer", 0),
    ("answer", 0),
    ("lose", 0),  # Productive's answer
    ("start", 1),
    ("run", 1),
    ("run", 0),
]
LOST_CLAIM = [("start", 0), ("answer", 0), ("lose", 0), ("start", 1), ("run", 1), ("run", 0)]


@settings(max_examples=150, deadline=None)
@given(st.lists(ACTIONS, max_size=30))
@example(DIED_WHILE_WRITING)
@example(LOST_ANSWER)
@example(LOST_CLAIM)
def test_nothing_is_created_twice_and_nothing_false_is_reported(
    actions: list[tuple[str, int]],
) -> None:
    async def scenario() -> None:
        site = Site()
        for action, number in actions:
            await site.act(action, number)
            assert max(map(site.things.count, CONTENTS)) <= 1
        reports = await site.finish()
        assert list(map(site.things.count, CONTENTS)) == [1, 1]
        ids = {content: number for content, _, number in site.things.created}
        for call in site.calls:
            results = call.report.results if isinstance(call.report, Report) else ()
            for content, result in zip(call.contents, results, strict=False):
                assert not isinstance(result, NotWritten)
                if isinstance(result, Written | Found | Known):
                    assert result.result == ids[content]
        assert not any(isinstance(one, Pending) for report in reports for one in report.results)

    run(scenario())
