"""Who asks, and which records and attributes they may see and change.

How roles differ was observed only in part: a member sees their own time, and services without
prices. That a private task is its subscribers' and a hidden comment its creator's alone is the
vendor's schema. The rest is inferred, and deliberately strict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from productive_dev.simulator.records import Record
from productive_dev.simulator.tokens import Token

ADMIN: Final = 1
"""`role_id` of an owner (recorded)."""
MANAGER: Final = 2
"""Inferred."""
MEMBER: Final = 3
"""Inferred."""
CLIENT: Final = 5
"""A contact with a login; inferred."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The person a token acts as in one organization."""

    token: Token
    organization: str
    person: Record

    @property
    def manages(self) -> bool:
        """Tell whether the caller may act on other people's time."""
        return self.person.attributes["role_id"] in (ADMIN, MANAGER)

    @property
    def administers(self) -> bool:
        """Tell whether the caller may change what concerns the whole organization."""
        return bool(self.person.attributes["role_id"] == ADMIN)

    @property
    def is_client(self) -> bool:
        """Tell whether the caller belongs to a client's company."""
        return bool(self.person.attributes["role_id"] == CLIENT)

    def is_person(self, record: Record, relation: str = "person") -> bool:
        """Tell whether a record points at the caller."""
        return record.relations.get(relation) == self.person.ref
