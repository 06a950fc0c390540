"""When passes are made, against a rendering that the test holds in its hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from productive_kube.errors import Conflict, Unreachable
from productive_operator import scheduler as loop_module
from productive_operator.reconciler import MappingUnusable
from productive_operator.scheduler import Loop, Pace

SECONDS = 5.0
SOON = Pace(quiet=0.02, patience=0.2, resync=60.0, retry_from=0.01, retry_to=0.04)


class HeldRendering:
    """Counts passes; each waits until it is let go on."""

    def __init__(self) -> None:
        self.passes = 0
        self.errors: list[Exception] = []
        self.held = asyncio.Event()
        self.held.set()
        self._changed = asyncio.Condition()

    async def render(self) -> None:
        async with self._changed:
            self.passes += 1
            self._changed.notify_all()
        await self.held.wait()
        if self.errors:
            raise self.errors.pop(0)

    async def reaches(self, passes: int) -> None:
        async with asyncio.timeout(SECONDS), self._changed:
            await self._changed.wait_for(lambda: self.passes >= passes)


@asynccontextmanager
async def running(rendering: HeldRendering, pace: Pace = SOON) -> AsyncIterator[Loop]:
    loop = Loop(rendering, pace=pace, chance=lambda: 0.5)
    task = asyncio.create_task(loop.run())
    try:
        yield loop
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not met():  # noqa: ASYNC110 (a flag without an event)
            await asyncio.sleep(0.001)


async def test_the_first_pass_is_made_at_once_and_makes_it_ready() -> None:
    rendering = HeldRendering()
    async with running(rendering) as loop:
        await rendering.reaches(1)
        await until(lambda: loop.ready)


async def test_many_changes_at_once_are_one_pass() -> None:
    rendering = HeldRendering()
    async with running(rendering) as loop:
        await until(lambda: loop.ready)
        for _ in range(1000):
            loop.nudge("user")
        await rendering.reaches(2)
        loop.nudge("user")
        await rendering.reaches(3)
        assert rendering.passes == 3


async def test_changes_without_a_pause_do_not_put_a_pass_off_for_ever() -> None:
    rendering = HeldRendering()
    async with running(rendering, replace(SOON, quiet=60.0)) as loop:
        await until(lambda: loop.ready)
        began = asyncio.get_running_loop().time()
        while rendering.passes < 2:
            loop.nudge("user")
            await asyncio.sleep(0.002)
        waited = asyncio.get_running_loop().time() - began
        assert waited >= SOON.patience * 0.9


async def test_a_change_during_a_pass_asks_for_another_one() -> None:
    rendering = HeldRendering()
    rendering.held.clear()
    async with running(rendering) as loop:
        await rendering.reaches(1)
        loop.nudge("secret")
        rendering.held.set()
        await rendering.reaches(2)


async def test_without_changes_a_pass_is_made_all_the_same() -> None:
    rendering = HeldRendering()
    async with running(rendering, Pace(resync=0.02)):
        await rendering.reaches(4)


@pytest.mark.parametrize(
    "error",
    [Unreachable("list", status=0), Conflict("apply", status=409), MappingUnusable("delete it")],
)
async def test_a_failed_pass_is_made_again_and_is_no_reason_for_a_restart(
    error: Exception,
) -> None:
    rendering = HeldRendering()
    rendering.errors = [error] * 3
    async with running(rendering) as loop:
        await rendering.reaches(4)
        await until(lambda: loop.ready)
        assert loop.alive


async def test_an_error_that_nobody_foresaw_ends_the_program() -> None:
    rendering = HeldRendering()
    rendering.errors = [KeyError("spec")]
    with pytest.raises(KeyError):
        await Loop(rendering, pace=SOON).run()


async def test_what_the_server_asks_for_is_waited() -> None:
    rendering = HeldRendering()
    rendering.errors = [Unreachable("list", status=429, retry_after=60)]
    async with running(rendering) as loop:
        await rendering.reaches(1)
        loop.nudge("user")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SOON.retry_to * 3):
                await rendering.reaches(2)


def test_it_counts_as_dead_when_no_pass_is_attempted_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(loop_module.time, "monotonic", lambda: now)
    loop = Loop(HeldRendering())
    now += 899
    assert loop.alive
    now += 2
    assert not loop.alive
    loop.attempt()
    assert loop.alive
    assert not loop.ready
