"""What a request asks for: include, fields, filters, sort and page, read from its query string."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from productive_dev.simulator.errors import bad_query, not_simulated

DEFAULT_PAGE_SIZE: Final = 30
MAX_PAGE_SIZE: Final = 200
"""Larger sizes are cut to this without a word (measured)."""

_FILTER: Final = re.compile(r"filter\[([^\[\]]+)\](?:\[([^\[\]]+)\])?")
_FIELDS: Final = re.compile(r"fields\[([^\[\]]+)\]")

Tree = dict[str, "Tree"]
"""Names of relations to include, each with what to include below it."""


@dataclass(frozen=True, slots=True)
class FilterTerm:
    """One `filter[key][operator]=a,b`."""

    key: str
    operator: str | None
    values: tuple[str, ...]
    """Any of them; empty where the value is empty, which asks for records without a value."""

    @property
    def parameter(self) -> str:
        """Return the parameter's name, as errors cite it."""
        return f"filter[{self.key}]"


@dataclass(frozen=True, slots=True)
class Query:
    """A query string, understood; whether a resource supports it is decided elsewhere."""

    include: Tree = field(default_factory=dict)
    fields: dict[str, frozenset[str]] = field(default_factory=dict)
    filters: tuple[FilterTerm, ...] = ()
    sort: tuple[str, ...] = ()
    page: int = 1
    size: int = DEFAULT_PAGE_SIZE


def parse_query(pairs: Sequence[tuple[str, str]]) -> Query:
    """Read the pairs of a query string; names that mean nothing are ignored, like the original.

    Raises:
        Problem: 501 for what the original has and the simulator lacks, 400 for a page that is no
            number (inferred).
    """
    query = Query(
        fields={
            match[1]: frozenset(_names(value))
            for name, value in pairs
            if (match := _FIELDS.fullmatch(name))
        },
        filters=tuple(_term(name, value) for name, value in pairs if name.startswith("filter[")),
    )
    for name, value in pairs:
        match name:
            case "include":
                for path in _names(value):
                    _grow(query.include, path.split("."))
            case "sort":
                query = replace(query, sort=_names(value))
            case "page[number]":
                query = replace(query, page=_positive(name, value))
            case "page[size]" | "per_page":
                query = replace(query, size=min(_positive(name, value), MAX_PAGE_SIZE))
            case "page[after]" | "page[before]":
                raise not_simulated("Paging by cursor")
    return query


def _term(name: str, value: str) -> FilterTerm:
    match = _FILTER.fullmatch(name)
    if match is None or match[1] == "$op":
        raise not_simulated("A group of filters")
    return FilterTerm(match[1], match[2], _names(value))


def _names(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _grow(tree: Tree, path: list[str]) -> None:
    for name in path:
        tree = tree.setdefault(name, {})


def _positive(name: str, value: str) -> int:
    if value.isascii() and value.isdigit() and 0 < int(value) < 10**9:
        return int(value)
    raise bad_query("invalid_page", "Invalid page", f"'{value}' is not a page", name)
