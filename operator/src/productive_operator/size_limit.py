"""Fits the mapping into one Secret: the youngest people beyond it are left out.

Kubernetes refuses a Secret above 1 MiB. To refuse to publish would freeze the mapping with all its
removals; so the mapping is cut instead, and the reason of those left out is MappingFull. Pure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from productive_contract.mapping import Mapping, Reason, encode
from productive_operator.resolve import Outcome, people

LIMIT: Final = 1024 * 1024 * 9 // 10
"""Bytes of data that are published at most: nine tenths of what a Secret may hold."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What can be published of a decision."""

    outcomes: tuple[Outcome, ...]
    """Everybody, oldest first; with MappingFull for those who do not fit."""
    mapping: Mapping
    data: dict[str, bytes] = field(repr=False)
    """The mapping, encoded."""

    @property
    def size(self) -> int:
        """Bytes of data."""
        return sum(map(len, self.data.values()))


def fit(outcomes: Sequence[Outcome], revision: int, limit: int = LIMIT) -> Fitted:
    """Make the mapping, without the youngest who do not fit.

    Args:
        outcomes: oldest first.
        revision: of the mapping.
        limit: bytes of data.
    """
    whole = _fitted(outcomes, len(outcomes), revision)
    if whole.size <= limit:
        return whole
    # The size grows with the number of people, so the most that fit are found by halving. Where
    # compression is not quite monotonic, the result still fits: every candidate is measured.
    fitting, beyond = _fitted(outcomes, 0, revision), len(outcomes)
    kept = 0
    while beyond - kept > 1:
        middle = (kept + beyond) // 2
        candidate = _fitted(outcomes, middle, revision)
        if candidate.size <= limit:
            fitting, kept = candidate, middle
        else:
            beyond = middle
    return fitting


def _fitted(outcomes: Sequence[Outcome], kept: int, revision: int) -> Fitted:
    """Make the mapping of the oldest."""
    judged = (*outcomes[:kept], *(_leave_out(outcome) for outcome in outcomes[kept:]))
    mapping = Mapping(revision, people(judged))
    return Fitted(judged, mapping, encode(mapping))


def _leave_out(outcome: Outcome) -> Outcome:
    if outcome.person is None:
        return outcome
    return dataclasses.replace(outcome, reason=Reason.MAPPING_FULL, person=None, problems=())
