"""The mapping at one moment, indexed by e-mail and by uid."""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from typing import Protocol

from productive_contract.mapping import Mapping, Person
from productive_gateway.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A complete view of all people. It never changes; a new one replaces it."""

    revision: int
    by_email: MappingABC[str, Person]
    by_uid: MappingABC[str, Person]
    proves_absence: bool = True
    """Whether a person who is absent is gone; a view that nothing confirmed yet, or that lacks an
    entry, proves nothing."""
    faults: tuple[str, ...] = ()
    """What was wrong with entries of the mapping."""

    @classmethod
    def of(cls, mapping: Mapping) -> Snapshot:
        """Index a decoded mapping."""
        return cls(
            revision=mapping.revision,
            by_email=mapping.people,
            by_uid={person.uid: person for person in mapping.people.values()},
            proves_absence=mapping.complete,
            faults=mapping.faults,
        )

    def person(self, uid: str) -> Person | None:
        """Return the person of a uid; None if they are gone.

        Raises:
            Unavailable: they are absent, which proves nothing.
        """
        return self._known(self.by_uid.get(uid))

    def person_of(self, email: str) -> Person | None:
        """Return the person of a canonical e-mail address; None if there is none.

        Raises:
            Unavailable: they are absent, which proves nothing.
        """
        return self._known(self.by_email.get(email))

    def all_uids(self) -> frozenset[str]:
        """Return everybody's uid; who is not in it is gone.

        Raises:
            Unavailable: this view proves nothing about others.
        """
        if not self.proves_absence:
            raise _unconfirmed()
        return frozenset(self.by_uid)

    def _known(self, person: Person | None) -> Person | None:
        if person is None and not self.proves_absence:
            raise _unconfirmed()
        return person


def _unconfirmed() -> Unavailable:
    return Unavailable(
        "The list of people is not confirmed yet. Try again in a moment.",
        reason="mapping_unconfirmed",
    )


class People(Protocol):
    """Provides the current mapping."""

    def snapshot(self) -> Snapshot:
        """Return the last good view; its methods know what somebody's absence from it means.

        Raises:
            Unavailable: no mapping was read yet, or the last one is too old to be trusted.
        """
        ...
