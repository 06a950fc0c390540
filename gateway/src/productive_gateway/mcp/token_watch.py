"""Ends the work on a request when its token becomes invalid."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from productive_gateway.errors import AccessDenied, InvalidToken, Unavailable
from productive_gateway.people.principal import Principal

Authenticate = Callable[[str], Awaitable[Principal]]
"""Returns the principal of a token; raises InvalidToken, AccessDenied or Unavailable."""

RECHECK: Final = 2.0
"""Seconds between two checks of the token of a running request."""


class TokenWatch:
    """Checks the token of each running request every few seconds."""

    def __init__(self, authenticate: Authenticate, seconds: float = RECHECK) -> None:
        self._authenticate = authenticate
        self._seconds = seconds

    async def run(
        self, token: str, work: Callable[[], Awaitable[None]]
    ) -> InvalidToken | AccessDenied | None:
        """Run the work, and cancel it when the token becomes invalid.

        Returns:
            Why the work was cancelled; None if it finished.
        """
        with anyio.CancelScope() as scope:
            checks = _Checks(self._authenticate, token, self._seconds, scope)
            try:
                await work()
            finally:
                checks.stop()
        return checks.ended


class _Checks:
    """The checks of one token: a timer before the first one, since most requests are over by then.

    A task for each request would cost more than the request itself.
    """

    def __init__(
        self, authenticate: Authenticate, token: str, seconds: float, running: anyio.CancelScope
    ) -> None:
        self.ended: InvalidToken | AccessDenied | None = None
        self._authenticate = authenticate
        self._token = token
        self._seconds = seconds
        self._running = running
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(seconds, self._start)

    def stop(self) -> None:
        """Check no more."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _start(self) -> None:
        self._task = asyncio.create_task(self._check())

    async def _check(self) -> None:
        """Check until the token is no longer valid, then cancel the work."""
        while True:
            try:
                await self._authenticate(self._token)
            except (InvalidToken, AccessDenied) as error:
                self.ended = error
                self._running.cancel()
                return
            except Unavailable:
                # A failure of this server must not end a call.
                pass
            await asyncio.sleep(self._seconds)
