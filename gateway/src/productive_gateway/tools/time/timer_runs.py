"""What the tools for timers share: their answers, and stopping a run."""

from __future__ import annotations

from datetime import datetime

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.time import TimeEntry, Timer
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.errors import Problem, ToolError
from productive_gateway.tools.time.entry_writes import html_of
from productive_gateway.tools.tracking.entries import shown
from productive_gateway.tools.words import untrusted
from productive_gateway.tools.words.durations import hours_text


class RunningTimer(has.Declared):
    """A running timer and the entry that it adds to."""

    id: str = has.ident(default="", label="")
    since: datetime | None = has.moment(default=None)
    entry: TimeEntry | None = has.one(lambda: TimeEntry, default=None, label="")


async def stopped(call: Call, timer: Timer) -> TimeEntry:
    """Stop a timer and return its entry as it is then.

    Raises:
        StateUnknown: it may or may not have been stopped.
        ProductiveError: it was not stopped.
    """
    after = await call.writes.act(timer, "stop")
    entry = after.entry if after is not None else None
    if entry is None:
        if timer.entry is None:
            raise ToolError(_NO_ENTRY)
        entry = await call.records.get(TimeEntry, timer.entry.id)
    if entry.minutes == 0:
        call.warn("The timer ran for less than a minute, so its entry has no hours.")
    return entry


async def completed(
    call: Call, entry: TimeEntry, *, note: str | None, task: str | None = None
) -> TimeEntry:
    """Add a note and a task to the entry of a timer.

    Starting and stopping take neither. What this changes is not undone by itself: the run stays.
    """
    values: dict[str, str | None] = {}
    if note:
        values["note"] = html_of(note) if not entry.note else f"{entry.note}<br>{html_of(note)}"
    if task:
        values["task"] = task
    if not values:
        return entry
    after = await call.writes.update(entry, values)
    call.writes.inverses.clear()
    return after


def place(entry: TimeEntry | None) -> str:
    """Return where time goes, such as "Website relaunch / Design"."""
    around = (entry.project, entry.service, entry.task) if entry else ()
    names = [untrusted.name(one.name) for one in around if one is not None]
    return " / ".join(names) or "an entry without a service"


def lasted(entry: TimeEntry) -> str:
    """Return "1.50 h on Website relaunch / Design"."""
    return f"{hours_text(entry.minutes)} h on {place(entry)}"


def row(call: Call, entry: TimeEntry) -> TimeEntry:
    """Return an entry as answers show it."""
    return shown(entry, call.me.person_id)


_NO_ENTRY = Problem(
    "not_found",
    "The timer was stopped, but it has no time entry that can be seen.",
    "Look at today's entries with list_time.",
)
