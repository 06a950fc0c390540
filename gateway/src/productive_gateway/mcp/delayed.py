"""A task that begins only if something takes long: a timer costs far less than a task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from productive_gateway.web.timers import Timers


class Delayed:
    """A task that begins after some time, unless it is stopped before."""

    __slots__ = ("_begin", "_task", "_timer")

    def __init__(self, timers: Timers, begin: Callable[[], Coroutine[None, None, None]]) -> None:
        """Begin to wait.

        Args:
            timers: say how long.
            begin: makes what the task runs.
        """
        self._begin = begin
        self._task: asyncio.Task[None] | None = None
        self._timer = timers.start(self._start)

    def stop(self) -> None:
        """Stop waiting, or cancel the task. To be called once.

        Raises:
            Exception: what the task failed with, if it did.
        """
        self._timer.cancel()
        # They refer back to this object, and what is part of no circle needs no garbage collection.
        del self._timer, self._begin
        task = self._task
        if task is None:
            return
        if task.done() and not task.cancelled():
            task.result()
        task.cancel()

    def _start(self) -> None:
        self._task = asyncio.create_task(self._begin())
