"""Fits the mapping into one Secret: the youngest people beyond it are left out.

Kubernetes refuses a Secret above 1 MiB. To refuse to publish would freeze the mapping with all its
removals; so the mapping is cut instead, and the reason of those left out is MappingFull. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from productive_contract.mapping import Mapping, Reason, encode
from productive_operator.resolve import Outcome, leave_out, people

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


def fit(
    outcomes: Sequence[Outcome],
    revision: int,
    limit: int = LIMIT,
    *,
    namespace: str | None = None,
) -> Fitted:
    """Make the mapping, without the youngest who do not fit.

    Args:
        outcomes: oldest first.
        revision: of the mapping.
        limit: bytes of data.
        namespace: of the ProductiveUsers.
    """

    def fitted(kept: int) -> Fitted:
        """Make the mapping of the oldest."""
        left_out = (leave_out(outcome, Reason.MAPPING_FULL) for outcome in outcomes[kept:])
        judged = (*outcomes[:kept], *left_out)
        mapping = Mapping(revision, people(judged), namespace)
        return Fitted(judged, mapping, encode(mapping))

    whole = fitted(len(outcomes))
    if whole.size <= limit:
        return whole
    # The size grows with the number of people, so the most that fit are found by halving. Where
    # compression is not quite monotonic, the result still fits: every candidate is measured.
    fitting, kept, beyond = fitted(0), 0, len(outcomes)
    while beyond - kept > 1:
        middle = (kept + beyond) // 2
        candidate = fitted(middle)
        if candidate.size <= limit:
            fitting, kept = candidate, middle
        else:
            beyond = middle
    return fitting
