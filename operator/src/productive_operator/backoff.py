"""How long to wait after a failure, and after more of them in a row."""

from __future__ import annotations

from productive_contract.clock import Chance, system_chance


class Backoff:
    """Doubling pauses up to a bound; each is cut by up to a half, so that nobody keeps step."""

    def __init__(self, first: float, longest: float, chance: Chance = system_chance) -> None:
        """Begin with the shortest pause.

        Args:
            first: seconds after the first failure, at most.
            longest: seconds after many, at most.
            chance: how much of the cut is spared.
        """
        self._first = first
        self._longest = longest
        self._chance = chance
        self._ceiling = first
        self.failures = 0

    def next(self) -> float:
        """Count one more failure; returns the seconds to wait now."""
        self.failures += 1
        pause = self._ceiling * (0.5 + 0.5 * self._chance())
        self._ceiling = min(self._longest, 2 * self._ceiling)
        return pause

    def reset(self) -> None:
        """Begin again with the shortest pause: it worked."""
        self.failures = 0
        self._ceiling = self._first
