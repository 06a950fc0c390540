"""Projects, tasks, services and time entries, as time tracking reads and writes them.

Only filters that are known to have an effect are relied on, and what comes back is checked once
more where that is cheap: Productive accepts some documented filters and ignores them.
"""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from productive_gateway.productive.client import ProductiveSession, Query
from productive_gateway.productive.document import Document, DocumentError, Resource
from productive_gateway.productive.errors import StateUnknown, Unreachable

_NAMES_LIFETIME: Final = 10 * 60
_SERVICES_LIFETIME: Final = 5 * 60
_SERVICE_FIELDS: Final = (
    ("include", "deal.project"),
    ("fields[services]", "name,deal,budgeted_time,worked_time"),
    ("fields[deals]", "name,project"),
    ("fields[projects]", "name"),
)
_ENTRY_FIELDS: Final = (
    ("include", "person,task,service.deal.project"),
    (
        "fields[time_entries]",
        ("date,time,billable_time,note,draft,submitted,approved,rejected,person,task,service"),
    ),
    ("fields[people]", "first_name,last_name"),
    ("fields[tasks]", "title,task_number"),
    ("fields[services]", "name,deal"),
    ("fields[deals]", "name,project"),
    ("fields[projects]", "name"),
)
_TAG: Final = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class Named:
    """A name with its id."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Service:
    """A line of a budget on which time is tracked."""

    id: str
    name: str
    budget: Named | None
    project: Named | None
    left: int | None = None
    """Minutes of the budgeted time that are left; None if no time is budgeted."""


@dataclass(frozen=True, slots=True)
class Task:
    """The parts of a task that time tracking needs."""

    id: str
    number: str | None
    title: str
    closed: bool
    project: Named | None
    service_id: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A time entry."""

    id: str
    day: date | None
    minutes: int
    billable_minutes: int | None
    note: str
    """Plain text."""
    state: str
    person_id: str | None
    service: Service | None
    task: Named | None


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A time entry to be written."""

    person_id: str
    service_id: str
    task_id: str | None
    day: date
    minutes: int
    billable_minutes: int | None
    note: str | None
    """Plain text."""
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Timer:
    """A running timer."""

    started_at: str
    entry: Entry | None


async def active_projects(session: ProductiveSession) -> tuple[tuple[Named, ...], bool]:
    """Return the projects that are not archived and that the person may see.

    The second value says whether these are all: a very large organization has more than are read.
    """

    async def read() -> tuple[tuple[Named, ...], bool]:
        return await _projects(session, ())

    return await session.remember(("projects",), _NAMES_LIFETIME, read)


async def projects_like(
    session: ProductiveSession, *, project_id: str | None, text: str
) -> tuple[Named, ...]:
    """Return the active projects with this id, or whose name may fit the text."""
    scope = ("filter[id]", project_id) if project_id else ("filter[query]", text)
    found, _ = await _projects(session, (scope,))
    return found


async def trackable_services(
    session: ProductiveSession, person_id: str, *, project_id: str
) -> tuple[Service, ...]:
    """Return the services of open budgets of a project on which the person may track time."""

    async def read() -> tuple[Service, ...]:
        found = await _services(session, person_id, ("filter[project_id]", project_id))
        return tuple(one for one in found if one.project is None or one.project.id == project_id)

    return await session.remember(_services_key(project_id), _SERVICES_LIFETIME, read)


def forget_services(session: ProductiveSession, project_id: str) -> None:
    """Drop the remembered services of a project, because time was tracked on one."""
    session.forget(_services_key(project_id))


async def services_by_id(
    session: ProductiveSession, person_id: str, service_id: str
) -> tuple[Service, ...]:
    """Return the service with this id, if the person may track time on it."""
    return await _services(session, person_id, ("filter[id]", service_id))


async def services_by_name(
    session: ProductiveSession, person_id: str, text: str
) -> tuple[Service, ...]:
    """Return services of all projects whose name may fit."""
    return await _services(session, person_id, ("filter[query]", text))


async def tasks(
    session: ProductiveSession,
    *,
    task_id: str | None = None,
    number: str | None = None,
    text: str | None = None,
    project_id: str | None = None,
) -> tuple[Task, ...]:
    """Return the tasks with this id or number, or whose title may fit the text."""
    wanted = {"id": task_id, "task_number": number, "query": text, "project_id": project_id}
    query = [(f"filter[{key}]", value) for key, value in wanted.items() if value is not None]
    query += [
        ("include", "project,service"),
        ("fields[tasks]", "title,number,task_number,closed,project,service"),
        ("fields[projects]", "name"),
        ("fields[services]", "name"),
    ]
    document, _ = await session.pages("/tasks", query, most=3)
    found = (_task(document, record) for record in document.records)
    return tuple(
        task
        for task in found
        if project_id is None or task.project is None or task.project.id == project_id
    )


async def entries_on(
    session: ProductiveSession, person_id: str, days: Iterable[date]
) -> Mapping[date, tuple[Entry, ...]]:
    """Return a person's time entries of some days."""
    wanted = sorted(set(days))
    found = await asyncio.gather(
        *(_entries(session, person_id, first=day, last=day) for day in wanted)
    )
    return dict(zip(wanted, found, strict=True))


async def services_used(
    session: ProductiveSession, person_id: str, *, project_id: str, first: date, last: date
) -> frozenset[str]:
    """Return the ids of the services that a person tracked time on, in a project and a period."""
    scope = ("filter[project_id]", project_id)
    entries = await _entries(session, person_id, scope, first=first, last=last)
    return frozenset(entry.service.id for entry in entries if entry.service is not None)


