"""What the simulator holds: records of all resources, and how they point at each other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Ref:
    """Points at one record."""

    type: str
    id: str


Relation = Ref | tuple[Ref, ...] | None


@dataclass(frozen=True, slots=True)
class Record:
    """One record; replaced as a whole when it changes."""

    type: str
    id: str
    organization: str
    """Id of the organization it belongs to: nobody else ever sees it."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    relations: Mapping[str, Relation] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What decides behaviour and is never shown, such as who may track on a service."""


class State:
    """All records in the order in which they came to be."""

    def __init__(self) -> None:
        self._records: dict[str, dict[str, Record]] = {}
        self._last_ids: dict[str, int] = {}

    def put(self, record: Record) -> None:
        """Add a record, or replace the one of the same type and id."""
        self._records.setdefault(record.type, {})[record.id] = record
        self._last_ids[record.type] = max(self._last_ids.get(record.type, 0), int(record.id))

    def remove(self, record: Record) -> None:
        """Forget a record; its id is not given again."""
        del self._records[record.type][record.id]

    def all(self, kind: str) -> Iterator[Record]:
        """Yield the records of one type, of every organization."""
        return iter(self._records.get(kind, {}).values())

    def get(self, kind: str, record_id: str) -> Record | None:
        """Return one record, whichever organization it is of."""
        return self._records.get(kind, {}).get(record_id)

    def follow(self, record: Record, *path: str) -> Record | None:
        """Walk along to-one relations; None where one of them is empty."""
        current: Record | None = record
        for name in path:
            target = current.relations.get(name) if current else None
            current = self.get(target.type, target.id) if isinstance(target, Ref) else None
        return current

    def next_id(self, kind: str) -> str:
        """Return an id that no record of the type ever had."""
        return str(self._last_ids.get(kind, 0) + 1)

    def digest(self) -> str:
        """Return a hash over everything: equal seeds and clocks give equal digests."""
        plain = {
            kind: [asdict(record) for record in records.values()]
            for kind, records in self._records.items()
        }
        text = json.dumps(plain, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()
