"""What a simulator is made with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """All of it has a default that fits a demonstration."""

    clock: Callable[[], float] = time.time
    """Unix seconds; the seed's data are dated relative to it."""
    control: bool = False
    """Whether /__simulator/ exists, by which a test resets, freezes and breaks things."""
    requests_per_token: int = 100
    """In 10 seconds."""
    requests_per_organization: int = 4000
    """In 30 minutes."""
    log_size: int = 500
    """Requests that the log keeps."""
