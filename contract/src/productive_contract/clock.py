"""Time and randomness as injected values, so that tests can control them."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable
from typing import Final

Clock = Callable[[], float]
"""Returns the current time in Unix seconds."""

Chance = Callable[[], float]
"""Returns a number in [0, 1) for jitter; never used for secrets."""

Entropy = Callable[[int], bytes]
"""Returns a number of unpredictable bytes."""

system_clock: Final[Clock] = time.time
system_chance: Final[Chance] = random.random
system_entropy: Final[Entropy] = secrets.token_bytes
