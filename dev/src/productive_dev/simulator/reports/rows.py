"""Rows of reports: which they are, and what identifies them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.kinds import day_of
from productive_dev.simulator.errors import bad_query
from productive_dev.simulator.records import Record, Ref

GroupOf = Callable[[Context, Record], Ref | str | None]
"""Returns what a record is counted under: another record, or a day, week, month."""


@dataclass(frozen=True, slots=True)
class Row:
    """One group with the records in it."""

    key: Ref | str | None
    records: tuple[Record, ...]


def grouped(
    context: Context, records: Iterable[Record], groups: Mapping[str, GroupOf], name: str
) -> list[Row]:
    """Return the records by what they are counted under, in the order of the first of each.

    Raises:
        Problem: 400 for an unknown group.
    """
    if name not in groups:
        detail = f"Group '{name}' is not supported on this endpoint."
        raise bad_query("unsupported_group", "Unsupported group", detail, "group")
    found: dict[Ref | str | None, list[Record]] = {}
    for record in records:
        found.setdefault(groups[name](context, record), []).append(record)
    return [Row(key, tuple(members)) for key, members in found.items()]


def row_id(report: str, group: str, key: Ref | str | None) -> str:
    """Return an id such as `time-entry-report-time_entry-163000412-1a2b3c4d`."""
    name = key.id if isinstance(key, Ref) else str(key)
    digest = hashlib.sha256(f"{report}/{group}/{name}".encode()).hexdigest()[:8]
    return f"{report.removesuffix('s').replace('_', '-')}-{group}-{name}-{digest}"


def to(*path: str) -> GroupOf:
    """Group by the record at the end of relations."""

    def group(context: Context, record: Record) -> Ref | None:
        found = context.follow(record, *path)
        return found.ref if found else None

    return group


def itself(_: Context, record: Record) -> Ref:
    """Group by the record: one row each."""
    return record.ref


def by_period(attribute: str, form: Callable[[date], str]) -> GroupOf:
    """Group by a part of a date."""

    def group(_: Context, record: Record) -> str | None:
        day = day_of(record.attributes[attribute])
        return form(day) if day else None

    return group


def periods(attribute: str) -> Mapping[str, GroupOf]:
    """Return the groups by parts of a date."""
    return {
        "day": by_period(attribute, date.isoformat),
        "date": by_period(attribute, date.isoformat),
        "week": by_period(attribute, _week),
        "month": by_period(attribute, lambda day: day.strftime("%Y-%m")),
        "quarter": by_period(attribute, lambda day: f"{day.year}-Q{(day.month + 2) // 3}"),
        "year": by_period(attribute, lambda day: str(day.year)),
    }


def _week(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def total(records: Iterable[Record], name: str) -> int:
    """Return the sum of a stored attribute."""
    return sum(int(record.attributes[name] or 0) for record in records)


def labels(context: Context, key: Ref | str | None, group: str) -> dict[str, Any]:
    """Return the attributes that say what a row is about."""
    if isinstance(key, Ref):
        record = context.state.at(key)
        values = record.attributes if record else {}
        name = values.get("name", values.get("title"))
        if key.type == "people":
            name = f"{values.get('first_name')} {values.get('last_name') or ''}".strip()
        return {} if name is None else {f"{group}_name": name}
    return {group: key}
