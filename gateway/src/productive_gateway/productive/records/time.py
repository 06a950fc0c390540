"""Time: entries, timers, submitted days."""

from __future__ import annotations

from datetime import date, datetime

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.budgets import BudgetRef, ServiceRef
from productive_gateway.productive.records.people import PersonRef
from productive_gateway.productive.records.projects import ProjectRef
from productive_gateway.productive.records.record import Record
from productive_gateway.productive.records.tasks import TaskRef


class TimeEntry(
    Record, type="time_entries", found_by={"person": "person_id", "day": "after before"}
):
    """A time entry."""

    created: datetime | None = has.moment("created_at", shown=False)
    day: date | None = has.day("date", label="")
    minutes: int = has.minutes("time", default=0, label="")
    billable: int | None = has.minutes("billable_time")
    project: ProjectRef | None = has.one(lambda: ProjectRef, "service.deal.project", label="")
    service: ServiceRef | None = has.one(lambda: ServiceRef, "service", label="")
    budget: BudgetRef | None = has.one(lambda: BudgetRef, "service.deal")
    task: TaskRef | None = has.one(lambda: TaskRef, "task")
    note: str | None = has.line("note")
    person: PersonRef | None = has.one(lambda: PersonRef, "person")
    started: datetime | None = has.moment("started_at", shown=False)
    draft: bool = has.flag("draft")
    submitted: bool = has.flag("submitted")
    approved: bool = has.flag("approved")
    rejected: bool = has.flag("rejected")
    invoiced: bool = has.flag("invoiced")

    @property
    def locked(self) -> str | None:
        """Why the entry may not be changed, as far as it shows; None if it may be."""
        if self.invoiced:
            return "it is invoiced"
        return "it is approved" if self.approved else None


class TrackedTime(Record, type="time_entries"):
    """A time entry as far as sums need it."""

    day: date | None = has.day("date")
    minutes: int = has.minutes("time", default=0)
    billable: int | None = has.minutes("billable_time")


class Timer(Record, type="timers"):
    """A run of a timer; it adds its whole minutes to an entry when it stops."""

    started: datetime | None = has.moment("started_at", label="since")
    stopped: datetime | None = has.moment("stopped_at", shown=False)
    person_id: str | None = has.ident("person_id", default=None, shown=False)
    entry: TimeEntry | None = has.one(lambda: TimeEntry, "time_entry", label="")


class Timesheet(Record, type="timesheets"):
    """A submitted day of a person."""

    day: date | None = has.day("date", label="")
    person: PersonRef | None = has.one(lambda: PersonRef, "person")
