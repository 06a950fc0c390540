"""Lets tasks await the next change of something they share within one event loop."""

from __future__ import annotations

import asyncio


class Changes:
    """A change that any number of tasks can await.

    Look at the state first, then await: nothing is missed, because no other task runs between.
    """

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def announce(self) -> None:
        """Wake everybody who waits."""
        self._next.set()
        self._next = asyncio.Event()

    async def wait(self) -> None:
        """Return at the next change after this call."""
        await self._next.wait()
