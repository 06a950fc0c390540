"""The order of a list, and its pages: by number with totals, or by cursor without.

What a cursor looks like and on which sorts it works is not known. Here it holds the sort keys of
the last record of a page, so records that come or go in between neither repeat nor hide others.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.resource import Resource, every_sort
from productive_dev.simulator.declare.sorts import Key, SortKey
from productive_dev.simulator.errors import Problem, bad_query
from productive_dev.simulator.query.parse import MAX_PAGE_SIZE, Query
from productive_dev.simulator.records import Record


@dataclass(frozen=True, slots=True)
class Address:
    """Where a list was asked for, which the links of its pages begin with."""

    url: str
    pairs: Sequence[tuple[str, str]]

    def with_paging(self, paging: dict[str, str]) -> str:
        """Return the address of another page; recorded: sorted by name, percent-encoded."""
        kept = [(name, value) for name, value in self.pairs if name not in (*paging, "per_page")]
        pairs = sorted([*kept, *paging.items()], key=lambda pair: pair[0])
        return f"{self.url}?{urlencode(pairs)}"


@dataclass(frozen=True, slots=True)
class Page:
    """The records of one page, with what the answer says about it."""

    records: tuple[Record, ...]
    links: dict[str, str]
    meta: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Falling:
    """A key that sorts the other way round."""

    key: Key

    def __lt__(self, other: _Falling) -> bool:
        return other.key < self.key


Rank = tuple[Key | _Falling, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list; records that are equal in it come by id."""

    keys: tuple[tuple[SortKey, bool], ...]
    """Each with whether it falls."""

    def parts(self, context: Context, record: Record) -> list[Key]:
        """Return the keys of a record, for a cursor."""
        return [key(context, record) for key, _ in self.keys]

    def rank(self, parts: Sequence[Key]) -> Rank:
        """Return what keys are compared by."""
        return tuple(
            _Falling(part) if falls else part
            for part, (_, falls) in zip(parts, self.keys, strict=True)
        )


def order_of(declared: Resource, names: Sequence[str]) -> Order:
    """Return the order that a request asks for, or the collection's own.

    Raises:
        Problem: 400 for a name that is not supported; the detail repeats it with its sign.
    """
    for name in names:
        if name.removeprefix("-") not in declared.sorts:
            detail = f"Sort by '{name}' is not supported on this endpoint."
            raise bad_query("sort_param_unsupported", "Sort param unsupported", detail, "sort")
    known = every_sort(declared)
    wanted = tuple(names) or declared.default_sort
    keys = [(known[name.removeprefix("-")], name.startswith("-")) for name in wanted]
    return Order((*keys, (known["id"], False)))


def paged(
    context: Context,
    declared: Resource,
    records: Sequence[Record],
    query: Query,
    address: Address,
) -> Page:
    """Return the page of a list that a request asks for.

    Raises:
        Problem: 400 for an unsupported sort or a cursor of another list.
    """
    order = order_of(declared, query.sort)
    ranked = sorted(
        ((order.parts(context, record), record) for record in records),
        key=lambda pair: order.rank(pair[0]),
    )
    if query.after is None:
        return numbered([record for _, record in ranked], query, address)
    if query.after:
        bound = order.rank(_decoded(query.after, len(order.keys)))
        ranked = [pair for pair in ranked if bound < order.rank(pair[0])]
    shown = ranked[: query.size]
    links = {}
    if len(ranked) > query.size:
        links["next"] = address.with_paging({"page[after]": _encoded(shown[-1][0])})
    meta = {"page_size": query.size, "max_page_size": MAX_PAGE_SIZE}
    return Page(tuple(record for _, record in shown), links, meta)


def numbered(records: Sequence[Record], query: Query, address: Address) -> Page:
    """Return a page of records that are in their order, by number."""
    first = (query.page - 1) * query.size
    pages = -(-len(records) // query.size)

    def link(number: int) -> str:
        paging = {"page[number]": str(number), "page[size]": str(query.size)}
        return address.with_paging(paging)

    # Recorded: the last page of an empty list is page 0.
    links = {"first": link(1), "last": link(pages)}
    if query.page > 1:
        links["prev"] = link(query.page - 1)
    if query.page < pages:
        links["next"] = link(query.page + 1)
    meta = {
        "current_page": query.page,
        "total_pages": pages,
        "total_count": len(records),
        "page_size": query.size,
        "max_page_size": MAX_PAGE_SIZE,
    }
    return Page(tuple(records[first : first + query.size]), links, meta)


def _encoded(parts: Sequence[Key]) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def _decoded(cursor: str, size: int) -> list[Key]:
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        keys = [(bool(null), float(number), str(text)) for null, number, text in parts]
    except (ValueError, TypeError):
        raise _invalid_cursor() from None
    if len(keys) != size:
        raise _invalid_cursor()
    return keys


def _invalid_cursor() -> Problem:
    detail = "The cursor is not valid for this list"
    return bad_query("keyset_invalid_cursor", "Keyset invalid cursor", detail, "page[after]")
