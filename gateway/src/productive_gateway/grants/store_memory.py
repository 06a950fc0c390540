"""Grants in the memory of one process: for the local mode and for tests.

It keeps every promise of the port, versions and preconditions included, so that the same code runs
over it as over Kubernetes. What it holds is lost with the process.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from productive_contract.clock import Clock, Entropy, system_clock, system_entropy
from productive_contract.names import LABEL_USER_UID
from productive_gateway.grants.errors import Changed, Exists, Missing, StoreFull
from productive_gateway.grants.record import Record, RecordKind
from productive_kube.client import Listed
from productive_kube.collection import Change, Source
from productive_kube.errors import Gone

CAPACITY: Final = 10_000
HISTORY: Final = 4096
"""Changes that a watch can still ask for."""
_SLICE: Final = 500
"""Records that are decoded before other tasks get their turn."""

Item = TypeVar("Item")


class MemoryGrantStore:
    """A GrantStore without a cluster."""

    def __init__(
        self,
        *,
        capacity: int = CAPACITY,
        history: int = HISTORY,
        clock: Clock = system_clock,
        entropy: Entropy = system_entropy,
    ) -> None:
        """Make an empty store.

        Args:
            capacity: how many records it takes.
            history: how many changes a watch can still ask for.
            clock: stamps the creation of a record.
            entropy: for uids.
        """
        self.capacity = capacity
        self._clock = clock
        self._entropy = entropy
        self._records: dict[str, Record] = {}
        self._version = 1
        self._history: deque[Change[Record]] = deque(maxlen=history)
        self._changed = asyncio.Event()

    async def create(self, record: Record) -> Record:
        """Store a new record."""
        if record.name in self._records:
            raise Exists
        if len(self._records) >= self.capacity:
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

    async def list(
        self, kind: RecordKind, decode: Callable[[Record], Item], *, user_uid: str | None = None
    ) -> list[Item]:
        """Decode what is stored now."""
        found = [
            record
            for record in self._records.values()
            if record.kind is kind and user_uid in {None, record.labels.get(LABEL_USER_UID)}
        ]
        items: list[Item] = []
        for start in range(0, len(found), _SLICE):
            items += map(decode, found[start : start + _SLICE])
            await asyncio.sleep(0)
        return items

    def grants(self, decode: Callable[[Record], Item]) -> Source[Item]:
        """Return the grants as a source."""
        return _Grants(self, decode)

    @property
    def version(self) -> int:
        """The version of the last change."""
        return self._version

    async def watch(self, version: int, seconds: float) -> AsyncGenerator[Change[Record], None]:
        """Yield the changes after `version` as they are made, for so long.

        Raises:
            Gone: these changes are not all known any more.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            if version < self._version - len(self._history):
                raise Gone("watch memory", status=410, reason="Expired")
            changed = self._changed
            for change in [one for one in self._history if int(one.version) > version]:
                version = int(change.version)
                yield change
            try:
                async with asyncio.timeout_at(deadline):
                    await changed.wait()
            except TimeoutError:
                yield Change(str(version))
                return

    def _held(self, record: Record) -> Record:
        held = self._records.get(record.name)
        if held is None:
            raise Missing
        if (held.uid, held.version) != (record.uid, record.version):
            raise Changed
        return held

    def _put(self, record: Record) -> Record:
        stored = self._note(record, deleted=False)
        self._records[record.name] = stored
        return stored

    def _note(self, record: Record, *, deleted: bool) -> Record:
        self._version += 1
        stored = replace(record, version=str(self._version))
        self._history.append(Change(stored.version, stored, deleted=deleted))
        # Waiting tasks hold the old event; the next wait is for the next change.
        self._changed.set()
        self._changed = asyncio.Event()
        return stored


@dataclass(frozen=True, slots=True)
class _Grants(Generic[Item]):
    """The grants of a store as a `Source`."""

    store: MemoryGrantStore
    decode: Callable[[Record], Item]

    async def list(self) -> Listed[Item]:
        """Decode all grants."""
        version = str(self.store.version)
        return Listed(await self.store.list(RecordKind.GRANT, self.decode), version)

    async def watch(self, version: str, seconds: int) -> AsyncGenerator[Change[Item], None]:
        """Yield the changes of grants for one window; at its end how far it has come."""
        async with aclosing(self.store.watch(int(version), seconds)) as changes:
            async for change in changes:
                record = change.item
                if record is None:
                    yield Change(change.version)
                elif record.kind is RecordKind.GRANT:
                    yield Change(change.version, self.decode(record), deleted=change.deleted)

    async def version(self) -> str:
        """Return the version of the last change."""
        return str(self.store.version)
