"""Tasks that begin only if something takes long."""

from __future__ import annotations

import asyncio

import pytest

from productive_gateway.mcp.delayed import Delayed
from productive_gateway.web.timers import Timers


class Noted:
    """What a task did."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def run(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


async def turns() -> None:
    """Let everything run that is due."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_task_begins_after_the_time_and_ends_with_the_work() -> None:
    noted = Noted()
    delayed = Delayed(Timers(0), noted.run)
    await asyncio.wait_for(noted.begun.wait(), 30)
    delayed.stop()
    await asyncio.wait_for(noted.cancelled.wait(), 30)


async def test_task_never_begins_once_the_work_is_over() -> None:
    noted, failures = Noted(), list[str]()
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: failures.append(context["message"])
    )
    timers, later = Timers(0), asyncio.Event()
    Delayed(timers, noted.run).stop()
    timers.start(later.set)
    await asyncio.wait_for(later.wait(), 30)
    await turns()
    assert not noted.begun.is_set()
    assert failures == []


async def test_failure_of_the_task_is_the_failure_of_the_work() -> None:
    failed = asyncio.Event()

    async def fail() -> None:
        failed.set()
        raise RuntimeError("a mistake")

    delayed = Delayed(Timers(0), fail)
    await asyncio.wait_for(failed.wait(), 30)
    await turns()
    with pytest.raises(RuntimeError, match="a mistake"):
        delayed.stop()


async def test_task_that_is_over_can_be_stopped() -> None:
    over = asyncio.Event()

    async def finish() -> None:
        over.set()

    delayed = Delayed(Timers(0), finish)
    await asyncio.wait_for(over.wait(), 30)
    await turns()
    delayed.stop()
