"""Filters: what a list can be narrowed by, and how a record is compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import Any, Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.kinds import OPERATORS, Kind, fits_filter, instant_of
from productive_dev.simulator.errors import bad_query
from productive_dev.simulator.query.conditions import Term
from productive_dev.simulator.records import Record, Ref

Read = Callable[[Context, Record], Sequence[str]]
"""Returns a record's values as texts; none of them means null."""

INSTANTS_FLAG: Final = "filteringSkipDatetimeCastToDate"
"""Feature flag by which a client has instants compared as such, not as dates (guide)."""

_ORDERED: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "gt": gt,
    "lt": lt,
    "gt_eq": ge,
    "lt_eq": le,
}
_POSITIVE: Final = {"not_eq": "eq", "not_contain": "contains", "none_of": "any_of"}


@dataclass(frozen=True, slots=True)
class Filter:
    """One key that a list may be filtered by."""

    read: Read
    kind: Kind
    default: str = "eq"
    """The operator that a filter without one means."""
    inert: bool = False
    """Accepted and without effect, as some of the original's are (measured)."""

    def check(self, term: Term) -> None:
        """Refuse a term that the original refuses.

        Raises:
            Problem: 400 for an operator or a value of the wrong type.
        """
        operator = term.operator or self.default
        if operator not in OPERATORS[self.kind]:
            detail = f"Operation '{operator}' is not supported for filter '{term.key}'."
            title = "Unsupported filter operation"
            raise bad_query("unsupported_filter_operation", title, detail, term.parameter)
        for value in term.values:
            if not self.inert and not fits_filter(self.kind, value):
                detail = f"Value '{value}' is not supported for filter '{term.key}'."
                title = "Unsupported filter value type"
                raise bad_query("unsupported_filter_value_type", title, detail, term.parameter)

    def matches(self, context: Context, record: Record, term: Term) -> bool:
        """Tell whether a record stays in the list."""
        if self.inert:
            return True
        values = self.read(context, record)
        instants = self.kind is Kind.MOMENT and INSTANTS_FLAG in context.flags
        return _compare(self.kind, values, term.operator or self.default, term.values, instants)


def _compare(
    kind: Kind, values: Sequence[str], operator: str, wanted: Sequence[str], instants: bool
) -> bool:
    if operator in _POSITIVE:
        # Measured on bookings: a negated relation matches only rows that have one.
        if kind is Kind.RELATION and not values:
            return False
        return not _compare(kind, values, _POSITIVE[operator], wanted, instants)
    if not wanted:
        return not values
    if operator == "contains" and kind not in (Kind.RELATION, Kind.KEY, Kind.LIST):
        return any(w.casefold() in v.casefold() for v in values for w in wanted)
    if operator in _ORDERED or kind in (Kind.DAY, Kind.MOMENT):
        compare = _ORDERED.get(operator, _equal)
        pairs = (_comparable(kind, v, w, instants) for v in values for w in wanted)
        return any(compare(value, bound) for value, bound in pairs)
    # Recorded: `eq` on texts is equality without case.
    return bool({v.casefold() for v in values} & {w.casefold() for w in wanted})


def _comparable(kind: Kind, value: str, bound: str, instants: bool) -> tuple[Any, Any]:
    if kind is Kind.DAY or (kind is Kind.MOMENT and not (instants and len(bound) > 10)):
        # Filters on instants compare the date only (guide).
        return value[:10], bound[:10]
    if kind is Kind.MOMENT:
        return instant_of(value), instant_of(bound)
    return float(value), float(bound)


def _equal(value: Any, bound: Any) -> bool:
    return bool(value == bound)


def texts_of(value: Any) -> Sequence[str]:
    """Return an attribute's values as a filter compares them."""
    if value is None:
        return ()
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, list | tuple):
        return tuple(str(item) for item in value)
    return (str(value),)


def attribute(name: str) -> Read:
    """Read a stored attribute; lists give several values."""
    return lambda _, record: texts_of(record.attributes.get(name))


def related(path: str) -> Read:
    """Read the ids at the end of a dotted path of relations."""
    *way, last = path.split(".")

    def read(context: Context, record: Record) -> Sequence[str]:
        holder = context.follow(record, *way)
        return tuple(ref.id for ref in holder.to_many(last)) if holder else ()

    return read


def set_or_not(name: str) -> Read:
    """Read "1" while an attribute is null and "2" once it is set: active and archived."""
    return lambda _, record: ("1" if record.attributes.get(name) is None else "2",)


def to(path: str) -> Filter:
    """Return a filter by a related record."""
    return Filter(related(path), Kind.RELATION)


def search(*names: str, also: Sequence[str] = ()) -> Filter:
    """Return a free-text filter over attributes, and over all words of `also` taken together.

    Recorded: it ignores case, and finds more than the name. Which attributes it looks into is
    inferred; that it takes a person's full name is what a client depends on.
    """

    def read(_: Context, record: Record) -> Sequence[str]:
        single = [v for name in names for v in texts_of(record.attributes.get(name))]
        whole = " ".join(v for name in also for v in texts_of(record.attributes.get(name)))
        return (*single, whole)

    return Filter(read, Kind.TEXT, default="contains")


def by_choice(read: Read) -> Filter:
    """Return a filter by one of the numbers that stand for states."""
    return Filter(read, Kind.CHOICE)


def by_flag(read: Read) -> Filter:
    """Return a filter by true or false."""
    return Filter(read, Kind.FLAG)


def bound(name: str, operator: str) -> Filter:
    """Return a filter by a date that means a comparison, such as `after`."""
    return Filter(attribute(name), Kind.MOMENT, operator)


def since(name: str) -> Filter:
    """Return `after`: the day itself belongs to it (measured on time entries)."""
    return bound(name, "gt_eq")


def until(name: str) -> Filter:
    """Return `before`: the day itself belongs to it (measured on time entries)."""
    return bound(name, "lt_eq")


def inert(kind: Kind = Kind.TEXT) -> Filter:
    """Return a filter that is accepted and does nothing."""
    return Filter(lambda _, __: (), kind, inert=True)


def by_ref(read: Callable[[Context, Record], Sequence[Ref]]) -> Filter:
    """Return a filter by records that a function finds."""
    return Filter(
        lambda context, record: tuple(ref.id for ref in read(context, record)), Kind.RELATION
    )
