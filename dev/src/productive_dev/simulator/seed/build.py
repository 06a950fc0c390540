"""Records of the seed: the defaults of their declaration, and what makes them special."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from productive_dev.simulator.declare.resource import new_record
from productive_dev.simulator.records import Record, Ref, Relation
from productive_dev.simulator.resources import RESOURCES


def build(
    kind: str,
    number: str,
    organization: str,
    attributes: Mapping[str, Any] | None = None,
    relations: Mapping[str, Relation] | None = None,
    *,
    facts: Mapping[str, Any] | None = None,
) -> Record:
    """Return a record of the seed.

    Raises:
        KeyError: the resource does not have such an attribute or relation.
    """
    blank = new_record(RESOURCES[kind], number, organization)
    for name in attributes or {}:
        if name not in blank.attributes:
            raise KeyError(f"{kind} has no attribute {name}")
    for name in relations or {}:
        if name not in blank.relations:
            raise KeyError(f"{kind} has no relation {name}")
    return Record(
        kind,
        number,
        organization,
        {**blank.attributes, **(attributes or {})},
        {**blank.relations, **(relations or {})},
        dict(facts or {}),
    )


def to(kind: str, number: str | None) -> Ref | None:
    """Return what points at a record, or nothing."""
    return None if number is None else Ref(kind, number)
