"""get_me: whom the assistant acts as, and the time tracked today."""

from __future__ import annotations

import asyncio
from datetime import datetime

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.time import TimeEntry
from productive_gateway.productive.working_hours import week_hours
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.tracking.entries import (
    DayTotal,
    day_total,
    entries_between,
    running_timer,
    total_text,
)
from productive_gateway.tools.words import untrusted
from productive_gateway.tools.words.days import WEEKDAYS


class Named(has.Declared):
    """A person or an organization."""

    id: str = has.ident(label="")
    name: str = has.name()
    email: str | None = has.line(default=None, label="")


class RunningTimer(has.Declared):
    """A running timer; its hours are not in the day's sum yet."""

    since: datetime | None = has.moment()
    minutes: int = has.minutes(default=0, label="")
    entry: TimeEntry | None = has.one(lambda: TimeEntry)


class Access(has.Declared):
    """What the person may use here."""

    toolsets: tuple[str, ...] = has.names()
    read_only: bool = has.flag()


class Me(Answer):
    """The answer of get_me."""

    person: Named | None = has.one(lambda: Named)
    organization: Named | None = has.one(lambda: Named)
    time_zone: str = has.ident()
    week_hours: int | None = has.minutes(label="working hours a week")
    today: DayTotal | None = has.one(lambda: DayTotal)
    running_timer: RunningTimer | None = has.one(lambda: RunningTimer)
    access: Access | None = has.one(lambda: Access)
    requests_left: int | None = has.count(label="requests left in 10 seconds:")


@tool(
    title="Who am I",
    kind=Kind.READS,
    cost=Cost(reads=2),
    example=Example("Who am I in Productive, and what have I tracked today?", {}),
)
async def get_me(call: Call) -> Me:
    """Whom you act as in Productive, what is tracked today, and what you may use here.

    Also the organization, the time zone of all dates and a running timer. Other tools already know
    who "me" is: call this when the user asks, not before every call.
    """
    me, today = call.me, call.today
    entries, timer = await asyncio.gather(
        entries_between(call.records, me.person_id, today, today),
        running_timer(call.records, me.person_id),
    )
    tracked = sum(entry.minutes for entry in entries.rows)
    total = day_total(today, tracked, me.availabilities)
    week = week_hours(today, me.availabilities)
    running = None
    if timer is not None and timer.started is not None:
        minutes = max(0, int((call.now - timer.started).total_seconds()) // 60)
        running = RunningTimer(since=timer.started, minutes=minutes, entry=timer.entry)
    return Me(
        headline=f"You are {untrusted.name(me.name)} ({me.person_id}) at "
        f"{untrusted.name(me.organization_name)}; tracked today "
        f"({WEEKDAYS[today.weekday()].title()} {today}): {total_text(total)}.",
        person=Named(id=me.person_id, name=me.name, email=me.email),
        organization=Named(id=me.organization_id, name=me.organization_name),
        time_zone=me.time_zone.key,
        week_hours=None if week is None else int(week * 60),
        today=total,
        running_timer=running,
        access=Access(toolsets=call.allowed.toolsets, read_only=call.allowed.read_only),
        requests_left=call.requests_left(),
    )
