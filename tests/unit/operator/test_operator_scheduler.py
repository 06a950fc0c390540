"""When passes are made: the passes themselves are the test's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from productive_kube.errors import Conflict, Unreachable
from productive_operator import scheduler as module
from productive_operator.changes import EVERYTHING, Changes, secret_named, user_named
from productive_operator.publisher import MappingUnusable
from productive_operator.reconciler import Pass
from productive_operator.scheduler import Pace, Scheduler
from productive_operator.statuses import Overtaken
from productive_operator.watches import Watches

SECONDS = 5.0
SOON = Pace(
    quiet=0.02, longest_wait=0.2, resync_from=60.0, resync_to=60.0, retry_from=0.01, retry_to=0.04
)


class HeldPasses:
    """Counts passes; each waits until it is allowed to go on."""

    def __init__(self) -> None:
        self.count = 0
        self.ended = 0
        """Those that succeeded."""
        self.done = Pass(people=1, finished=True)
        self.errors: list[Exception] = []
        self.held = asyncio.Event()
        self.held.set()
        self.asked: list[Changes] = []
        """Where each pass was to look."""
        self.overtaken: list[bool] = []
        """What each pass was told at its end."""
        self._changed = asyncio.Condition()

    async def reconcile(self, overtaken: Overtaken, changes: Changes) -> Pass:
        async with self._changed:
            self.asked.append(changes)
            self.count += 1
            self._changed.notify_all()
        await self.held.wait()
        self.overtaken.append(overtaken())
        if self.errors:
            raise self.errors.pop(0)
        self.ended += 1
        return self.done

    async def reach(self, count: int) -> None:
        async with asyncio.timeout(SECONDS), self._changed:
            await self._changed.wait_for(lambda: self.count >= count)


@asynccontextmanager
async def running(
    passes: HeldPasses, pace: Pace = SOON, watches: Watches | None = None
) -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(passes.reconcile, watches or Watches(), pace=pace, chance=lambda: 0.5)
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


async def test_the_first_pass_is_made_at_once() -> None:
    passes = HeldPasses()
    async with running(passes):
        await passes.reach(1)


async def test_many_changes_at_once_are_one_pass() -> None:
    passes = HeldPasses()
    async with running(passes) as scheduler:
        await until(lambda: passes.ended >= 1)
        for _ in range(1000):
            scheduler.enqueue("user")
        await passes.reach(2)
        scheduler.enqueue("user")
        await passes.reach(3)
        assert passes.count == 3


async def test_changes_without_a_pause_do_not_put_a_pass_off_for_ever() -> None:
    passes = HeldPasses()
    async with running(passes, replace(SOON, quiet=60.0)) as scheduler:
        await until(lambda: passes.ended >= 1)
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
    async with running(passes, Pace(resync_from=0.02)):
        await passes.reach(4)
    assert passes.asked == [EVERYTHING] * 4


async def test_a_pass_is_asked_to_look_at_what_changed_since_the_last_one_began() -> None:
    passes = HeldPasses()
    async with running(passes) as scheduler:
        await until(lambda: passes.ended >= 1)
        passes.held.clear()
        scheduler.enqueue("user", user_named("ana"))
        scheduler.enqueue("secret", secret_named("ana-productive"))
        await passes.reach(2)
        scheduler.enqueue("user", user_named("bob"))
        passes.held.set()
        await passes.reach(3)
        scheduler.enqueue("user", user_named("cleo"))
        scheduler.enqueue("list")
        await passes.reach(4)
    first, changed, meanwhile, listed = passes.asked
    assert first == EVERYTHING
    assert changed == Changes(frozenset({"ana"}), frozenset({"ana-productive"}))
    assert meanwhile == user_named("bob")
    assert listed.everything


async def test_partial_passes_do_not_put_the_resync_off() -> None:
    passes = HeldPasses()
    pace = Pace(quiet=0.001, resync_from=0.2)
    async with running(passes, pace) as scheduler:
        await until(lambda: passes.ended >= 1)
        passes.done = replace(passes.done, full=False)
        began = asyncio.get_running_loop().time()
        while not any(asked.everything for asked in passes.asked[1:]):
            scheduler.enqueue("user", user_named("ana"))
            await asyncio.sleep(0.002)
        assert asyncio.get_running_loop().time() - began < SECONDS
    assert user_named("ana") in passes.asked


@pytest.mark.parametrize(
    ("people", "seconds"), [(0, 15), (100, 15), (1_250, 15), (5_000, 60), (10_000, 120)]
)
def test_passes_without_changes_follow_each_other_as_the_number_of_people_allows(
    people: int, seconds: float
) -> None:
    assert Pace().resync(people) == pytest.approx(seconds)


@pytest.mark.parametrize("why", ["a watch in doubt", "statuses left"])
async def test_a_pass_follows_soon_while_something_is_open(why: str) -> None:
    passes, watches = HeldPasses(), Watches()
    passes.done = Pass(people=1_000_000, finished=why != "statuses left")
    if why == "a watch in doubt":
        for content in ("a", "ab"):
            watches.users.compare(frozenset(content), 0.0)
    async with running(passes, Pace(resync_from=0.02), watches):
        await passes.reach(3)


async def test_otherwise_a_large_number_of_people_is_left_alone() -> None:
    passes = HeldPasses()
    passes.done = Pass(people=1_000_000, finished=True)
    async with running(passes, Pace(resync_from=0.02)):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await passes.reach(2)


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
        await until(lambda: passes.ended >= 1)
        assert scheduler.alive


async def test_an_unexpected_error_ends_the_program() -> None:
    passes = HeldPasses()
    passes.errors = [KeyError("spec")]
    with pytest.raises(KeyError):
        await Scheduler(passes.reconcile, Watches(), pace=SOON).run()


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
    scheduler = Scheduler(HeldPasses().reconcile, Watches())
    now += module.ALIVE_SECONDS - 1
    assert scheduler.alive
    now += 2
    assert not scheduler.alive
    scheduler.attempt()
    assert scheduler.alive
