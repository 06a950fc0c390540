"""Limits the calls that one person has running at the same time, on one replica.

A few run, some more wait a few seconds for their turn, and further calls are refused: a model that
is told to wait does better than one whose calls all become slower.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

RUNNING: Final = 8
WAITING: Final = 16
LONGEST_WAIT: Final = 8.0
"""Seconds that a call waits for its turn."""
RETRY_AFTER: Final = 10
"""Seconds after which a refused caller should try again."""


class TooManyCalls(Exception):
    """The person has as many calls running and waiting as are allowed."""


@dataclass(slots=True)
class _Calls:
    """The calls of one person."""

    turns: asyncio.Semaphore
    count: int = 0
    """Running and waiting."""


class CallLimit:
    """Counts calls by person."""

    def __init__(
        self, *, running: int = RUNNING, waiting: int = WAITING, longest_wait: float = LONGEST_WAIT
    ) -> None:
        self._running = running
        self._most = running + waiting
        self._longest_wait = longest_wait
        self._calls: dict[str, _Calls] = {}

    @asynccontextmanager
    async def turn(self, person: str) -> AsyncIterator[None]:
        """Count a call while the context is entered; wait for its turn first.

        Raises:
            TooManyCalls: too many wait already, or its turn did not come in time.
        """
        calls = self._calls.setdefault(person, _Calls(asyncio.Semaphore(self._running)))
        if calls.count >= self._most:
            raise TooManyCalls
        calls.count += 1
        try:
            if calls.turns.locked():
                await self._wait(calls.turns)
            else:
                await calls.turns.acquire()
            try:
                yield
            finally:
                calls.turns.release()
        finally:
            calls.count -= 1
            if not calls.count:
                del self._calls[person]

    async def _wait(self, turns: asyncio.Semaphore) -> None:
        try:
            async with asyncio.timeout(self._longest_wait):
                await turns.acquire()
        except TimeoutError as error:
            raise TooManyCalls from error
