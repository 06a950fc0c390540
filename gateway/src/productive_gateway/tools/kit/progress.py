"""Progress of a call that writes several things, for a client that asked to hear of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import anyio

Report = Callable[[float, float | None, str | None], Awaitable[None]]
"""Sends how much is done, of how much, and a message; does nothing if the client did not ask."""

_SECONDS: Final = 1.0
"""How long a report may take: a client that reads slowly must not hold up the next write."""


class Progress:
    """Reports the progress of one call: always more than before, and nothing once it has ended."""

    def __init__(self, report: Report | None = None) -> None:
        """Report to a client, or to nobody.

        Args:
            report: sends a report to the client.
        """
        self._report = report
        self._done = -1
        self._total = 0

    async def __call__(self, done: int, total: int, message: str) -> None:
        """Report how much is done; nothing happens if that is no more than before.

        Args:
            done: how many things.
            total: of how many; a part of a larger job keeps the total of the whole.
            message: for people.
        """
        if self._report is None or done <= self._done:
            return
        self._done, self._total = done, max(total, self._total)
        with anyio.move_on_after(_SECONDS):
            await self._report(done, self._total, message)

    def end(self) -> None:
        """Report nothing further: the answer is on its way."""
        self._report = None
