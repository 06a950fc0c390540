"""Filters and sorts: what a resource lets a list be narrowed and ordered by.

A resource declares a `Filter` per key. The operators per kind are those of the guide; the ones that
somebody saw refused are refused here too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum, auto
from operator import ge, gt, le, lt
from typing import Any, Final

from productive_dev.simulator.errors import bad_query
from productive_dev.simulator.query import FilterTerm
from productive_dev.simulator.records import Record, State

Read = Callable[[State, Record], Sequence[str]]
"""Returns a record's values as texts; none of them means null."""

SortKey = Callable[[State, Record], tuple[bool, float, str]]


class Kind(Enum):
    """What the values of a filter are."""

    ID = auto()
    CHOICE = auto()
    FLAG = auto()
    TEXT = auto()
    NUMBER = auto()
    DAY = auto()


_OPERATORS: Final[Mapping[Kind, frozenset[str]]] = {
    Kind.ID: frozenset({"eq", "not_eq", "contains", "not_contain"}),
    Kind.CHOICE: frozenset({"eq", "not_eq"}),
    Kind.FLAG: frozenset({"eq", "not_eq"}),
    Kind.TEXT: frozenset({"eq", "not_eq", "contains", "not_contain"}),
    # gt_eq and lt_eq are contested: one reader saw them refused, another saw them work on dates.
    Kind.NUMBER: frozenset({"eq", "not_eq", "gt", "lt"}),
    Kind.DAY: frozenset({"eq", "not_eq", "gt", "lt", "gt_eq", "lt_eq"}),
}


_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "gt": gt,
    "lt": lt,
    "gt_eq": ge,
    "lt_eq": le,
}


@dataclass(frozen=True, slots=True)
class Filter:
    """One key that a list may be filtered by."""

    read: Read
    kind: Kind
    default: str = "eq"
    """The operator that a filter without one means."""
    inert: bool = False
    """Accepted and without effect, as some of the original's are (measured)."""

    def check(self, term: FilterTerm) -> None:
        """Refuse a term that the original refuses.

        Raises:
            Problem: 400 for an operator or a value of the wrong type.
        """
        operator = term.operator or self.default
        if operator not in _OPERATORS[self.kind]:
            detail = f"Operation '{operator}' is not supported for filter '{term.key}'."
            title = "Unsupported filter operation"
            raise bad_query("unsupported_filter_operation", title, detail, term.parameter)
        for value in term.values:
            if not _fits(self.kind, value):
                detail = f"Value '{value}' is not supported for filter '{term.key}'."
                title = "Unsupported filter value type"
                raise bad_query("unsupported_filter_value_type", title, detail, term.parameter)

    def matches(self, state: State, record: Record, term: FilterTerm) -> bool:
        """Tell whether a record stays in the list."""
        return self.inert or _compare(
            self.kind, self.read(state, record), term.operator or self.default, term.values
        )


def narrow(
    state: State,
    records: Iterable[Record],
    known: Mapping[str, Filter],
    terms: Sequence[FilterTerm],
) -> list[Record]:
    """Return the records that every term lets through.

    Raises:
        Problem: 400 for a key, operator or value that is not supported.
    """
    for term in terms:
        if term.key not in known:
            # Measured: 400 with this code; an older note says 422, another that it is ignored.
            detail = f"Filter by '{term.key}' is not supported on this endpoint."
            title = "Unsupported filter"
            raise bad_query("unsupported_filter", title, detail, term.parameter)
        known[term.key].check(term)
    return [
        record
        for record in records
        if all(known[term.key].matches(state, record, term) for term in terms)
    ]


def order(
    state: State,
    records: list[Record],
    known: Mapping[str, SortKey],
    names: Sequence[str],
    default: Sequence[str],
) -> list[Record]:
    """Return the records in the order asked for, equals by id.

    Raises:
        Problem: 400 for a name that is not supported.
    """
    for name in names:
        if name.removeprefix("-") not in known:
            detail = f"Sort by '{name.removeprefix('-')}' is not supported on this endpoint."
            raise bad_query("sort_param_unsupported", "Sort param unsupported", detail, "sort")
    ordered = sorted(records, key=lambda record: int(record.id))
    for name in reversed(tuple(names) or tuple(default)):
        key = known[name.removeprefix("-")]
        ordered.sort(key=lambda record: key(state, record), reverse=name.startswith("-"))
    return ordered


def _fits(kind: Kind, value: str) -> bool:
    match kind:
        case Kind.TEXT:
            return True
        case Kind.FLAG:
            return value in ("true", "false")
        case Kind.ID | Kind.CHOICE:
            return value.isascii() and value.isdigit()
        case Kind.NUMBER:
            return value.isascii() and value.removeprefix("-").isdigit()
        case Kind.DAY:
            return _day(value) is not None


def _compare(kind: Kind, values: Sequence[str], operator: str, wanted: Sequence[str]) -> bool:
    if operator in ("not_eq", "not_contain"):
        positive = {"not_eq": "eq", "not_contain": "contains"}[operator]
        return not _compare(kind, values, positive, wanted)
    if not wanted:
        return not values
    if operator == "eq" or (operator == "contains" and kind is Kind.ID):
        if kind is Kind.TEXT:
            return bool({v.casefold() for v in values} & {w.casefold() for w in wanted})
        return bool(set(values) & set(wanted))
    if operator == "contains":
        return any(w.casefold() in v.casefold() for v in values for w in wanted)
    return any(_ranks(kind, operator, v, w) for v in values for w in wanted)


def _ranks(kind: Kind, operator: str, value: str, bound: str) -> bool:
    compare = _COMPARISONS[operator]
    if kind is Kind.DAY:
        return compare(value, bound)
    return compare(float(value), float(bound))


def _day(value: str) -> date | None:
    try:
        return date.fromisoformat(value) if len(value) == 10 else None
    except ValueError:
        return None
