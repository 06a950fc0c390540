"""A document of the provider that is fetched rarely and kept while the provider is away.

It is fetched when it is first needed, never at start: a provider that is away must not keep the
gateway from serving people who are signed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from productive_contract.clock import Clock, system_clock
from productive_gateway.errors import GatewayError
from productive_gateway.observability.metrics import CacheCounters
from productive_gateway.upstream.errors import UpstreamRefused, UpstreamUnavailable

FRESH: Final = 3600.0
"""Seconds for which a document is used without asking again."""
STALE: Final = 24 * 3600.0
"""Seconds for which an older document still serves while no new one can be fetched."""
COOL_DOWN: Final = 30.0
"""Seconds between two attempts to replace a document that is held, whatever the caller."""

Value = TypeVar("Value")


class CachedDocument(Generic[Value]):
    """What was read from the last good document; one fetch at a time."""

    def __init__(
        self,
        load: Callable[[], Awaitable[Value]],
        what: str,
        *,
        clock: Clock = system_clock,
        keep_if_refused: bool = False,
    ) -> None:
        """Hold nothing yet.

        Args:
            load: fetches and reads the document; raises UpstreamUnavailable or UpstreamRefused.
            what: its label in metrics.
            clock: the time.
            keep_if_refused: an older value also serves while the new document breaks a rule.
        """
        self._load = load
        self._counters = CacheCounters(what)
        self._clock = clock
        self._keep_if_refused = keep_if_refused
        self._lock = asyncio.Lock()
        self._value: Value | None = None
        self._loaded = self._tried = float("-inf")
        self._attempts = 0
        """Attempts that have ended."""
        self._failure: GatewayError | None = None

    @property
    def problem(self) -> str | None:
        """Why the last attempt failed; None when it succeeded."""
        return None if self._failure is None else str(self._failure)

    async def get(self) -> Value:
        """Return what was read within the hour, or an older value if a new one cannot be had.

        Raises:
            UpstreamUnavailable: the provider is away, and nothing younger than a day is held.
            UpstreamRefused: the document breaks a rule.
        """
        if self._value is not None and self._age() < FRESH:
            self._counters.hit.inc()
            return self._value
        return await self.newer()

    async def newer(self) -> Value:
        """Fetch the document again, unless that was already tried in the last 30 seconds.

        Raises:
            UpstreamUnavailable: as for `get`.
            UpstreamRefused: as for `get`.
        """
        attempts = self._attempts
        async with self._lock:
            # Callers that waited for another one's attempt share its result, also its failure:
            # a provider that is down is not asked once per person, one slow failure after another.
            if self._attempts == attempts and not self._cooling_down():
                self._counters.miss.inc()
                await self._attempt()
            else:
                self._counters.shared.inc()
            return self._usable()

    def _age(self) -> float:
        return self._clock() - self._loaded

    def _cooling_down(self) -> bool:
        return self._value is not None and self._clock() - self._tried < COOL_DOWN

    async def _attempt(self) -> None:
        if self._value is not None:
            # The first document does not count: a provider may rotate its keys right after it.
            self._tried = self._clock()
        try:
            self._value = await self._load()
        except (UpstreamUnavailable, UpstreamRefused) as error:
            self._failure = error
        else:
            self._failure, self._loaded = None, self._clock()
        self._attempts += 1

    def _usable(self) -> Value:
        failure = self._failure
        keeps = self._keep_if_refused or isinstance(failure, UpstreamUnavailable)
        if self._value is not None and (failure is None or (keeps and self._age() < STALE)):
            return self._value
        if failure is None:
            raise AssertionError("an attempt finds a document or fails")
        raise failure.with_traceback(None)
