"""Sliding windows: how many requests were sent in the last seconds, and when there is room again.

Each request is remembered until it is as old as the window is long, so no span of that length ever
holds more than was allowed, wherever a server lets its own windows begin. A look costs the same
however full a window is; only a refusal counts through what has to leave first.
"""

from __future__ import annotations

from collections import deque


class Window:
    """The requests of one sender."""

    __slots__ = ("_leaving", "_seconds", "paused_until")

    def __init__(self, seconds: float) -> None:
        """Begin empty.

        Args:
            seconds: length of the window.
        """
        self._seconds = seconds
        self._leaving: deque[float] = deque()
        self.paused_until = 0.0
        """The moment before which the server asked for no more requests."""

    def used(self, now: float) -> int:
        """Return the number of requests in the window."""
        leaving = self._leaving
        while leaving and leaving[0] <= now:
            leaving.popleft()
        return len(leaving)

    def wait(self, now: float, most: int) -> float:
        """Return the seconds until a request is allowed; 0 if one is now.

        Args:
            now: the present time.
            most: requests allowed in the window, at least 1.
        """
        excess = self.used(now) - most
        if excess < 0:
            return max(0.0, self.paused_until - now)
        return max(self._leaving[excess], self.paused_until) - now

    def add(self, now: float) -> None:
        """Count one request."""
        self._leaving.append(now + self._seconds)


class SharedWindow:
    """The requests of several holders, none of whom can use up what the others need.

    A holder is allowed a request only while it holds fewer than are free. So one alone gets half of
    the window, two get a third each, and as much as each of them holds is left for a newcomer.
    """

    __slots__ = ("_held", "_leaving", "_seconds", "paused_until", "server_time")

    def __init__(self, seconds: float) -> None:
        """Begin empty.

        Args:
            seconds: length of the window.
        """
        self._seconds = seconds
        self._leaving: deque[tuple[float, str]] = deque()
        self._held: dict[str, int] = {}
        self.paused_until = 0.0
        """The moment before which the server asked for no more requests."""
        self.server_time = False
        """Whether it did so because of the time that it works, not of the number of requests."""

    def used(self, now: float) -> int:
        """Return the number of requests in the window."""
        leaving = self._leaving
        while leaving and leaving[0][0] <= now:
            _, holder = leaving.popleft()
            left = self._held[holder] - 1
            if left:
                self._held[holder] = left
            else:
                del self._held[holder]
        return len(leaving)

    def free(self, now: float, most: int) -> int:
        """Return how many requests are free for all; negative if the window became smaller."""
        return most - self.used(now)

    def allowance(self, now: float, most: int, holder: str) -> int:
        """Return how many requests a holder may send at once, if no other sends one."""
        if now < self.paused_until:
            return 0
        room = self.free(now, most) - self._held.get(holder, 0)
        return max(0, (room + 1) // 2)

    def wait(self, now: float, most: int, holder: str) -> float:
        """Return the seconds until this holder is allowed a request; 0 if it is now.

        Args:
            now: the present time.
            most: requests allowed in the window, at least 1.
            holder: who wants to send one.
        """
        paused = max(0.0, self.paused_until - now)
        free, held = self.free(now, most), self._held.get(holder, 0)
        if held < free:
            return paused
        for leaves, whose in self._leaving:
            free += 1
            held -= whose == holder
            if held < free:
                return max(paused, leaves - now)
        raise AssertionError("an empty window has room")

    def add(self, now: float, holder: str) -> None:
        """Count one request of a holder."""
        self._leaving.append((now + self._seconds, holder))
        self._held[holder] = self._held.get(holder, 0) + 1
