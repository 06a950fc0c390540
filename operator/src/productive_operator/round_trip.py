"""Finds entries that a reader of the mapping would not read as they were written. Pure.

There should be none. If there is one all the same, its person alone is left out: a reader that
refuses the whole document would go on with the last one, and miss every removal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from productive_contract.mapping import Mapping, Person, decode, encode


def unreadable(people: Iterable[Person]) -> frozenset[str]:
    """Return the addresses of those whose entries do not read back equal."""
    found = list(people)
    if _reads_back(found):
        return frozenset()
    return frozenset(person.email for person in found if not _reads_back([person]))


def _reads_back(people: Sequence[Person]) -> bool:
    written = Mapping(0, {person.email: person for person in people})
    try:
        return decode(encode(written)) == written
    except (ValueError, OverflowError):
        # MappingError is a ValueError, and so is a text that cannot be encoded.
        return False
