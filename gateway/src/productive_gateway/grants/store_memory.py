"""Grants in the memory of one process: for the local mode and for tests.

It keeps every promise of the port, versions and preconditions included, so that the same code runs
over it as over Kubernetes. What it holds is gone with the process.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from productive_contract.clock import Clock, Entropy, system_clock, system_entropy
from productive_contract.names import LABEL_USER_UID
from productive_gateway.grants.errors import Conflict, Exists, Expired, Missing, StoreFull
from productive_gateway.grants.store import Change, Kind, Page, Record

_HISTORY: Final = 4096
"""Changes that a watch can still ask for."""
_PAGE: Final = 500


class MemoryGrantStore:
    """A GrantStore without a cluster."""

    def __init__(
        self,
        *,
        capacity: int = 10_000,
        clock: Clock = system_clock,
        entropy: Entropy = system_entropy,
    ) -> None:
        """Make an empty store that takes up to `capacity` records."""
        self._capacity = capacity
        self._clock = clock
        self._entropy = entropy
        self._records: dict[str, Record] = {}
        self._version = 1
        self._history: deque[Change] = deque(maxlen=_HISTORY)
        self._changed = asyncio.Event()

    async def create(self, record: Record) -> Record:
        """Store a new record."""
        if record.name in self._records:
            raise Exists
        if len(self._records) >= self._capacity:
            raise StoreFull
        uid = self._entropy(16).hex()
        return self._put(replace(record, uid=uid, created=self._clock()))

    async def get(self, name: str) -> Record | None:
        """Return the record."""
        return self._records.get(name)

    async def update(self, record: Record) -> Record:
        """Replace the record of that version."""
        held = self._held(record)
        return self._put(replace(record, created=held.created))

    async def delete(self, record: Record) -> None:
        """Delete the record of that version."""
        held = self._held(record)
        del self._records[record.name]
        self._note(held, deleted=True)

    async def pages(self, kind: Kind, *, user_uid: str | None = None) -> AsyncIterator[Page]:
        """List what is there at the first page."""
        version = str(self._version)
        found = [
            record
            for record in self._records.values()
            if record.kind is kind and user_uid in {None, record.labels.get(LABEL_USER_UID)}
        ]
        for start in range(0, max(len(found), 1), _PAGE):
            yield Page(tuple(found[start : start + _PAGE]), version)

    async def version(self) -> str:
        """Return the version of the last change."""
        return str(self._version)

    async def watch(self, version: str, *, seconds: float) -> AsyncIterator[Change]:
        """Yield changes as they are made."""
        seen = int(version)
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            if seen < self._version - len(self._history):
                raise Expired
            changed = self._changed
            for change in [change for change in self._history if int(change.version) > seen]:
                seen = int(change.version)
                if change.record is not None and change.record.kind is Kind.GRANT:
                    yield change
            try:
                async with asyncio.timeout_at(deadline):
                    await changed.wait()
            except TimeoutError:
                yield Change(str(seen))
                return

    def _held(self, record: Record) -> Record:
        held = self._records.get(record.name)
        if held is None:
            raise Missing
        if (held.uid, held.version) != (record.uid, record.version):
            raise Conflict
        return held

    def _put(self, record: Record) -> Record:
        stored = self._note(record, deleted=False)
        self._records[record.name] = stored
        return stored

    def _note(self, record: Record, *, deleted: bool) -> Record:
        self._version += 1
        stored = replace(record, version=str(self._version))
        self._history.append(Change(stored.version, stored, deleted=deleted))
        # Whoever waits holds the old event; the next wait is for the next change.
        self._changed.set()
        self._changed = asyncio.Event()
        return stored
