"""What the simulator holds: records of all resources, and how they point at each other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

Index = TypeVar("Index")


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
    """What decides behaviour and is never shown, such as minutes from before the seed."""

    @property
    def ref(self) -> Ref:
        """Return what points at this record."""
        return Ref(self.type, self.id)

    def to_one(self, name: str) -> Ref | None:
        """Return a relation to at most one record."""
        target = self.relations.get(name)
        return target if isinstance(target, Ref) else None

    def to_many(self, name: str) -> tuple[Ref, ...]:
        """Return a relation to any number of records."""
        target = self.relations.get(name)
        if target is None:
            return ()
        return (target,) if isinstance(target, Ref) else target

    def with_attributes(self, **changes: Any) -> Record:
        """Return the record with other values."""
        return replace(self, attributes={**self.attributes, **changes})

    def with_relations(self, **changes: Relation) -> Record:
        """Return the record pointing elsewhere."""
        return replace(self, relations={**self.relations, **changes})


class State:
    """All records in the order in which they came to be."""

    def __init__(self) -> None:
        self._records: dict[str, dict[str, Record]] = {}
        self._last_ids: dict[str, int] = {}
        self._indexes: dict[str, Any] = {}

    def put(self, record: Record) -> None:
        """Add a record, or replace the one of the same type and id."""
        self._indexes.clear()
        self._records.setdefault(record.type, {})[record.id] = record
        self._last_ids[record.type] = max(self._last_ids.get(record.type, 0), int(record.id))

    def remove(self, record: Record) -> None:
        """Forget a record; its id is not given again."""
        self._indexes.clear()
        del self._records[record.type][record.id]

    def all(self, kind: str) -> Iterator[Record]:
        """Yield the records of one type, of every organization."""
        return iter(self._records.get(kind, {}).values())

    def get(self, kind: str, record_id: str) -> Record | None:
        """Return one record, whichever organization it is of."""
        return self._records.get(kind, {}).get(record_id)

    def at(self, ref: Ref | None) -> Record | None:
        """Return the record that is pointed at."""
        return None if ref is None else self.get(ref.type, ref.id)

    def follow(self, record: Record, *path: str) -> Record | None:
        """Walk along to-one relations; None where one of them is empty."""
        current: Record | None = record
        for name in path:
            current = self.at(current.to_one(name)) if current else None
        return current

    def index(self, name: str, build: Callable[[State], Index]) -> Index:
        """Return the result of `build(state)`, which is cached until the state changes."""
        if name not in self._indexes:
            self._indexes[name] = build(self)
        found: Index = self._indexes[name]
        return found

    def pointing(self, kind: str, relation: str, ref: Ref) -> Iterator[Record]:
        """Yield the records of a type whose relation is, or holds, a record."""

        def build(state: State) -> dict[Ref, list[Record]]:
            found: dict[Ref, list[Record]] = {}
            for record in state.all(kind):
                for target in record.to_many(relation):
                    found.setdefault(target, []).append(record)
            return found

        return iter(tuple(self.index(f"{kind}.{relation}", build).get(ref, ())))

    def next_id(self, kind: str) -> str:
        """Return an id that no record of the type ever had."""
        return str(self._last_ids.get(kind, 0) + 1)

    def saved(self) -> tuple[dict[str, dict[str, Record]], dict[str, int]]:
        """Return a copy of everything, for `restore`."""
        records = {kind: dict(known) for kind, known in self._records.items()}
        return records, dict(self._last_ids)

    def restore(self, saved: tuple[dict[str, dict[str, Record]], dict[str, int]]) -> None:
        """Return to what was saved."""
        self._indexes.clear()
        self._records, self._last_ids = saved

    def kinds(self) -> tuple[str, ...]:
        """Return the types of which there are records."""
        return tuple(sorted(self._records))

    def digest(self) -> str:
        """Return a hash over everything: equal seeds and clocks give equal digests."""
        plain = {
            kind: [asdict(record) for record in records.values()]
            for kind, records in self._records.items()
        }
        text = json.dumps(plain, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()
