"""get_me: whom the assistant acts as, and the time tracked today."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from productive_gateway.productive.identity import Identity
from productive_gateway.productive.work import Timer, entries_on, running_timer
from productive_gateway.productive.working_hours import week_hours
from productive_gateway.tools.shaping import (
    DayTotal,
    NamedRow,
    Shape,
    day_total,
    entry_row,
    hours,
    total_text,
)
from productive_gateway.tools.tool import Call, Done, Kind, Tool
from productive_gateway.tools.words.days import today_in


class MeArguments(BaseModel):
    """No arguments."""

    model_config = ConfigDict(extra="forbid")


class Me(Shape):
    """The person."""

    id: str
    name: str
    email: str | None = None


class RunningTimer(Shape):
    """A running timer; its hours are not in the day's sum yet."""

    since: str
    hours: float
    project: NamedRow | None = None
    service: NamedRow | None = None
    task: NamedRow | None = None
    note: str | None = None


class Access(Shape):
    """What the person may use here."""

    toolsets: list[str]
    read_only: bool


class Limits(Shape):
    """What is left of Productive's request limit for the person's token."""

    requests_left_in_10_s: int


class MeAnswer(Shape):
    """The structured answer of get_me."""

    person: Me
    organization: NamedRow
    time_zone: str
    week_hours: float | None = None
    today: DayTotal
    running_timer: RunningTimer | None = None
    access: Access
    limits: Limits
    warnings: list[str] | None = None


async def get_me(call: Call, _: MeArguments) -> Done:
    """Return who the person is, and the time tracked today."""
    me = await call.session.identity()
    today = today_in(me.time_zone, call.now())
    entries, timer = await asyncio.gather(
        entries_on(call.session, me.person_id, [today]),
        running_timer(call.session, me.person_id),
    )
    week = week_hours(today, me.availabilities)
    answer = MeAnswer(
        person=Me(id=me.person_id, name=me.name, email=me.email),
        organization=NamedRow(id=me.organization_id, name=me.organization_name),
        time_zone=me.time_zone.key,
        week_hours=None if week is None else float(week),
        today=day_total(today, sum(entry.minutes for entry in entries[today]), me.availabilities),
        running_timer=_running(timer, call.now()),
        access=Access(toolsets=list(call.allowed.toolsets), read_only=call.allowed.read_only),
        limits=Limits(requests_left_in_10_s=call.session.requests_left()),
        warnings=_warnings(me),
    )
    return Done(answer, _text(answer))


GET_ME = Tool(
    name="get_me",
    title="Who am I",
    description=(
        "Whom you act as in Productive, the organization, the time zone of all dates, hours "
        "tracked today, a running timer, and what you may use here. Other tools already know who "
        '"me" is; call this when the user asks, not before every call.'
    ),
    kind=Kind.READS,
    toolset="core",
    arguments=MeArguments,
    answer=MeAnswer,
    run=get_me,
)


def _running(timer: Timer | None, now: float) -> RunningTimer | None:
    if timer is None:
        return None
    row = entry_row(timer.entry) if timer.entry else None
    return RunningTimer(
        since=timer.started_at,
        hours=hours(_minutes_since(timer.started_at, now)),
        project=row.project if row else None,
        service=row.service if row else None,
        task=row.task if row else None,
        note=row.note if row else None,
    )


def _minutes_since(moment: str, now: float) -> int:
    try:
        begun = datetime.fromisoformat(moment)
    except ValueError:
        return 0
    begun = begun if begun.tzinfo else begun.replace(tzinfo=UTC)
    return max(0, int(now - begun.timestamp()) // 60)


def _warnings(me: Identity) -> list[str] | None:
    if me.time_zone_known:
        return None
    return ["Productive has no time zone for you, so days are in UTC."]


def _text(answer: MeAnswer) -> str:
    who = f"You are {answer.person.name} ({answer.person.id}) at {answer.organization.name}"
    lines = [f"{who}; tracked today ({answer.today.date}): {total_text(answer.today)}."]
    if answer.running_timer:
        timer = answer.running_timer
        place = " / ".join(part.name for part in (timer.project, timer.service) if part)
        lines.append(
            f"- A timer has been running since {timer.since} ({timer.hours:.2f} h): {place or '?'}"
        )
    week = "" if answer.week_hours is None else f", {answer.week_hours:g} h a week"
    lines.append(f"- Time zone {answer.time_zone}{week}")
    rights = "read-only" if answer.access.read_only else "read and write"
    lines.append(f"- Access: {rights}; toolsets {', '.join(answer.access.toolsets)}")
    lines += [f"- {warning}" for warning in answer.warnings or ()]
    return "\n".join(lines)
