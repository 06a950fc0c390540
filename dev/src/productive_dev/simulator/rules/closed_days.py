"""Days that take no more changes: submitted ones, locked ones, and invoiced entries.

The rules are the vendor's schema (a submitted day takes no entry until it is un-submitted, managers
may submit and un-submit for others, an invoiced entry and one in a locked period cannot be
changed); codes, words and pointers are inferred.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.kinds import day_of
from productive_dev.simulator.errors import Fault
from productive_dev.simulator.records import Record, Ref

_PERIOD_DAYS: Final = {1: 1, 2: 7, 3: 30}
"""Days, weeks, months of `time_locking_period_id`; the numbers are inferred."""


def timesheet_of(context: Context, person: Ref | None, day: Any) -> Record | None:
    """Return the timesheet by which a person submitted a day."""
    if person is None:
        return None
    found = context.state.pointing("timesheets", "person", person)
    return next((sheet for sheet in found if sheet.attributes["date"] == day), None)


def closed_faults(context: Context, before: Record | None, entry: Record) -> Iterable[Fault]:
    """Name the reasons why an entry cannot be stored, changed or removed."""
    if before is not None and before.attributes["invoiced"]:
        yield Fault("base", "time entry is invoiced", "time_entry_invoiced")
    for version in (before, entry):
        if version is None:
            continue
        day = day_of(version.attributes["date"])
        if day is None:
            continue
        if is_locked(context, version, day):
            yield Fault("date", "is in a locked period", "locked_period")
            return
        if timesheet_of(context, version.to_one("person"), version.attributes["date"]):
            yield Fault("date", "has already been submitted", "timesheet_submitted")
            return


def is_locked(context: Context, entry: Record, day: date) -> bool:
    """Tell whether the organization closed a day, and the person has no exception."""
    organization = context.state.get("organizations", entry.organization)
    person = context.state.at(entry.to_one("person"))
    if organization is None or (person is not None and person.attributes["time_unlocked"]):
        return False
    month_end = day_of(organization.attributes["financial_month_locking_date"])
    if month_end is not None and day <= month_end:
        return True
    if not organization.attributes["time_locking"]:
        return False
    period = _PERIOD_DAYS.get(organization.attributes["time_locking_period_id"], 7)
    interval = int(organization.attributes["time_locking_interval"] or 1)
    return day < context.today - timedelta(days=period * interval)
