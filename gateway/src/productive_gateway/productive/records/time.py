"""Time: entries, timers, submitted days."""

from __future__ import annotations

from datetime import date, datetime

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.budgets import ServiceRef, TrackedBudget
from productive_gateway.productive.records.people import PersonRef
from productive_gateway.productive.records.projects import ProjectRef
from productive_gateway.productive.records.record import Record
from productive_gateway.productive.records.tasks import TaskRef


class TimeEntry(
    Record, type="time_entries", found_by={"person": "person_id", "date": "after before"}
):
    """A time entry; its hours are whole minutes here and hours in answers."""

    created: datetime | None = has.moment("created_at", default=None, shown=False)
    date: date | None = has.day("date", label="")
    hours: int = has.minutes("time", default=0, label="")
    billable_hours: int | None = has.minutes("billable_time", label="billable")
    project: ProjectRef | None = has.one(lambda: ProjectRef, "service.deal.project", label="")
    service: ServiceRef | None = has.one(lambda: ServiceRef, "service")
    budget: TrackedBudget | None = has.one(lambda: TrackedBudget, "service.deal")
    task: TaskRef | None = has.one(lambda: TaskRef, "task")
    person: PersonRef | None = has.one(lambda: PersonRef, "person", default=None)
    start: datetime | None = has.moment("started_at", label="from")
    note: str | None = has.line("note")
    draft: bool = has.flag("draft", default=False)
    submitted: bool = has.flag("submitted", default=False)
    approved: bool = has.flag("approved", default=False)
    rejected: bool = has.flag("rejected", default=False)
    invoiced: bool = has.flag("invoiced", default=False)

    @property
    def minutes(self) -> int:
        """Whole minutes."""
        return self.hours

    @property
    def needs_approval(self) -> bool:
        """Whether somebody has to approve it; Productive approves all other time at once."""
        return self.budget is not None and self.budget.approval

    @property
    def locked(self) -> str | None:
        """Why the entry may not be changed, as far as it shows; None if it may be."""
        if self.invoiced:
            return "it is invoiced"
        if self.approved and self.needs_approval:
            return "it is approved"
        return "its day is submitted" if self.submitted else None


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


class Timesheet(Record, type="timesheets", found_by={"person": "person_id", "date": "date"}):
    """A submitted day of a person."""

    created: datetime | None = has.moment("created_at", default=None, shown=False)
    date: date | None = has.day("date", label="")
    person: PersonRef | None = has.one(lambda: PersonRef, "person")


class TrackingPolicy(Record, type="time_tracking_policies"):
    """The company's rules for time entries; limits are minutes of a day."""

    name: str = has.name("name")
    note_mandatory: bool = has.flag("note_mandatory")
    task_mandatory: bool = has.flag("task_mandatory")
    range_mandatory: bool = has.flag("time_range_mandatory")
    no_future: bool = has.flag("restrict_future_tracking")
    no_overlap: bool = has.flag("restrict_time_entry_overlap")
    within_budget: bool = has.flag("restrict_tracking_over_budget")
    working_day: int | None = has.minutes("working_day_limit")
    day_off: int | None = has.minutes("non_working_day_limit")
    holiday: int | None = has.minutes("holiday_limit")
    absence: int | None = has.minutes("full_day_absence_limit")
    half_absence: int | None = has.minutes("half_day_absence_limit")


class CommentedTask(Record, type="activities"):
    """A comment, as far as it says what somebody worked on."""

    at: datetime | None = has.moment("created_at")
    parent_id: str | None = has.ident("parent_id", default=None)
    parent_type: str | None = has.ident("parent_type", default=None)
    creator: PersonRef | None = has.one(lambda: PersonRef, "creator")


class TouchedTask(TaskRef):
    """A task that somebody closed or commented on."""

    closed_at: datetime | None = has.moment("closed_at", shown=False)
    project: ProjectRef | None = has.one(lambda: ProjectRef, "project")
    service: ServiceRef | None = has.one(lambda: ServiceRef, "service", shown=False)
