"""What was seen in a soak, and which promises it breaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from benchmarks.figures.quantile import quantile

HEALTHY_SECONDS: Final = 5.0
"""For 99 of 100 that are taken away while nothing is disturbed."""
DISTURBED_SECONDS: Final = 15.0
"""While watches are cut or replicas restart."""
AWAY_SECONDS: Final = 300.0
"""While the API server is away."""
MOST_BYTES: Final = 200_000_000
GROWTH: Final = 1.15
"""By which the memory of one process may grow after it has settled."""
SETTLED_SECONDS: Final = 60.0
SERVED: Final = 200
UNAVAILABLE: Final = frozenset({429, 503})
REFUSED: Final = frozenset({400, 401, 403})


class Outcome(Enum):
    """What an answer is for somebody who has access."""

    SERVED = "served"
    UNAVAILABLE = "503 or 429, with Retry-After"
    REFUSED = "refused"
    """The client throws its tokens away, or the model gives up."""
    BROKEN = "broken"
    """Anything else."""


def judge(status: int, headers: Mapping[str, str]) -> Outcome:
    """Return what an answer is for somebody who has access."""
    if status == SERVED:
        return Outcome.SERVED
    if status in UNAVAILABLE and "Retry-After" in headers:
        return Outcome.UNAVAILABLE
    return Outcome.REFUSED if status in REFUSED else Outcome.BROKEN


class State(Enum):
    """What went on while somebody was taken away; the value is the bound in seconds."""

    HEALTHY = HEALTHY_SECONDS
    DISTURBED = DISTURBED_SECONDS
    AWAY = AWAY_SECONDS


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Something that was done to the installation, in seconds of the run."""

    kind: str
    begun: float
    ended: float


API_SERVER: Final = "API server killed"
_ECHO: Final = 12.0
"""Seconds after a disturbance in which watches may still recover."""


def state_between(disturbances: Iterable[Disturbance], begun: float, ended: float) -> State:
    """Return the worst that went on between two moments."""
    kinds = {one.kind for one in disturbances if one.begun <= ended and one.ended + _ECHO >= begun}
    if API_SERVER in kinds:
        return State.AWAY
    return State.DISTURBED if kinds else State.HEALTHY


@dataclass(frozen=True, slots=True)
class Sample:
    """The memory of one gateway at one moment."""

    at: float
    gateway: int
    pid: int
    resident_bytes: int
    descriptors: int


@dataclass(slots=True)
class Soaked:
    """What was seen."""

    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    """Answers by request and outcome."""
    wrong: list[str] = field(default_factory=list)
    """The first answers that nobody who has access may get."""
    latencies: dict[str, list[float]] = field(default_factory=dict)
    """Seconds of the requests that were served."""
    revocations: list[tuple[State, float]] = field(default_factory=list)
    """How long the slowest replica served what was taken away."""
    disturbances: list[Disturbance] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    objects: tuple[int, int] = (0, 0)
    """Secrets in the namespace of grants before and after."""

    def count(self, outcome: Outcome) -> int:
        """Return how many answers had this outcome."""
        return sum(n for name, n in self.outcomes.items() if name.endswith(f": {outcome.value}"))


def growth(samples: Sequence[Sample]) -> float:
    """Return by which factor the memory of any process grew after it had settled."""
    factors = [1.0]
    for pid in {one.pid for one in samples}:
        own = [one for one in samples if one.pid == pid]
        settled = [one for one in own if one.at - own[0].at >= SETTLED_SECONDS]
        if settled:
            factors.append(settled[-1].resident_bytes / settled[0].resident_bytes)
    return max(factors)


def failures(found: Soaked) -> list[str]:
    """Return which promises are broken."""
    return list(_failures(found))


def _failures(found: Soaked) -> Iterator[str]:
    for outcome in (Outcome.REFUSED, Outcome.BROKEN):
        if count := found.count(outcome):
            yield f"{count} answers to people with access were {outcome.value}: {found.wrong[:5]}"
    if not found.count(Outcome.SERVED):
        yield "nobody was served"
    if not found.revocations:
        yield "nothing was taken away"
    for state in State:
        served = [seconds for each, seconds in found.revocations if each is state]
        part = 0.99 if state is State.HEALTHY else 1.0
        if served and (slowest := quantile(served, part)) > state.value:
            yield (
                f"what was taken away was served for {slowest:.1f} s, not {state.value:g} s "
                f"({state.name.lower()})"
            )
    most = max((one.resident_bytes for one in found.samples), default=0)
    if most > MOST_BYTES:
        yield f"a gateway held {most / 1e6:.0f} MB"
    if (factor := growth(found.samples)) > GROWTH:
        yield f"the memory of a gateway grew by a factor of {factor:.2f}"
    before, after = found.objects
    if after > before:
        yield f"{after - before} objects were left behind"
