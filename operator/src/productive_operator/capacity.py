"""What fits into one Secret: the youngest people beyond it are left out, everybody else is served.

Kubernetes refuses a Secret above 1 MiB. To refuse to publish would freeze the mapping with all its
removals; so the mapping is cut instead, and those who are out of it say MappingFull. Pure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

from productive_contract.mapping import GZIP_ABOVE, Mapping, Person, Reason, encode
from productive_operator.resolve import Outcome, people

LIMIT: Final = 1024 * 1024 * 9 // 10
"""Bytes of data that are published at most: nine tenths of what a Secret may hold."""

_REVISION: Final = 10**12
"""Stands for a revision of today's number of digits."""
_FRAME: Final = 400
"""Bytes of an entry beside its texts, generously."""


def fit(outcomes: Sequence[Outcome], limit: int = LIMIT) -> tuple[Outcome, ...]:
    """Return the outcomes with MappingFull for the youngest who do not fit.

    Args:
        outcomes: oldest first.
        limit: bytes of data.
    """
    if _surely_fits(outcomes, limit) or _size(outcomes) <= limit:
        return tuple(outcomes)
    # The size grows with the number of people, so the most that fit are found by halving. Where
    # compression is not quite monotonic, the result still fits: every candidate is measured.
    fitting, beyond = 0, len(outcomes)
    while beyond - fitting > 1:
        middle = (fitting + beyond) // 2
        if _size(outcomes[:middle]) <= limit:
            fitting = middle
        else:
            beyond = middle
    return (*outcomes[:fitting], *(_leave_out(outcome) for outcome in outcomes[fitting:]))


def _leave_out(outcome: Outcome) -> Outcome:
    if outcome.person is None:
        return outcome
    return dataclasses.replace(outcome, reason=Reason.MAPPING_FULL, person=None, problems=())


def _size(outcomes: Sequence[Outcome]) -> int:
    return sum(map(len, encode(Mapping(_REVISION, people(outcomes))).values()))


def _surely_fits(outcomes: Sequence[Outcome], limit: int) -> bool:
    bound = _FRAME + sum(_bound(outcome.person) for outcome in outcomes if outcome.person)
    return bound <= min(limit, GZIP_ABOVE)


def _bound(person: Person) -> int:
    # Every character is ASCII; in JSON a quote or backslash takes two.
    token = person.api_token.reveal() if person.api_token else ""
    return _FRAME + len(person.email) + len(person.user) + 2 * len(token)
