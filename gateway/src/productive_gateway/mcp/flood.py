"""Refuses the requests of a person who sends far more at the same time than any client does.

This bounds bodies, open streams and running work; the tools have a limit of their own, which tells
the model to wait. The count is per person, because people share addresses and clients.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
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
        self._open: Counter[str] = Counter()

    @contextmanager
    def counted(self, person: str) -> Iterator[None]:
        """Count a request while the context is entered.

        Raises:
            TooManyRequests: the person has as many open as are allowed.
        """
        if self._open[person] >= self._most:
            self._report.hit(person, person=person)
            raise TooManyRequests(
                "You have too many requests open. Wait for some of them, then try again.",
                reason="open_requests",
                retry_after=RETRY_AFTER,
            )
        self._open[person] += 1
        try:
            yield
        finally:
            self._open[person] -= 1
            if not self._open[person]:
                del self._open[person]
