"""Ends the work on a request when its token becomes invalid."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from productive_gateway.errors import AccessDenied, InvalidToken, Unavailable
from productive_gateway.mcp.delayed import Delayed
from productive_gateway.people.principal import Principal
from productive_gateway.web.timers import Timers

Authenticate = Callable[[str], Awaitable[Principal]]
"""Returns the principal of a token; raises InvalidToken, AccessDenied or Unavailable."""

RECHECK: Final = 2.0
"""Seconds between two checks of the token of a running request."""


class TokenWatch:
    """Checks the token of each running request every few seconds."""

    def __init__(self, authenticate: Authenticate, seconds: float = RECHECK) -> None:
        self._authenticate = authenticate
        self._seconds = seconds
        self._timers = Timers(seconds)

    async def run(
        self, token: str, work: Callable[[], Awaitable[None]]
    ) -> InvalidToken | AccessDenied | None:
        """Run the work, and cancel it when the token becomes invalid.

        Args:
            token: of the request.
            work: what is cancelled.

        Returns:
            Why the work was cancelled; None if it finished.
        """
        with anyio.CancelScope() as scope:
            watched = self.begin(token, scope.cancel)
            try:
                await work()
            finally:
                watched.stop()
        return watched.ended

    def begin(self, token: str, end: Callable[[], None]) -> WatchedToken:
        """Begin to check a token; it has to be stopped.

        Args:
            token: of the request.
            end: cancels the work once the token is invalid.
        """
        return WatchedToken(self._timers, self._authenticate, self._seconds, token, end)


class WatchedToken(Delayed):
    """A token of a running request; the task that checks it begins at the first check."""

    __slots__ = ("_authenticate", "_end", "_seconds", "_token", "ended")

    def __init__(
        self,
        timers: Timers,
        authenticate: Authenticate,
        seconds: float,
        token: str,
        end: Callable[[], None],
    ) -> None:
        super().__init__(timers, self._check)
        self._authenticate = authenticate
        self._seconds = seconds
        self._token = token
        self._end = end
        self.ended: InvalidToken | AccessDenied | None = None
        """Why the token is no longer valid, once it is not."""

    async def _check(self) -> None:
        """Check the token until it is no longer valid, then cancel the work and say why."""
        try:
            self.ended = await self._reason()
        finally:
            # Also if a check fails: nothing runs on unchecked.
            self._end()

    async def _reason(self) -> InvalidToken | AccessDenied:
        """Return once the token is no longer valid, with the reason."""
        while True:
            try:
                await self._authenticate(self._token)
            except (InvalidToken, AccessDenied) as error:
                return error
            except Unavailable:
                # A failure of this server must not end a call.
                pass
            await anyio.sleep(self._seconds)
