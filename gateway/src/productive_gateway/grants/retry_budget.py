"""How often and how long one request goes on trying before it is answered 503."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from productive_contract.clock import Chance, system_chance
from productive_gateway.errors import Unavailable
from productive_gateway.grants.errors import StoreFull, being_renewed
from productive_kube.backoff import Backoff

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryLimits:
    """How often and how long one request tries before it is answered 503."""

    conflicts: int = 5
    """Writes that may lose against another one."""
    failures: int = 2
    """Calls that may fail."""
    failures_after_write: int = 5
    seconds: float = 4.0
    """For all calls together; an API server that is slower counts as unavailable."""
    seconds_after_write: float = 8.0
    """Once a write is in flight, allow longer to learn its outcome."""
    conflict_pauses: tuple[float, float] = (0.05, 0.2)
    """The first and the longest, in seconds."""
    failure_pauses: tuple[float, float] = (0.2, 0.8)


class RetryBudget:
    """The tries and the time of one request."""

    def __init__(self, limits: RetryLimits, chance: Chance = system_chance) -> None:
        """Start the clock."""
        self._limits = limits
        self._seconds = limits.seconds
        self._failures_allowed = limits.failures
        self._started = asyncio.get_running_loop().time()
        # Jittered, so that requests that lost the same compare-and-swap do not retry together.
        self._conflicts = Backoff(*limits.conflict_pauses, chance)
        self._failures = Backoff(*limits.failure_pauses, chance)
        self._waits = Backoff(*limits.failure_pauses, chance)

    def begin_write(self) -> None:
        """Note that a write is about to be sent, whose outcome has to be learnt."""
        self._seconds = self._limits.seconds_after_write
        self._failures_allowed = self._limits.failures_after_write

    async def call(self, call: Awaitable[T]) -> T:
        """Await a call within the time that is left.

        Raises:
            Unavailable: the time is over.
        """
        try:
            async with asyncio.timeout_at(self._started + self._seconds):
                return await call
        except TimeoutError as error:
            raise Unavailable(
                "The store of sign-ins does not answer in time. Try again shortly.",
                reason="grants_slow",
            ) from error

    async def repeat(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Make a call that changes nothing, again while it fails.

        Raises:
            Unavailable: it failed too often, or the time is over.
        """
        while True:
            try:
                return await self.call(ask())
            except Unavailable as error:
                await self.failure(error)

    async def conflict(self) -> None:
        """Wait before the next try after another write came first.

        Raises:
            Unavailable: that happened too often.
        """
        pause = self._conflicts.next()
        if self._conflicts.failures > self._limits.conflicts:
            raise Unavailable(
                "Too many requests change this sign-in at once. Try again shortly.",
                reason="grants_contended",
                retry_after=1,
            )
        await asyncio.sleep(pause)

    async def wait(self) -> None:
        """Wait before the next look at what another request is doing.

        Raises:
            Unavailable: it takes longer than this request may wait.
        """
        pause = self._waits.next()
        if asyncio.get_running_loop().time() + pause >= self._started + self._seconds:
            raise being_renewed()
        await asyncio.sleep(pause)

    async def failure(self, error: Unavailable) -> None:
        """Wait before the next try after a call failed.

        Raises:
            Unavailable: `error`, when tries or time are used up.
        """
        pause = self._failures.next()
        over = asyncio.get_running_loop().time() + pause >= self._started + self._seconds
        if over or isinstance(error, StoreFull) or self._failures.failures > self._failures_allowed:
            raise error
        await asyncio.sleep(pause)
