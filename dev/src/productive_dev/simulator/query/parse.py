"""The query string: include, fields, filters, sort and page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from productive_dev.simulator.errors import bad_query, not_simulated
from productive_dev.simulator.query.conditions import Group, parse_filters

DEFAULT_PAGE_SIZE: Final = 30
MAX_PAGE_SIZE: Final = 200
"""Larger sizes are cut to this without a word (measured)."""

_FIELDS: Final = re.compile(r"fields\[([^\[\]]+)\]")

Tree = dict[str, "Tree"]
"""Names of relations to include, each with what to include below it."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query string, understood; whether a resource supports it is decided elsewhere."""

    include: Tree = field(default_factory=dict)
    fields: dict[str, frozenset[str]] = field(default_factory=dict)
    filters: Group = field(default_factory=Group)
    sort: tuple[str, ...] = ()
    page: int = 1
    size: int = DEFAULT_PAGE_SIZE
    after: str | None = None
    """The cursor; an empty one asks for the first page."""
    group: tuple[str, ...] = ()
    """What a report is grouped by."""


def parse_query(pairs: Sequence[tuple[str, str]]) -> Query:
    """Read the pairs of a query string; names that mean nothing are ignored, like the original.

    Raises:
        Problem: 400 for a filter or page that cannot be read, and for a cursor beside a page
            number; 501 for paging backwards by cursor.
    """
    query = Query(
        fields={
            match[1]: frozenset(names_in(value))
            for name, value in pairs
            if (match := _FIELDS.fullmatch(name))
        },
        filters=parse_filters(pairs),
    )
    for name, value in pairs:
        query = _with(query, name, value)
    if query.after is not None and any(n == "page[number]" and v for n, v in pairs):
        detail = "page[after] cannot be combined with page[number]"
        raise bad_query("keyset_conflict", "Keyset conflict", detail, "page[after]")
    return query


def names_in(value: str) -> tuple[str, ...]:
    """Return the names of a comma list."""
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _with(query: Query, name: str, value: str) -> Query:
    match name:
        case "include":
            for path in names_in(value):
                _grow(query.include, path.split("."))
        case "sort":
            return replace(query, sort=names_in(value))
        case "group":
            return replace(query, group=names_in(value))
        case "page[number]" if value:
            return replace(query, page=_positive(name, value))
        case "page[size]" | "per_page" if value:
            # A client sends an empty size and is answered with the default (seen in its code).
            return replace(query, size=min(_positive(name, value), MAX_PAGE_SIZE))
        case "page[after]":
            return replace(query, after=value)
        case "page[before]":
            raise not_simulated("Paging backwards by cursor")
    return query


def _grow(tree: Tree, path: list[str]) -> None:
    for name in path:
        tree = tree.setdefault(name, {})


def _positive(name: str, value: str) -> int:
    # What the original does with a page that is no number is not known.
    if value.isascii() and value.isdigit() and 0 < int(value) < 10**9:
        return int(value)
    raise bad_query("invalid_page", "Invalid page", f"'{value}' is not a page", name)
