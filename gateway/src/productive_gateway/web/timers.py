"""Timers that nearly always are cancelled: all of one length share one timer of the event loop.

Timers of one length end in the order in which they began. So the event loop has to know of the
oldest one only, and to start or cancel another is an entry in a table, which costs a fifth of what
the event loop takes for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Final

_EARLY: Final = 0.001
"""Seconds by which an event loop that counts milliseconds may call too early."""


class Timer:
    """A callback that waits for its time."""

    __slots__ = ("_callback", "_context", "_others", "due")

    def __init__(
        self, callback: Callable[[], object], due: float, others: dict[Timer, None]
    ) -> None:
        self.due: Final = due
        """By the clock of the event loop, in seconds."""
        self._callback = callback
        self._context = copy_context()
        self._others = others

    def cancel(self) -> None:
        """Do not call back; without effect once it is called back or cancelled."""
        self._others.pop(self, None)

    def run(self, loop: asyncio.AbstractEventLoop) -> None:
        """Call back, in the context of the start; report a failure as the event loop would."""
        try:
            self._context.run(self._callback)
        except Exception as error:  # noqa: BLE001  # the other timers still have to run
            loop.call_exception_handler({"message": "A timer failed.", "exception": error})


class Timers:
    """Starts timers of one length, on the event loop that runs."""

    def __init__(self, seconds: float) -> None:
        """Set the length.

        Args:
            seconds: from the start of a timer until it calls back.
        """
        self._seconds = seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: dict[Timer, None] = {}
        """The oldest first."""
        self._armed = False
        """Whether the event loop will call; also while all timers are cancelled, until it does."""

    def start(self, callback: Callable[[], object]) -> Timer:
        """Start a timer.

        Args:
            callback: is called once, unless the timer is cancelled before.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # The event loop before ended, and its timers with it.
            self._loop, self._waiting, self._armed = loop, {}, False
        timer = Timer(callback, loop.time() + self._seconds, self._waiting)
        self._waiting[timer] = None
        if not self._armed:
            self._armed = True
            self._arm(loop, timer)
        return timer

    def _arm(self, loop: asyncio.AbstractEventLoop, oldest: Timer) -> None:
        # In no context of a request: this outlives the request that happens to come first.
        loop.call_at(oldest.due, self._call, loop, context=Context())

    def _call(self, loop: asyncio.AbstractEventLoop) -> None:
        """Call back what is due, and wait for the next."""
        if loop is not self._loop:
            return
        now = loop.time() + _EARLY
        while self._waiting:
            oldest = next(iter(self._waiting))
            if oldest.due > now:
                self._arm(loop, oldest)
                return
            del self._waiting[oldest]
            oldest.run(loop)
        self._armed = False
