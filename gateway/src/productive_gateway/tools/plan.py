"""Entries to be logged: parsed, resolved and checked before the first one is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, StrictStr
from pydantic.json_schema import WithJsonSchema

from productive_gateway.productive.identity import Identity
from productive_gateway.productive.work import Entry, NewEntry
from productive_gateway.tools.errors import Problem, ToolError
from productive_gateway.tools.targets import Target, Wanted
from productive_gateway.tools.words.days import DayError, day_of
from productive_gateway.tools.words.durations import (
    DAY,
    DurationError,
    hours_text,
    minutes_between,
    minutes_of,
)

_LONGEST_NOTE: Final = 10_000
_LONGEST_REFERENCE: Final = 300


def _number_or_text(value: Any) -> float | str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("Input should be a number or a string")  # noqa: TRY004  # for pydantic
    return value


Hours = Annotated[
    float | str,
    PlainValidator(_number_or_text),
    WithJsonSchema({"type": ["number", "string"]}),
]
Reference = Annotated[StrictStr, Field(min_length=1, max_length=_LONGEST_REFERENCE)]


class EntryArguments(BaseModel):
    """One entry as the model writes it."""

    model_config = ConfigDict(extra="forbid")

    hours: Annotated[Hours | None, Field(description='1.5, "1:30" or "90m"')] = None
    start: Annotated[str | None, Field(description='"09:00"; with end, instead of hours')] = None
    end: Annotated[str | None, Field(description='"10:30"')] = None
    project: Annotated[Reference | None, Field(description="name, id or link")] = None
    task: Annotated[Reference | None, Field(description='title, "#87", id or link')] = None
    service: Annotated[
        Reference | None, Field(description="name or id; needed only if asked for")
    ] = None
    date: Annotated[
        str, Field(description="today, yesterday, a weekday (the last one), 24.11., YYYY-MM-DD")
    ] = "today"
    note: Annotated[str | None, Field(max_length=_LONGEST_NOTE)] = None
    billable_hours: Annotated[Hours | None, Field(description="if fewer than the hours")] = None


@dataclass(frozen=True, slots=True)
class Draft:
    """One entry, parsed but not resolved."""

    field: str
    day: date
    minutes: int
    billable_minutes: int | None
    started_at: datetime | None
    note: str | None
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Planned:
    """One entry, ready to be written."""

    draft: Draft
    target: Target

    @property
    def key(self) -> tuple[date, str, str | None, int]:
        """The fields by which two entries are the same: day, service, task, minutes."""
        task = self.target.task
        return (
            self.draft.day,
            self.target.service.id,
            task.id if task else None,
            self.draft.minutes,
        )

    def new_entry(self, person_id: str) -> NewEntry:
        """Return the entry in the form that Productive takes."""
        draft, task = self.draft, self.target.task
        return NewEntry(
            person_id=person_id,
            service_id=self.target.service.id,
            task_id=task.id if task else None,
            day=draft.day,
            minutes=draft.minutes,
            billable_minutes=draft.billable_minutes,
            note=draft.note,
            started_at=draft.started_at,
        )


def draft_of(entry: EntryArguments, index: int, me: Identity, today: date) -> Draft:
    """Parse one entry.

    Raises:
        ToolError: a value is not of a form that is understood.
    """
    field = f"entries[{index}]"
    if entry.project is None and entry.task is None and entry.service is None:
        raise _invalid(
            field,
            "The entry does not say what the time is for.",
            "Set project, task or service; ask the user if you do not know it.",
        )
    day = _day(entry.date, field, today)
    minutes, start = _length(entry, field)
    if minutes == 0:
        raise _invalid(f"{field}.hours", "There are no hours to log.", "Set more than 0 hours.")
    return Draft(
        field=field,
        day=day,
        minutes=minutes,
        billable_minutes=_billable(entry, field),
        started_at=datetime.combine(day, start, me.time_zone) if start else None,
        note=(entry.note or "").strip() or None,
        wanted=Wanted(entry.project, entry.task, entry.service, field),
    )


def twin_of(planned: Planned, there: Sequence[Entry]) -> Entry | None:
    """Return the same entry among those that exist already."""
    for entry in there:
        service = entry.service.id if entry.service else None
        task = entry.task.id if entry.task else None
        if (entry.day, service, task, entry.minutes) == planned.key:
            return entry
    return None


def check_day(planned: Planned, minutes_there: Mapping[date, int]) -> None:
    """Refuse an entry that would give a day more than 24 hours.

    Raises:
        ToolError: the day would have more than 24 hours.
    """
    before = minutes_there[planned.draft.day]
    if before + planned.draft.minutes > DAY:
        raise _invalid(
            f"{planned.draft.field}.hours",
            f"{planned.draft.day.isoformat()} already has {hours_text(before)} h; this entry "
            "would bring it above 24 h.",
            "Check the hours and the day with the user.",
        )


def _length(entry: EntryArguments, field: str) -> tuple[int, time | None]:
    by_clock = entry.start is not None or entry.end is not None
    if (entry.hours is not None) == by_clock:
        raise _invalid(
            f"{field}.hours", "The duration is not clear.", "Set either hours, or start and end."
        )
    if entry.hours is not None:
        return _minutes(entry.hours, f"{field}.hours"), None
    if entry.start is None or entry.end is None:
        missing = "end" if entry.end is None else "start"
        raise _invalid(f"{field}.{missing}", f"The {missing} is missing.", "Set start and end.")
    try:
        minutes = minutes_between(entry.start, entry.end)
    except DurationError as error:
        raise _invalid(f"{field}.start", str(error), "Correct start and end.") from error
    hour, _, minute = entry.start.strip().partition(":")
    return minutes, time(int(hour), int(minute))


def _billable(entry: EntryArguments, field: str) -> int | None:
    if entry.billable_hours is None:
        return None
    return _minutes(entry.billable_hours, f"{field}.billable_hours")


def _minutes(hours: float | str, field: str) -> int:
    try:
        return minutes_of(hours)
    except DurationError as error:
        raise _invalid(field, str(error), "Correct the hours.") from error


def _day(words: str, field: str, today: date) -> date:
    try:
        return day_of(words, today, direction="past")
    except DayError as error:
        raise _invalid(f"{field}.date", str(error), "Correct the day.") from error


def _invalid(field: str, message: str, fix: str) -> ToolError:
    return ToolError(Problem("invalid_value", message, fix, field=field))
