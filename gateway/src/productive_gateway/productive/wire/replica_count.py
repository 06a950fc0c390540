"""By how many replicas what Productive allows is divided.

A replica that goes away leaves behind the requests it sent: until they are as old as the window,
its share stays its own. So the divisor rises at once and falls one window late.
"""

from __future__ import annotations

from collections import deque
from typing import Final

ASSUMED: Final = 4
"""Replicas while their number is not known yet, or cannot be read."""


class ReplicaCount:
    """The number of replicas, and the largest number of the last seconds."""

    def __init__(self, count: int, window: float) -> None:
        """Begin with an assumption, which the first known number replaces.

        Args:
            count: replicas, at least 1.
            window: seconds for which a larger number counts after it fell.
        """
        self.count = count
        """Replicas now."""
        self._window = window
        self._known = False
        self._fallen: deque[tuple[float, int]] = deque()
        """Earlier numbers, each with the time until which it counts: later ones are smaller."""

    def set(self, count: int, now: float) -> None:
        """Take up a number of replicas; none at all counts as one, which is this replica."""
        count = max(1, count)
        while self._fallen and self._fallen[-1][1] <= count:
            self._fallen.pop()
        if self._known and count < self.count:
            self._fallen.append((now + self._window, self.count))
        self.count, self._known = count, True

    def largest(self, now: float) -> int:
        """Return the largest number of the last `window` seconds."""
        while self._fallen and self._fallen[0][0] <= now:
            self._fallen.popleft()
        return self._fallen[0][1] if self._fallen else self.count
