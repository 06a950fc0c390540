"""The mapping at one moment, indexed by e-mail and by uid."""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from typing import Protocol

from productive_contract.mapping import Mapping, Person


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A complete view of all people. It never changes; a new one replaces it."""

    revision: int
    by_email: MappingABC[str, Person]
    by_uid: MappingABC[str, Person]

    @classmethod
    def of(cls, mapping: Mapping) -> Snapshot:
        """Index a decoded mapping."""
        return cls(
            revision=mapping.revision,
            by_email=mapping.people,
            by_uid={person.uid: person for person in mapping.people.values()},
        )


class People(Protocol):
    """Provides the current mapping."""

    def snapshot(self) -> Snapshot:
        """Return the last good complete view; a person who is absent from it has no access.

        Raises:
            Unavailable: no mapping was read yet, or the last one is too old to be trusted.
        """
        ...
