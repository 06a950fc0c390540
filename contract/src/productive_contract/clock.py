"""Time and randomness as values that are handed in, so that tests can hold them."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable
from typing import Final

Clock = Callable[[], float]
"""Returns the present as Unix seconds, UTC."""

Chance = Callable[[], float]
"""Returns a number of [0, 1) to spread programs out in time; nothing secret comes of it."""

Entropy = Callable[[int], bytes]
"""Returns that many unpredictable bytes."""

system_clock: Final[Clock] = time.time
system_chance: Final[Chance] = random.random
system_entropy: Final[Entropy] = secrets.token_bytes
