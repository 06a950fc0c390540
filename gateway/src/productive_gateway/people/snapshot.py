"""The mapping at one moment, indexed the two ways the gateway asks it."""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from typing import Protocol

from productive_contract.mapping import Mapping, Person


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A complete view of all people; replaced as a whole, never changed."""

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
    """Where the mapping in use is had from."""

    def snapshot(self) -> Snapshot:
        """Return the last good complete view.

        Who is absent from it is positively gone.

        Raises:
            Unavailable: no mapping could be read yet, or it is too stale to be acted on.
        """
        ...
