"""Limits the requests of one token: a sliding window below Productive's own limit.

Productive allows 100 requests in 10 seconds per token. The gateway stays below, so that a person's
other programs can still send some; the client also obeys every 429.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

from productive_contract.clock import Clock, system_clock
from productive_gateway.productive.wire.errors import RateLimited

REQUESTS: Final = 90
WINDOW: Final = 10.0
"""Seconds."""
_MOST_TOKENS: Final = 20_000
"""Windows kept; for a token whose window was dropped only Productive's own limit counts."""


class Limiter:
    """A sliding window for each token fingerprint."""

    def __init__(self, *, requests: int = REQUESTS, clock: Clock = system_clock) -> None:
        self._requests = requests
        self._clock = clock
        self._sent: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, fingerprint: str) -> None:
        """Count one request.

        Raises:
            RateLimited: the window is full; `retry_after` says when it has space again.
        """
        now = self._clock()
        sent = self._window(fingerprint, now)
        if len(sent) >= self._requests:
            raise RateLimited(max(0.0, sent[0] + WINDOW - now))
        sent.append(now)

    def used(self, fingerprint: str) -> int:
        """Return the number of requests in the last ten seconds."""
        return len(self._window(fingerprint, self._clock()))

    @property
    def requests(self) -> int:
        """Requests allowed in one window."""
        return self._requests

    def _window(self, fingerprint: str, now: float) -> deque[float]:
        sent = self._sent.setdefault(fingerprint, deque())
        self._sent.move_to_end(fingerprint)
        if len(self._sent) > _MOST_TOKENS:
            self._sent.popitem(last=False)
        while sent and sent[0] <= now - WINDOW:
            sent.popleft()
        return sent
