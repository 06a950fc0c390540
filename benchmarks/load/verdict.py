"""What was seen under load, and what of it breaks a promise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from benchmarks.figures.quantile import quantile
from benchmarks.load.client import Reply

BEARABLE_LATENCY: Final = 2.0
"""Seconds: for 99 of 100 answers at a rate that is called bearable."""
MOST_LATENCY: Final = 10.0
"""Seconds: for 99 of 100 answers and refusals, at any load."""
MOST_REFUSED: Final = 0.01
"""Part of the requests that may be refused at the bearable rate, for a moment of other work."""
LEAST_SERVED: Final = 0.6
"""Part of the bearable rate that is still served at twice that rate, by the requests' number."""
KEPT_UP: Final = 0.95
"""Part of what is due that has to be served where nobody is refused."""
MOST_BYTES: Final = 384 * 1024 * 1024
"""Three quarters of what the chart lets the container have (`gateway.resources`)."""
MOST_DESCRIPTORS: Final = 1256
"""MAX_CONNECTIONS, and what a gateway opens itself."""
SPARE_DESCRIPTORS: Final = 120
"""That may stay open after the load: connections to Productive, of which there are 100 at most,
are kept for the next request."""
PROBE_SECONDS: Final = 5.0
"""For 99 of 100 answers to the kubelet's question whether the process lives; it asks three times
before it restarts the container."""
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
    latencies: dict[str, list[float]] = field(default_factory=dict)
    """Seconds from when an answered request was sent, connecting included, by its kind."""
    refusals: list[float] = field(default_factory=list)
    """Seconds from when a refused request was sent."""
    late: int = 0
    """Requests that were not sent because all clients still waited for an answer."""
    most_bytes: int = 0
    most_descriptors: int = 0
    cpu_seconds: float = 0.0
    probes: list[float] = field(default_factory=list)
    """Seconds until the gateway answered that it lives."""
    may_refuse: bool = True
    """Whether it is more than the replica bears."""
    waits: list[float] = field(default_factory=list)
    """Seconds from when a request was due until it was sent: the delay of the clients' own
    program."""

    @property
    def rate(self) -> float:
        """Requests that were served per second."""
        return self.outcomes[SERVED] / self.seconds if self.seconds else 0.0

    @property
    def served(self) -> list[float]:
        """The latencies of all kinds."""
        return [one for each in self.latencies.values() for one in each]

    @property
    def refused_part(self) -> float:
        """The part of the answers that were refusals."""
        total = self.outcomes.total()
        return self.outcomes[REFUSED] / total if total else 0.0


@dataclass(slots=True)
class Loaded:
    """What was seen."""

    bytes_before: int
    descriptors_before: int
    phases: list[Phase] = field(default_factory=list)
    """As fast as they can, at the bearable rate, at twice that."""
    attacks: Counter[tuple[str, int]] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    recovery_seconds: float = 0.0
    """After the load, until a request was answered as fast as before it."""
    descriptors_after: int = 0
    bytes_after: int = 0
    alive: bool = True
    """Whether the process is the one that was started."""
    load_average: float = 0.0
    """Of the machine, at the end."""


def outcome(reply: Reply) -> str:
    """Return what an answer is, for somebody whose token is good."""
    if reply.status in _OVERLOADED and reply.retry_after:
        return REFUSED
    return str(reply.status)


def bearable(phase: Phase) -> bool:
    """Whether a replica bears what was sent in a phase."""
    served = phase.served
    return (
        bool(served)
        and quantile(served, 0.99) <= BEARABLE_LATENCY
        and phase.refused_part <= MOST_REFUSED
        and phase.rate >= KEPT_UP * phase.wanted
    )


def failures(found: Loaded) -> list[str]:
    """Return which promises are broken."""
    return list(_failures(found))


def _failures(found: Loaded) -> Iterator[str]:
    if not found.alive:
        yield "the gateway ended"
    for phase in found.phases:
        broken = [*_of_answers(phase), *_of_resources(phase)]
        yield from (f"{phase.name}: {failure}" for failure in broken)
    if len(found.phases) > 1 and found.phases[-1].rate < LEAST_SERVED * found.phases[-2].rate:
        yield (
            f"{found.phases[-1].rate:.0f} of the {found.phases[-2].rate:.0f} requests a second "
            "that it bears were served when more came"
        )
    for one in found.accepted:
        yield f"an attack was accepted: {one}"
    if found.descriptors_after > found.descriptors_before + SPARE_DESCRIPTORS:
        yield f"{found.descriptors_after} descriptors stayed open"
    if found.recovery_seconds > RECOVERY_SECONDS:
        yield f"it recovered after {found.recovery_seconds:.1f} s only"


def _of_answers(phase: Phase) -> Iterator[str]:
    for name in sorted(phase.outcomes.keys() - {SERVED, REFUSED, CLOSED}):
        yield f"{phase.outcomes[name]} answers were {name}"
    if phase.outcomes[CLOSED]:
        yield f"{phase.outcomes[CLOSED]} connections were closed without an answer"
    served = phase.served
    if not served:
        yield "nobody was served"
    elif (slow := quantile(served, 0.99)) > MOST_LATENCY:
        yield f"99 of 100 answers took up to {slow:.1f} s"
    if phase.refusals and (slow := quantile(phase.refusals, 0.99)) > MOST_LATENCY:
        yield f"99 of 100 refusals took up to {slow:.1f} s"
    if not phase.may_refuse and phase.refused_part > MOST_REFUSED:
        yield f"{phase.refused_part:.1%} of the requests were refused"
    if phase.rate < KEPT_UP * phase.wanted and not phase.outcomes[REFUSED]:
        yield "not all that was due was served, and nobody was refused"


def _of_resources(phase: Phase) -> Iterator[str]:
    if phase.probes and (slow := quantile(phase.probes, 0.99)) > PROBE_SECONDS:
        yield f"the question whether it lives was answered after {slow:.1f} s"
    if phase.most_bytes > MOST_BYTES:
        yield f"the gateway grew to {phase.most_bytes / 1e6:.0f} MB"
    if phase.most_descriptors > MOST_DESCRIPTORS:
        yield f"it had {phase.most_descriptors} descriptors open"