async def running_timer(session: ProductiveSession, person_id: str) -> Timer | None:
    """Return the person's running timer."""
    query = (
        ("filter[person_id]", person_id),
        ("filter[stopped_at][eq]", ""),
        ("include", "time_entry.task,time_entry.service.deal.project"),
        ("page[size]", "1"),
    )
    document = await session.get("/timers", query)
    for record in document.records:
        started = record.text("started_at")
        running = record.attributes.get("stopped_at") is None
        if started and running and record.whole("person_id") in {None, int(person_id)}:
            entry = document.related(record, "time_entry")
            return Timer(started, _entry(document, entry) if entry else None)
    return None


async def create_entry(session: ProductiveSession, new: NewEntry) -> Entry:
    """Write a time entry and return the entry of the answer.

    The answer to a write names neither service nor task: read it with `entry_by_id` to be sure.

    Raises:
        StateUnknown: it may or may not have been written.
    """
    attributes: dict[str, Any] = {"date": new.day.isoformat(), "time": new.minutes}
    if new.billable_minutes is not None:
        attributes["billable_time"] = new.billable_minutes
    if new.started_at is not None:
        attributes["started_at"] = new.started_at.isoformat(timespec="milliseconds")
    if new.note:
        # Notes are HTML: plain text is escaped, so that "<" stays visible.
        attributes["note"] = html.escape(new.note, quote=False)
    # Time entries are written with relationships: only this form is known to work.
    links = {"person": ("people", new.person_id), "service": ("services", new.service_id)}
    if new.task_id is not None:
        links["task"] = ("tasks", new.task_id)
    body = {
        "data": {
            "type": "time_entries",
            "attributes": attributes,
            "relationships": {
                name: {"data": {"type": kind, "id": number}}
                for name, (kind, number) in links.items()
            },
        }
    }
    document = await session.create("/time_entries", body)
    try:
        return _entry(document, document.only())
    except DocumentError as error:
        raise StateUnknown("the answer does not name the entry") from error


async def entry_by_id(session: ProductiveSession, entry_id: str) -> Entry:
    """Return one time entry with everything that it refers to.

    Raises:
        ProductiveError: it cannot be read.
    """
    document = await session.get(f"/time_entries/{entry_id}", _ENTRY_FIELDS)
    try:
        return _entry(document, document.only())
    except DocumentError as error:
        raise Unreachable("the answer does not hold the entry") from error


def plain_text(note: str | None) -> str:
    """Return a note without its HTML."""
    return html.unescape(_TAG.sub(" ", note or "")).strip()


async def _projects(session: ProductiveSession, scope: Query) -> tuple[tuple[Named, ...], bool]:
    query = (*scope, ("filter[status]", "1"), ("fields[projects]", "name,archived_at"))
    document, complete = await session.pages("/projects", query)
    found = tuple(
        Named(record.id, record.text("name") or record.id)
        for record in document.records
        if record.attributes.get("archived_at") is None
    )
    return found, complete


def _services_key(project_id: str) -> tuple[str, str]:
    return ("services", project_id)


async def _services(
    session: ProductiveSession, person_id: str, scope: tuple[str, str]
) -> tuple[Service, ...]:
    query = (
        scope,
        ("filter[trackable_by_person_id]", person_id),
        ("filter[time_tracking_enabled]", "true"),
        ("filter[budget_status]", "1"),
        *_SERVICE_FIELDS,
    )
    document, _ = await session.pages("/services", query)
    return tuple(_service(document, record) for record in document.records)


async def _entries(
    session: ProductiveSession,
    person_id: str,
    *scope: tuple[str, str],
    first: date,
    last: date,
) -> tuple[Entry, ...]:
    query = (
        ("filter[person_id]", person_id),
        ("filter[after]", first.isoformat()),
        ("filter[before]", last.isoformat()),
        *scope,
        *_ENTRY_FIELDS,
    )
    document, _ = await session.pages("/time_entries", query)
    entries = (_entry(document, record) for record in document.records)
    return tuple(
        entry
        for entry in entries
        if entry.person_id in {None, person_id}
        and (entry.day is None or first <= entry.day <= last)
    )


def _named(record: Resource | None, attribute: str = "name") -> Named | None:
    return Named(record.id, record.text(attribute) or record.id) if record else None


def _service(document: Document, record: Resource) -> Service:
    budgeted, worked = record.whole("budgeted_time"), record.whole("worked_time")
    return Service(
        id=record.id,
        name=record.text("name") or record.id,
        budget=_named(document.related(record, "deal")),
        project=_named(document.related(record, "deal", "project")),
        left=budgeted - (worked or 0) if budgeted else None,
    )


def _task(document: Document, record: Resource) -> Task:
    service = record.one("service")
    number = record.text("task_number") or record.text("number")
    return Task(
        id=record.id,
        number=number,
        title=record.text("title") or record.id,
        closed=record.flag("closed"),
        project=_named(document.related(record, "project")),
        service_id=service.id if service else None,
    )


def _entry(document: Document, record: Resource) -> Entry:
    person = record.one("person")
    service = document.related(record, "service")
    day = record.text("date")
    return Entry(
        id=record.id,
        day=_day(day) if day else None,
        minutes=record.whole("time") or 0,
        billable_minutes=record.whole("billable_time"),
        note=plain_text(record.text("note")),
        state=_state(record),
        person_id=person.id if person else None,
        service=_service(document, service) if service else None,
        task=_named(document.related(record, "task"), "title"),
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def _state(record: Resource) -> str:
    for name in ("draft", "rejected", "approved", "submitted"):
        if record.flag(name):
            return name
    return "open"
