"""How long to wait before the next attempt, after one failure or several in a row."""

from __future__ import annotations

from typing import Final

from productive_contract.clock import Chance, system_chance

FIRST_SECONDS: Final = 0.2
LONGEST_SECONDS: Final = 5.0
_LONGEST_ASKED_SECONDS: Final = 15.0
"""A server may ask for a longer pause than ours, but not for one that people notice."""


class Backoff:
    """Doubling pauses up to a bound, each shortened by up to half so that replicas spread out."""

    def __init__(
        self,
        first: float = FIRST_SECONDS,
        longest: float = LONGEST_SECONDS,
        chance: Chance = system_chance,
    ) -> None:
        """Start with the shortest pause.

        Args:
            first: the longest pause after one failure, in seconds.
            longest: the longest pause after many, in seconds.
            chance: how much of the shortening is left out.
        """
        self._first = first
        self._longest = longest
        self._chance = chance
        self._ceiling = first
        self.failures = 0
        """Failures since the last `reset`."""

    def next(self, asked: float | None = None) -> float:
        """Count one more failure; returns the seconds to wait now.

        Args:
            asked: seconds that the server asked for (Retry-After), as a lower bound.
        """
        self.failures += 1
        pause = self._ceiling * (0.5 + 0.5 * self._chance())
        self._ceiling = min(self._longest, 2 * self._ceiling)
        return max(pause, min(asked or 0.0, _LONGEST_ASKED_SECONDS))

    def reset(self) -> None:
        """Start again with the shortest pause, after a success."""
        self.failures = 0
        self._ceiling = self._first
