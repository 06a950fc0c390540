"""How long to wait between attempts."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

FIRST_SECONDS: Final = 0.2
MOST_SECONDS: Final = 5.0
MOST_ASKED_SECONDS: Final = 15
"""A server may ask for a longer pause than ours, but not for so long that people notice."""


class Backoff:
    """Doubling pauses with full jitter, so that replicas do not come back in step."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._ceiling = FIRST_SECONDS

    def next(self, asked: int | None = None) -> float:
        """Return the seconds to wait now.

        Args:
            asked: what the server asked for (Retry-After), a lower bound.
        """
        pause = self._ceiling * (0.5 + self._chance() / 2)
        self._ceiling = min(self._ceiling * 2, MOST_SECONDS)
        return max(pause, min(asked or 0, MOST_ASKED_SECONDS))

    def reset(self) -> None:
        """Begin again with the shortest pause: something worked."""
        self._ceiling = FIRST_SECONDS
