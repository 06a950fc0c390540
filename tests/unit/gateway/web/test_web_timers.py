"""Timers of one length that share one timer of the event loop."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextvars import ContextVar
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from harness.virtualtime import run
from productive_gateway.web.timers import Timer, Timers

LENGTH = 10.0
REQUEST: ContextVar[str] = ContextVar("request", default="none")


class Body:
    """What a request holds."""


BODY: ContextVar[Body] = ContextVar("body")


@given(
    steps=st.lists(
        st.one_of(
            st.just("start"),
            st.integers(0, 9),  # cancel one of the timers
            st.floats(0.01, 25.0),  # wait
        ),
        max_size=40,
    )
)
def test_each_timer_calls_back_once_after_its_time_unless_it_is_cancelled(
    steps: list[str | int | float],
) -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        timers = Timers(LENGTH)
        started: list[tuple[Timer, float]] = []
        cancelled: dict[int, float] = {}
        called: dict[int, float] = {}

        def note(number: int) -> None:
            assert number not in called
            called[number] = loop.time()

        for step in steps:
            if step == "start":
                number = len(started)
                started.append((timers.start(lambda number=number: note(number)), loop.time()))
            elif isinstance(step, int):
                if step < len(started):
                    started[step][0].cancel()
                    cancelled.setdefault(step, loop.time())
            else:
                await asyncio.sleep(float(step))
        await asyncio.sleep(2 * LENGTH)
        for number, (_, begun) in enumerate(started):
            due = begun + LENGTH
            if cancelled.get(number, due + 1) < due - 0.01:
                assert number not in called
            elif number not in cancelled:
                assert called[number] == pytest.approx(due, abs=0.01)

    run(work())


def test_callback_may_start_and_cancel_timers() -> None:
    async def work() -> None:
        timers = Timers(LENGTH)
        loop = asyncio.get_running_loop()
        called: dict[str, float] = {}
        begun = loop.time()

        def note(name: str) -> None:
            called[name] = loop.time() - begun

        def first() -> None:
            note("first")
            second.cancel()
            timers.start(lambda: note("started by the first"))

        timers.start(first)
        second = timers.start(lambda: note("second"))
        await asyncio.sleep(LENGTH / 2)
        timers.start(lambda: note("third"))
        await asyncio.sleep(3 * LENGTH)
        assert called == {
            "first": pytest.approx(LENGTH, abs=0.01),
            "third": pytest.approx(LENGTH * 1.5, abs=0.01),
            "started by the first": pytest.approx(LENGTH * 2, abs=0.01),
        }

    run(work())


def test_callback_that_fails_is_reported_and_stops_no_other() -> None:
    async def work() -> None:
        reported: list[dict[str, Any]] = []
        called = asyncio.Event()
        asyncio.get_running_loop().set_exception_handler(lambda _, what: reported.append(what))
        timers = Timers(LENGTH)
        timers.start(lambda: 1 / 0)
        timers.start(called.set)
        await asyncio.sleep(2 * LENGTH)
        assert called.is_set()
        assert [type(what["exception"]) for what in reported] == [ZeroDivisionError]

    run(work())


def test_callback_runs_in_the_context_in_which_its_timer_was_started() -> None:
    async def work() -> None:
        timers = Timers(LENGTH)
        seen: list[str] = []
        for name in ("a", "b"):
            token = REQUEST.set(name)
            timers.start(lambda: seen.append(REQUEST.get()))
            REQUEST.reset(token)
        await asyncio.sleep(2 * LENGTH)
        assert seen == ["a", "b"]

    run(work())


def test_nothing_of_a_request_stays_in_memory_after_its_timer_was_cancelled() -> None:
    async def work() -> None:
        body = Body()
        held = weakref.ref(body)
        token = BODY.set(body)
        Timers(LENGTH).start(int).cancel()
        BODY.reset(token)
        del body, token
        gc.collect()
        assert held() is None

    run(work())


def test_one_timer_of_the_event_loop_serves_all() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        made: list[float] = []
        call_at = loop.call_at

        def counted(when: float, *arguments: Any, **options: Any) -> asyncio.TimerHandle:
            made.append(when)
            return call_at(when, *arguments, **options)

        loop.call_at = counted  # type: ignore[method-assign]
        timers = Timers(LENGTH)
        for _ in range(1000):
            timers.start(lambda: None).cancel()
        assert len(made) == 1

    run(work())


def test_timers_of_an_event_loop_that_ended_are_forgotten() -> None:
    timers = Timers(LENGTH)
    called: list[str] = []

    async def work(name: str) -> None:
        timers.start(lambda: called.append(name))
        if name == "second":
            await asyncio.sleep(2 * LENGTH)

    run(work("first"))
    run(work("second"))
    assert called == ["second"]


def test_timers_run_on_the_event_loop_of_production_too() -> None:
    async def work() -> None:
        called = asyncio.Event()
        timers = Timers(0.02)
        timers.start(lambda: None)
        timers.start(called.set)
        await asyncio.wait_for(called.wait(), 30)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work())
