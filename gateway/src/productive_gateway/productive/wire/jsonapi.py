"""JSON:API documents as frozen objects.

A relationship that was not requested is a stub without data (`{"meta":{"included":false}}`). It is
absent here, so that "not requested" is not taken for "has none". Attributes are read tolerantly: a
missing or unexpected one is None, because the API adds and changes fields weekly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")


class DocumentError(ValueError):
    """The text is not a JSON:API document of the expected form."""


@dataclass(frozen=True, slots=True)
class Ref:
    """The target of a relationship."""

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Resource:
    """One record."""

    type: str
    id: str
    attributes: Mapping[str, Any]
    relationships: Mapping[str, Ref | tuple[Ref, ...] | None]
    """Only those whose data the answer contains; None means "has none"."""

    def text(self, name: str) -> str | None:
        """Return a text attribute; None if it is empty."""
        value = self.attributes.get(name)
        return value if isinstance(value, str) and value else None

    def whole(self, name: str) -> int | None:
        """Return a whole number, also if it is written as a text."""
        value = self.attributes.get(name)
        if isinstance(value, bool):
            return None
        if isinstance(value, int):
            return value
        if isinstance(value, str) and _WHOLE.fullmatch(value):
            return int(value)
        return None

    def flag(self, name: str) -> bool:
        """Return whether the attribute is true."""
        return self.attributes.get(name) is True

    def one(self, name: str) -> Ref | None:
        """Return the target of a to-one relationship."""
        ref = self.relationships.get(name)
        return ref if isinstance(ref, Ref) else None

    def several(self, name: str) -> tuple[Ref, ...]:
        """Return the targets of a to-many relationship."""
        refs = self.relationships.get(name)
        return refs if isinstance(refs, tuple) else ()


@dataclass(frozen=True, slots=True)
class Document:
    """One answer: its records and the records included with them."""

    records: tuple[Resource, ...]
    included: Mapping[tuple[str, str], Resource]
    total_pages: int | None = None
    total_count: int | None = None

    def only(self) -> Resource:
        """Return the record of an answer about a single one.

        Raises:
            DocumentError: there is not exactly one.
        """
        if len(self.records) != 1:
            raise DocumentError("the answer does not hold exactly one record")
        return self.records[0]

    def related(self, resource: Resource | None, *path: str) -> Resource | None:
        """Follow to-one relationships to an included record; None if there is none."""
        for name in path:
            ref = resource.one(name) if resource else None
            resource = self.included.get((ref.type, ref.id)) if ref else None
        return resource

    def related_many(self, resource: Resource, name: str) -> tuple[Resource, ...]:
        """Follow a to-many relationship to the included records."""
        keys = [(ref.type, ref.id) for ref in resource.several(name)]
        return tuple(self.included[key] for key in keys if key in self.included)


def decode(body: bytes) -> Document:
    """Decode a document with one record or a list of records.

    Raises:
        DocumentError: it is not JSON:API.
    """
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise DocumentError("the answer is not JSON") from error
    if not isinstance(raw, dict) or "data" not in raw:
        raise DocumentError("the answer is not a JSON:API document")
    data = raw["data"]
    records = data if isinstance(data, list) else [] if data is None else [data]
    included = raw.get("included") or []
    if not isinstance(included, list):
        raise DocumentError("included is not a list")
    beside = [_resource(entry) for entry in included]
    meta = raw.get("meta")
    counts = meta if isinstance(meta, dict) else {}
    pages, total = counts.get("total_pages"), counts.get("total_count")
    return Document(
        records=tuple(_resource(entry) for entry in records),
        included={(entry.type, entry.id): entry for entry in beside},
        total_pages=pages if isinstance(pages, int) else None,
        total_count=total if isinstance(total, int) else None,
    )


def _resource(entry: Any) -> Resource:
    ref = _ref(entry)
    attributes = entry.get("attributes") or {}
    relationships = entry.get("relationships") or {}
    if not isinstance(attributes, dict) or not isinstance(relationships, dict):
        raise DocumentError("a record has malformed attributes or relationships")
    return Resource(
        type=ref.type,
        id=ref.id,
        attributes=attributes,
        relationships={
            name: _linkage(value["data"])
            for name, value in relationships.items()
            if isinstance(value, dict) and "data" in value
        },
    )


def _linkage(data: Any) -> Ref | tuple[Ref, ...] | None:
    if data is None:
        return None
    if isinstance(data, list):
        return tuple(_ref(entry) for entry in data)
    return _ref(data)


def _ref(entry: Any) -> Ref:
    if not isinstance(entry, dict):
        raise DocumentError("a record is not an object")
    kind, number = entry.get("type"), entry.get("id")
    if not isinstance(kind, str) or not isinstance(number, str | int) or isinstance(number, bool):
        raise DocumentError("a record has no type or no id")
    return Ref(kind, str(number))
