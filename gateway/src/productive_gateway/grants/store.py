"""The port to where grants and subject bindings are kept.

A store offers what a Kubernetes namespace does, and every change is atomic: create fails if the
name is taken, update fails if the version moved, delete fails if uid or version are others. It
keeps records, opaque to it; `record` knows their content.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from productive_gateway.grants.record import Record, RecordKind
from productive_kube.collection import Source

Item = TypeVar("Item")


class GrantStore(Protocol):
    """A place for records. Every method raises Unavailable when the store cannot be reached.

    Unavailable after a create, update or delete was sent means that it may have been made.
    """

    @property
    def capacity(self) -> int | None:
        """How many records fit, None if it is not known."""
        ...

    async def create(self, record: Record) -> Record:
        """Store a new record and return it with uid and version.

        Raises:
            Exists: a record of that name is stored already.
            StoreFull: there is no room.
        """
        ...

    async def get(self, name: str) -> Record | None:
        """Return the record as it is now (never from a cache), None if there is none."""
        ...

    async def update(self, record: Record) -> Record:
        """Replace the record of that name, uid and version, and return it with its new version.

        Raises:
            Changed: it changed since.
            Missing: it is no longer there.
            Immutable: it can only be deleted.
        """
        ...

    async def delete(self, record: Record) -> None:
        """Delete the record of that name, uid and version.

        Raises:
            Changed: it changed since.
            Missing: it is no longer there.
        """
        ...

    async def list(
        self, kind: RecordKind, decode: Callable[[Record], Item], *, user_uid: str | None = None
    ) -> list[Item]:
        """Return what `decode` makes of all records of a kind; complete, or it raises.

        The records are decoded while they come in: never are all of them in memory at once.

        Args:
            kind: of the records.
            decode: what to keep of each one.
            user_uid: only the records of this person.
        """
        ...

    def grants(self, decode: Callable[[Record], Item]) -> Source[Item]:
        """Return all grants as a source that a `productive_kube.reflector` can follow.

        As every source it raises `productive_kube.errors.ApiError`, not Unavailable.

        Args:
            decode: what to keep of each one.
        """
        ...
