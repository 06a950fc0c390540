"""Ends the work on a request when its token becomes invalid."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import anyio

from productive_gateway.errors import AccessDenied, InvalidToken, Unavailable
from productive_gateway.mcp.delayed import Delayed
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
        self, token: str, work: Callable[[anyio.CancelScope], Awaitable[None]]
    ) -> InvalidToken | AccessDenied | None:
        """Run the work, and cancel it when the token becomes invalid.

        Args:
            token: of the request.
            work: what is cancelled; it may cancel itself by the scope that it is given.

        Returns:
            Why the work was cancelled; None if it finished.
        """
        ended: list[InvalidToken | AccessDenied] = []
        with anyio.CancelScope() as scope:
            checks = Delayed(self._seconds, partial(self._check, token, scope, ended))
            try:
                await work(scope)
            finally:
                checks.stop()
        return ended[0] if ended else None

    async def _check(
        self, token: str, running: anyio.CancelScope, ended: list[InvalidToken | AccessDenied]
    ) -> None:
        """Check a token until it is no longer valid, then cancel the work and say why."""
        try:
            ended.append(await self._end_of(token))
        finally:
            # Also if a check fails: nothing runs on unchecked.
            running.cancel()

    async def _end_of(self, token: str) -> InvalidToken | AccessDenied:
        """Return once the token is no longer valid, with the reason."""
        while True:
            try:
                await self._authenticate(token)
            except (InvalidToken, AccessDenied) as error:
                return error
            except Unavailable:
                # A failure of this server must not end a call.
                pass
            await anyio.sleep(self._seconds)
