"""The port to where grants and subject bindings are kept.

A store offers what a Kubernetes namespace does, and every change is atomic: create fails if the
name is there, update fails if the version moved, delete fails if uid or version are others. What it
keeps are records, opaque to it; `record` knows their content.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from productive_contract.names import GRANT_TYPE, SUBJECT_TYPE


class Kind(StrEnum):
    """What a record is, by the type of its Secret."""

    GRANT = GRANT_TYPE
    SUBJECT = SUBJECT_TYPE


@dataclass(frozen=True, slots=True)
class Record:
    """One stored object."""

    kind: Kind
    name: str
    labels: Mapping[str, str]
    data: Mapping[str, bytes]
    uid: str = ""
    """Given by the store at creation."""
    version: str = ""
    """Given by the store at each write; versions of one store can be compared as numbers."""
    created: float = 0.0
    """When the store made it, by the store's clock."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a complete list; `version` is the moment that the whole list shows."""

    records: tuple[Record, ...]
    version: str


@dataclass(frozen=True, slots=True)
class Change:
    """One event of a watch; without a record it only tells how far the watch has come."""

    version: str
    record: Record | None = None
    deleted: bool = False


class GrantStore(Protocol):
    """A place for records. Every method raises Unavailable when the store is away.

    Unavailable after a create, update or delete was sent means that it may have been made.
    """

    async def create(self, record: Record) -> Record:
        """Store a new record and return it with uid and version.

        Raises:
            Exists: a record of that name is there.
            StoreFull: there is no room.
        """
        ...

    async def get(self, name: str) -> Record | None:
        """Return the record as it is now (never from a cache), None if it is not there."""
        ...

    async def update(self, record: Record) -> Record:
        """Replace the record of that name, uid and version, and return it with its new version.

        Raises:
            Conflict: it was changed since.
            Missing: it is not there any more.
        """
        ...

    async def delete(self, record: Record) -> None:
        """Delete the record of that name, uid and version.

        Raises:
            Conflict: it was changed since.
            Missing: it is not there any more.
        """
        ...

    def pages(self, kind: Kind, *, user_uid: str | None = None) -> AsyncIterator[Page]:
        """List all records of a kind, or those of one person; complete, or it raises."""
        ...

    async def version(self) -> str:
        """Return the version that the store has come to, in the terms of lists and watches."""
        ...

    def watch(self, version: str, *, seconds: float) -> AsyncIterator[Change]:
        """Yield the changes of grants after `version` for so long, then end.

        A window in which not even a version is told may be one that waits for a version from the
        store's future, as after the restore of a backup: compare with `version()`.

        Raises:
            Expired: the changes after `version` are not known any more.
        """
        ...
