"""The body of a write: its data, and what of it a resource takes over.

Unknown attributes are ignored with success: the worst trap of the API, kept on purpose. The
vendor's clients send relations as relationships, its specification names `x_id` attributes; both
are taken, except that bookings take attributes only (measured).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from productive_dev.simulator.declare.fields import Relation
from productive_dev.simulator.declare.marks import Written
from productive_dev.simulator.declare.resource import Resource
from productive_dev.simulator.errors import malformed_body
from productive_dev.simulator.records import Ref
from productive_dev.simulator.records import Relation as Target


@dataclass(frozen=True, slots=True)
class Changes:
    """What a body asks for, as far as the resource takes it over."""

    attributes: Mapping[str, Any]
    relations: Mapping[str, Target]
    data: Mapping[str, Any]


def parse_single(body: bytes) -> Mapping[str, Any]:
    """Return the resource object of a body.

    Raises:
        Problem: 400 when it is no JSON:API document.
    """
    data = _data(body)
    if not isinstance(data, dict):
        raise malformed_body()
    return _checked(data)


def parse_many(body: bytes) -> list[Mapping[str, Any]]:
    """Return the resource objects of a bulk body.

    Raises:
        Problem: 400 when it is no list of them.
    """
    data = _data(body)
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise malformed_body()
    return [_checked(item) for item in data]


def parse_optional(body: bytes) -> Mapping[str, Any]:
    """Return the object of an action's body, which may be missing; some actions take it flat.

    Raises:
        Problem: 400 when there is a body that is no JSON object.
    """
    if not body.strip():
        return {}
    try:
        document = json.loads(body)
    except ValueError:
        raise malformed_body() from None
    if not isinstance(document, dict):
        raise malformed_body()
    data = document.get("data", {"attributes": document})
    return _checked(data) if isinstance(data, dict) else {"list": data}


def changes_in(declared: Resource, data: Mapping[str, Any], *, creating: bool) -> Changes:
    """Pick out what the resource takes over."""
    given = data.get("attributes") or {}
    links = {} if declared.relationships_refused else data.get("relationships") or {}
    attributes = {
        part.name: given[part.name]
        for part in declared.attributes.values()
        if part.name in given and _open(part.written, creating)
    }
    relations: dict[str, Target] = {}
    for part in declared.relations.values():
        if _open(part.written, creating) and part.target is not None:
            relations |= _taken(part, given, links)
    return Changes(attributes, relations, data)


def action_value(data: Mapping[str, Any], *names: str) -> Any:
    """Return a value of an action's body: an attribute, or the id in a relationship."""
    attributes = data.get("attributes") or {}
    links = data.get("relationships") or {}
    for name in names:
        if attributes.get(name) is not None:
            return attributes[name]
        linked = links.get(name.removesuffix("_id"))
        if isinstance(linked, Mapping) and isinstance(linked.get("data"), Mapping):
            return linked["data"].get("id")
    return None


def _taken(part: Relation, given: Mapping[str, Any], links: Mapping[str, Any]) -> dict[str, Target]:
    target = part.target or ""
    found: dict[str, Target] = {}
    for name in filter(None, (part.alias, part.name)):
        if part.many:
            ids = given.get(f"{name.removesuffix('s')}_ids")
            if isinstance(ids, list):
                found[part.name] = tuple(Ref(target, str(one)) for one in ids)
        elif f"{name}_id" in given:
            found[part.name] = _reference(target, given[f"{name}_id"])
        linked = links.get(name)
        if isinstance(linked, Mapping) and "data" in linked:
            found[part.name] = _linked(part, linked["data"])
    return found


def _linked(part: Relation, data: Any) -> Target:
    target = part.target or ""
    if part.many:
        items = data if isinstance(data, list) else []
        return tuple(Ref(target, str(item.get("id"))) for item in items if isinstance(item, dict))
    return _reference(target, data.get("id") if isinstance(data, Mapping) else None)


def _reference(target: str, value: Any) -> Ref | None:
    return None if value in (None, "") else Ref(target, str(value))


def _open(written: Written, creating: bool) -> bool:
    return written is Written.ALWAYS or (creating and written is Written.AT_CREATION)


def _data(body: bytes) -> Any:
    try:
        document = json.loads(body)
    except ValueError:
        raise malformed_body() from None
    return document.get("data") if isinstance(document, dict) else None


def _checked(data: Mapping[str, Any]) -> Mapping[str, Any]:
    for part in ("attributes", "relationships"):
        if not isinstance(data.get(part) or {}, dict):
            raise malformed_body()
    return data
