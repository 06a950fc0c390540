"""Refuses the requests of a person who sends far more at the same time than any client does.

This bounds bodies, open streams and running work; the tools have a limit of their own, which tells
the model to wait. The count is per person, because people share addresses and clients.
"""

from __future__ import annotations

from typing import Final

from productive_gateway.errors import TooManyRequests
from productive_gateway.web.limits import HitReport

MOST_REQUESTS: Final = 64
"""Requests of one person at the same time, on one replica."""
RETRY_AFTER: Final = 5
"""Seconds after which a refused client should try again."""


class OpenRequests:
    """Counts requests by person."""

    def __init__(self, most: int = MOST_REQUESTS) -> None:
        self._most = most
        self._report = HitReport("open_requests")
        self._open: dict[str, int] = {}

    def enter(self, person: str) -> None:
        """Count a request, until `leave` is called for it.

        Raises:
            TooManyRequests: the person has as many open as are allowed; this one is not counted.
        """
        opened = self._open.get(person, 0)
        if opened >= self._most:
            self._report.hit(person, person=person)
            raise TooManyRequests(
                "You have too many requests open. Wait for some of them, then try again.",
                reason="open_requests",
                retry_after=RETRY_AFTER,
            )
        self._open[person] = opened + 1

    def leave(self, person: str) -> None:
        """Count a request as answered."""
        left = self._open[person] - 1
        if left:
            self._open[person] = left
        else:
            del self._open[person]
