"""Ends the work on a request when its token becomes invalid."""

from __future__ import annotations

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
        ended: InvalidToken | AccessDenied | None = None

        async def watch(running: anyio.CancelScope) -> None:
            nonlocal ended
            ended = await self._end_of(token)
            running.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(watch, group.cancel_scope)
            await work()
            group.cancel_scope.cancel()
        return ended

    async def _end_of(self, token: str) -> InvalidToken | AccessDenied:
        """Return once the token is no longer valid, with the reason."""
        while True:
            await anyio.sleep(self._seconds)
            try:
                await self._authenticate(token)
            except (InvalidToken, AccessDenied) as error:
                return error
            except Unavailable:
                # A failure of this server must not end a call.
                continue
