"""Decides when a pass is made: soon after a change, regularly anyway, again after a failure.

Watch events only set a flag: their content is never believed, and missing one costs at most a
resync. No failure changes what was published.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from productive_contract.clock import Chance, Clock, system_chance, system_clock
from productive_kube.backoff import Backoff
from productive_kube.errors import ApiError, Conflict
from productive_operator import metrics
from productive_operator.reconciler import MappingUnusable, Overtaken

_log = structlog.get_logger("scheduler")


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast passes follow each other; seconds."""

    quiet: float = 0.1
    """A pass begins when nothing changed for that long…"""
    longest_wait: float = 0.5
    """…or this long after the first change."""
    resync: float = 300.0
    """Between passes when nothing changes at all, give or take a tenth."""
    retry_from: float = 0.5
    retry_to: float = 30.0
    """Between a failed pass and the next: from, doubling, to."""


DEFAULT_PACE: Final = Pace()


class Scheduler:
    """Makes one program's passes, one at a time."""

    def __init__(
        self,
        reconcile: Callable[[Overtaken], Awaitable[None]],
        *,
        pace: Pace = DEFAULT_PACE,
        clock: Clock = system_clock,
        chance: Chance = system_chance,
    ) -> None:
        """Prepare; `run` makes the passes.

        Args:
            reconcile: makes one pass; see `Reconciler.reconcile`.
            pace: how fast.
            clock: for the time of the last success.
            chance: spreads resyncs and retries.
        """
        self._reconcile = reconcile
        self._pace = pace
        self._clock = clock
        self._chance = chance
        self._changed = asyncio.Event()
        self._attempted = time.monotonic()
        self._ready = False

    def enqueue(self, kind: str) -> None:
        """Ask for a pass, because of a change of that kind."""
        metrics.ENQUEUED.labels(kind=kind).inc()
        self._changed.set()

    @property
    def is_enqueued(self) -> bool:
        """Whether something changed since the pass began: another one follows it at once."""
        return self._changed.is_set()

    @property
    def ready(self) -> bool:
        """Whether the mapping was complete at least once since the start."""
        return self._ready

    @property
    def alive(self) -> bool:
        """Whether passes are still attempted; that they fail is no reason for a restart."""
        return time.monotonic() - self._attempted < 3 * self._pace.resync

    def attempt(self) -> None:
        """Note that the program is at work, for `alive`."""
        self._attempted = time.monotonic()

    async def run(self) -> None:
        """Make passes until cancelled; the first one at once."""
        backoff = Backoff(self._pace.retry_from, self._pace.retry_to, self._chance)
        while True:
            self.attempt()
            try:
                await self._pass()
            except Conflict:
                metrics.PASSES.labels(result="conflict").inc()
                _log.info("pass.overtaken")
                await asyncio.sleep(backoff.next())
            except (ApiError, MappingUnusable) as error:
                asked = error.retry_after if isinstance(error, ApiError) else None
                pause = backoff.next(asked)
                metrics.PASSES.labels(result="failed").inc()
                _log.error("pass.failed", why=str(error), failures=backoff.failures)
                await asyncio.sleep(pause)
            else:
                backoff.reset()
                metrics.PASSES.labels(result="ok").inc()
                metrics.LAST_SUCCESS.set(self._clock())
                self._ready = True
                await self._rest()

    async def _pass(self) -> None:
        # What changes from here on may be missing from the lists: it asks for the next pass.
        self._changed.clear()
        with metrics.PASS_SECONDS.time():
            await self._reconcile(self._changed.is_set)

    async def _rest(self) -> None:
        """Wait for a change and until changes pause, or for the resync."""
        resync = self._pace.resync * (0.9 + 0.2 * self._chance())
        if not await self._changes_within(resync):
            return
        loop = asyncio.get_running_loop()
        latest = loop.time() + self._pace.longest_wait
        while (left := min(self._pace.quiet, latest - loop.time())) > 0:
            self._changed.clear()
            if not await self._changes_within(left):
                return

    async def _changes_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True
