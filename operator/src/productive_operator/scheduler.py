"""Decides when a pass is made: soon after a change, regularly anyway, again after a failure.

Watch events only say which names to list again: their content is never believed, and missing one
costs at most a resync: a full pass. No failure changes what was published.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from productive_contract.clock import Chance, system_chance
from productive_kube.backoff import Backoff
from productive_kube.errors import ApiError, Conflict, Forbidden, QuotaExceeded, Refused
from productive_operator import metrics
from productive_operator.changes import EVERYTHING, NOTHING, Changes
from productive_operator.publisher import MappingUnusable
from productive_operator.reconciler import Pass
from productive_operator.statuses import Overtaken
from productive_operator.watches import Watches

_log = structlog.get_logger("scheduler")


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast passes follow each other; seconds."""

    quiet: float = 0.1
    """A pass begins when nothing changed for that long…"""
    longest_wait: float = 0.5
    """…or this long after the first change."""
    resync_from: float = 15.0
    """Between full passes, give or take a tenth: at least, and while a watch is in
    doubt or statuses wait to be written…"""
    resync_per_person: float = 0.012
    """…and longer with the number of people, so that it costs a hundredth of a core at most…"""
    resync_to: float = 120.0
    """…up to this."""
    retry_from: float = 0.5
    retry_to: float = 30.0
    """Between a failed pass and the next: from, doubling, to."""

    def resync(self, people: int) -> float:
        """Return the seconds between full passes over so many people."""
        return min(self.resync_to, max(self.resync_from, people * self.resync_per_person))


DEFAULT_PACE: Final = Pace()
ALIVE_SECONDS: Final = 900.0
"""How long a pass may take: beyond it the program counts as stuck."""


class Scheduler:
    """Makes one program's passes, one at a time."""

    def __init__(
        self,
        reconcile: Callable[[Overtaken, Changes], Awaitable[Pass]],
        watches: Watches,
        *,
        pace: Pace = DEFAULT_PACE,
        chance: Chance = system_chance,
    ) -> None:
        """Prepare; `run` makes the passes.

        Args:
            reconcile: makes one pass; see `Reconciler.reconcile`.
            watches: while one is in doubt, passes follow each other sooner.
            pace: how fast.
            chance: spreads resyncs and retries.
        """
        self._reconcile = reconcile
        self._watches = watches
        self._pace = pace
        self._chance = chance
        self._changed = asyncio.Event()
        self._changes = EVERYTHING
        """What the next pass has to look at."""
        self._listed = -math.inf
        """When the last full pass began, in the loop's time."""
        self._attempted = time.monotonic()

    def enqueue(self, kind: str, changes: Changes = EVERYTHING) -> None:
        """Ask for a pass.

        Args:
            kind: of the change, for metrics.
            changes: where to look.
        """
        metrics.ENQUEUED.labels(kind=kind).inc()
        self._changes |= changes
        self._changed.set()

    @property
    def is_enqueued(self) -> bool:
        """Whether something changed since the pass began: another one follows it at once."""
        return self._changed.is_set()

    @property
    def alive(self) -> bool:
        """Whether passes are still attempted; that they fail is no reason for a restart."""
        return time.monotonic() - self._attempted < ALIVE_SECONDS

    def attempt(self) -> None:
        """Note that the program is at work, for `alive`."""
        self._attempted = time.monotonic()

    async def run(self) -> None:
        """Make passes until cancelled; the first one at once."""
        backoff = Backoff(self._pace.retry_from, self._pace.retry_to, self._chance)
        while True:
            self.attempt()
            try:
                done = await self._pass()
            except Conflict:
                metrics.PASSES.labels(result="conflict").inc()
                _log.info("pass.overtaken")
                await asyncio.sleep(backoff.next())
            except (ApiError, MappingUnusable) as error:
                asked = error.retry_after if isinstance(error, ApiError) else None
                pause = backoff.next(asked)
                metrics.PASSES.labels(result="failed").inc()
                _log.error(
                    "pass.failed",
                    why=str(error),
                    remedy=_remedy(error),
                    failures=backoff.failures,
                )
                await asyncio.sleep(pause)
            else:
                backoff.reset()
                metrics.PASSES.labels(result="ok").inc()
                await self._rest(done)

    async def _pass(self) -> Pass:
        # What changes from here on may be missing from the lists: it asks for the next pass.
        self._changed.clear()
        changes, self._changes = self._changes, NOTHING
        began = asyncio.get_running_loop().time()
        with metrics.PASS_SECONDS.time():
            done = await self._reconcile(self._changed.is_set, changes)
        if done.full:
            self._listed = began
        return done

    async def _rest(self, done: Pass) -> None:
        """Wait for a change and until changes pause, or for the resync."""
        resync = self._pace.resync(done.people)
        if self._watches.doubtful or not done.finished:
            resync = min(resync, self._pace.resync_from)
        loop = asyncio.get_running_loop()
        due = self._listed + resync * (0.9 + 0.2 * self._chance())
        if not await self._changes_within(due - loop.time()):
            self._changes = EVERYTHING
            return
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


def _remedy(error: ApiError | MappingUnusable) -> str:
    """Return the next step after a failed pass."""
    match error:
        case MappingUnusable():
            return "as above"
        case Forbidden():
            return "compare the operator's Roles with the chart's; look for admission policies"
        case QuotaExceeded():
            return "raise the ResourceQuota of the namespace"
        case Refused():
            return "look for admission policies and webhooks that change or refuse the object"
        case _:
            return "none, if the API server is restarting: the operator tries again"
