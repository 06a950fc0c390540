"""What was seen under load, and what of it breaks a promise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from benchmarks.figures.quantile import quantile
from benchmarks.load.client import Reply

MOST_LATENCY: Final = 10.0
"""Seconds: for 99 of 100 answers, at any load."""
MOST_GROWTH: Final = 128_000_000
"""Bytes by which a gateway may grow under load."""
MOST_DESCRIPTORS: Final = 1500
SPARE_DESCRIPTORS: Final = 20
"""That may stay open after the load: connections to others that are kept for the next request."""
RECOVERY_SECONDS: Final = 10.0
SERVED: Final = "200"
REFUSED: Final = "503 or 429 with Retry-After"
CLOSED: Final = "connection closed"
_OVERLOADED: Final = frozenset({429, 503})


@dataclass(slots=True)
class Phase:
    """One rate for some time."""

    name: str
    clients: int
    wanted: float
    """Requests per second that were due; 0 where each client sent as fast as it could."""
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    """Seconds from when an answered request was due."""
    late: int = 0
    """Requests that were not sent because all clients still waited for an answer."""
    most_bytes: int = 0
    most_descriptors: int = 0
    cpu_seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Requests that were served per second."""
        return self.outcomes[SERVED] / self.seconds if self.seconds else 0.0


@dataclass(slots=True)
class Loaded:
    """What was seen."""

    bytes_before: int
    descriptors_before: int
    phases: list[Phase] = field(default_factory=list)
    attacks: Counter[tuple[str, int]] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    recovery_seconds: float = 0.0
    """After the load, until a request was answered as fast as before it."""
    descriptors_after: int = 0
    alive: bool = True
    """Whether the process is the one that was started."""


def outcome(reply: Reply) -> str:
    """Return what an answer is, for somebody whose token is good."""
    if reply.status in _OVERLOADED and reply.retry_after:
        return REFUSED
    return str(reply.status)


def failures(found: Loaded) -> list[str]:
    """Return which promises are broken."""
    return list(_failures(found))


def _failures(found: Loaded) -> Iterator[str]:
    if not found.alive:
        yield "the gateway ended"
    for phase in found.phases:
        yield from (f"{phase.name}: {failure}" for failure in _of_phase(phase, found.bytes_before))
    for one in found.accepted:
        yield f"an attack was accepted: {one}"
    if found.descriptors_after > found.descriptors_before + SPARE_DESCRIPTORS:
        yield f"{found.descriptors_after} descriptors stayed open"
    if found.recovery_seconds > RECOVERY_SECONDS:
        yield f"it recovered after {found.recovery_seconds:.1f} s only"


def _of_phase(phase: Phase, bytes_before: int) -> Iterator[str]:
    for name in phase.outcomes.keys() - {SERVED, REFUSED, CLOSED}:
        yield f"{phase.outcomes[name]} answers were {name}"
    if not phase.latencies:
        yield "nobody was served"
    elif (slow := quantile(phase.latencies, 0.99)) > MOST_LATENCY:
        yield f"99 of 100 answers took up to {slow:.1f} s"
    if phase.most_bytes - bytes_before > MOST_GROWTH:
        yield f"the gateway grew to {phase.most_bytes / 1e6:.0f} MB"
    if phase.most_descriptors > MOST_DESCRIPTORS:
        yield f"it had {phase.most_descriptors} descriptors open"
