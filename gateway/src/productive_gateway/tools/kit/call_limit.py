"""Limits the calls that one person has running at the same time, on one replica.

A few run, some more wait a few seconds for their turn, and further calls are refused: a model that
is told to wait does better than one whose calls all become slower.
"""

from __future__ import annotations

import asyncio
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

    async def begin(self, person: str) -> None:
        """Wait for the turn of a call; `end` gives it to the next one.

        Args:
            person: uid.

        Raises:
            TooManyCalls: too many wait already, or the turn does not come in time.
        """
        calls = self._calls.get(person)
        if calls is None:
            calls = self._calls[person] = _Calls(asyncio.Semaphore(self._running))
        if calls.count >= self._most:
            raise TooManyCalls
        calls.count += 1
        try:
            if calls.turns.locked():
                await self._wait(calls.turns)
            else:
                await calls.turns.acquire()
        except BaseException:
            self._leave(person, calls)
            raise

    def end(self, person: str) -> None:
        """Give the turn of a call to the next one."""
        calls = self._calls[person]
        calls.turns.release()
        self._leave(person, calls)

    def _leave(self, person: str, calls: _Calls) -> None:
        calls.count -= 1
        if not calls.count:
            del self._calls[person]

    async def _wait(self, turns: asyncio.Semaphore) -> None:
        try:
            async with asyncio.timeout(self._longest_wait):
                await turns.acquire()
        except TimeoutError as error:
            raise TooManyCalls from error
