"""How long one request goes on trying before it says that we are in trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from productive_contract.clock import Entropy
from productive_gateway.errors import Unavailable
from productive_gateway.grants.errors import StoreFull

CONFLICTS: Final = 5
TROUBLES: Final = 2
TROUBLES_AFTER_WRITE: Final = 5
BUDGET: Final = 4.0
"""Seconds for all calls together; an API server slower than that counts as away."""
BUDGET_AFTER_WRITE: Final = 8.0
"""Seconds to find out what became of a write whose answer was lost."""

T = TypeVar("T")


class Patience:
    """The tries and the time of one request, with jittered waits of 20 to 200 ms (800 in trouble).

    Everybody who lost a compare-and-swap tries again at another moment, so parallel ones thin out.
    """

    def __init__(self, entropy: Entropy) -> None:
        """Start the clock."""
        self._entropy = entropy
        self._started = asyncio.get_running_loop().time()
        self._budget = BUDGET
        self._troubles_allowed = TROUBLES
        self._conflicts = 0
        self._troubles = 0

    def sent(self) -> None:
        """Say that a write is being sent: from now on its fate is worth more patience."""
        self._budget = BUDGET_AFTER_WRITE
        self._troubles_allowed = TROUBLES_AFTER_WRITE

    async def call(self, call: Awaitable[T]) -> T:
        """Await a call within the time that is left.

        Raises:
            Unavailable: the time is over.
        """
        try:
            async with asyncio.timeout_at(self._started + self._budget):
                return await call
        except TimeoutError as error:
            raise Unavailable(
                "The store of sign-ins does not answer in time. Try again in a moment.",
                reason="grants_slow",
            ) from error

    async def conflict(self) -> None:
        """Wait before the next try after somebody else's write came first.

        Raises:
            Unavailable: that happened too often.
        """
        self._conflicts += 1
        if self._conflicts > CONFLICTS:
            raise Unavailable(
                "This sign-in is being changed by many requests at once. Try again in a moment.",
                reason="grants_contended",
                retry_after=1,
            )
        await self._pause(1.0)

    async def trouble(self, error: Unavailable) -> None:
        """Wait before the next try after the store was away.

        Raises:
            Unavailable: `error`, when tries or time are over.
        """
        self._troubles += 1
        over = asyncio.get_running_loop().time() - self._started >= self._budget
        if over or isinstance(error, StoreFull) or self._troubles > self._troubles_allowed:
            raise error
        await self._pause(min(2.0 ** (self._troubles - 1), 4.0))

    async def _pause(self, factor: float) -> None:
        fraction = int.from_bytes(self._entropy(2)) / 65536
        await asyncio.sleep(factor * (0.02 + 0.18 * fraction))
