"""When passes are made: the passes themselves are the test's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from productive_kube.errors import Conflict, Unreachable
from productive_operator import scheduler as module
from productive_operator.reconciler import MappingUnusable, Overtaken
from productive_operator.scheduler import Pace, Scheduler

SECONDS = 5.0
SOON = Pace(quiet=0.02, longest_wait=0.2, resync=60.0, retry_from=0.01, retry_to=0.04)


class HeldPasses:
    """Counts passes; each waits until it is allowed to go on."""

    def __init__(self) -> None:
        self.count = 0
        self.errors: list[Exception] = []
        self.held = asyncio.Event()
        self.held.set()
        self.overtaken: list[bool] = []
        """What each pass was told at its end."""
        self._changed = asyncio.Condition()

    async def reconcile(self, overtaken: Overtaken) -> None:
        async with self._changed:
            self.count += 1
            self._changed.notify_all()
        await self.held.wait()
        self.overtaken.append(overtaken())
        if self.errors:
            raise self.errors.pop(0)

    async def reach(self, count: int) -> None:
        async with asyncio.timeout(SECONDS), self._changed:
            await self._changed.wait_for(lambda: self.count >= count)


@asynccontextmanager
async def running(passes: HeldPasses, pace: Pace = SOON) -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(passes.reconcile, pace=pace, chance=lambda: 0.5)
    task = asyncio.create_task(scheduler.run())
    try:
        yield scheduler
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not met():  # noqa: ASYNC110 (a flag without an event)
            await asyncio.sleep(0.001)


async def test_the_first_pass_is_made_at_once_and_makes_it_ready() -> None:
    passes = HeldPasses()
    async with running(passes) as scheduler:
        await passes.reach(1)
        await until(lambda: scheduler.ready)


async def test_many_changes_at_once_are_one_pass() -> None:
    passes = HeldPasses()
    async with running(passes) as scheduler:
        await until(lambda: scheduler.ready)
        for _ in range(1000):
            scheduler.enqueue("user")
        await passes.reach(2)
        scheduler.enqueue("user")
        await passes.reach(3)
        assert passes.count == 3


async def test_changes_without_a_pause_do_not_put_a_pass_off_for_ever() -> None:
    passes = HeldPasses()
    async with running(passes, replace(SOON, quiet=60.0)) as scheduler:
        await until(lambda: scheduler.ready)
        began = asyncio.get_running_loop().time()
        while passes.count < 2:
            scheduler.enqueue("user")
            await asyncio.sleep(0.002)
        waited = asyncio.get_running_loop().time() - began
        assert waited >= SOON.longest_wait * 0.9


async def test_a_change_during_a_pass_overtakes_it_and_is_followed_by_another_one() -> None:
    passes = HeldPasses()
    passes.held.clear()
    async with running(passes) as scheduler:
        await passes.reach(1)
        assert not scheduler.is_enqueued
        scheduler.enqueue("secret")
        assert scheduler.is_enqueued
        passes.held.set()
        await passes.reach(2)
        assert passes.overtaken[0]


async def test_without_changes_a_pass_is_made_all_the_same() -> None:
    passes = HeldPasses()
    async with running(passes, Pace(resync=0.02)):
        await passes.reach(4)


@pytest.mark.parametrize(
    "error",
    [
        Unreachable("list", status=0),
        Conflict("apply", status=409),
        MappingUnusable("delete it"),
    ],
)
async def test_a_failed_pass_is_made_again_and_is_no_reason_for_a_restart(
    error: Exception,
) -> None:
    passes = HeldPasses()
    passes.errors = [error] * 3
    async with running(passes) as scheduler:
        await passes.reach(4)
        await until(lambda: scheduler.ready)
        assert scheduler.alive


async def test_an_unexpected_error_ends_the_program() -> None:
    passes = HeldPasses()
    passes.errors = [KeyError("spec")]
    with pytest.raises(KeyError):
        await Scheduler(passes.reconcile, pace=SOON).run()


async def test_it_waits_as_long_as_the_server_asks() -> None:
    passes = HeldPasses()
    passes.errors = [Unreachable("list", status=429, retry_after=60)]
    async with running(passes) as scheduler:
        await passes.reach(1)
        scheduler.enqueue("user")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SOON.retry_to * 3):
                await passes.reach(2)


def test_it_counts_as_dead_when_no_pass_is_attempted_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    scheduler = Scheduler(HeldPasses().reconcile)
    now += 899
    assert scheduler.alive
    now += 2
    assert not scheduler.alive
    scheduler.attempt()
    assert scheduler.alive
    assert not scheduler.ready
