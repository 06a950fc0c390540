"""get_activity: what happened in the user's projects, a project, a task, or by a person."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.activities import Activity
from productive_gateway.productive.records.people import ACTIVE
from productive_gateway.productive.records.projects import ProjectRef
from productive_gateway.tools.call import Call
from productive_gateway.tools.core.feed import MOST_NAME_READS, Event, events_of
from productive_gateway.tools.kit.answers import Answer, reference_text
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.parameters import Cursor, Limit, Reference, text_in, word_in
from productive_gateway.tools.kit.read import invalid, read_period
from productive_gateway.tools.names.resolver import PEOPLE, PROJECTS, TASKS
from productive_gateway.tools.words.days import named

Scope = Annotated[Literal["mine", "project", "task", "person"], BeforeValidator(word_in)]
About = Annotated[Reference, Field(description="the project, task or person of the scope")]
Since = Annotated[
    str,
    BeforeValidator(text_in),
    Field(max_length=60, description='a day, "monday", "last 7 days"'),
]
What = Annotated[Literal["all", "comments", "changes"], BeforeValidator(word_in)]
TYPES: Final = {"all": None, "comments": "1", "changes": "2"}
MOST_PROJECTS: Final = 100
"""Projects that one request may name; the address of a request is limited."""


class Events(Answer):
    """The answer of get_activity."""

    events: tuple[Event, ...] = has.many(lambda: Event, default=(), label="")


@tool(
    title="Get activity",
    kind=Kind.READS,
    cost=Cost(reads=2 + MOST_NAME_READS),
    example=Example("What changed in my projects since Friday?", {"since": "friday"}),
)
async def get_activity(
    call: Call,
    *,
    scope: Scope = "mine",
    ref: About = None,
    since: Since = "yesterday",
    kinds: What = "all",
    limit: Limit = 15,
    cursor: Cursor = None,
) -> Events:
    """Who created, changed, deleted or commented what, newest first.

    Scope "mine" is all projects that the user works in; "person" is what that person did.
    """
    first = read_period(since, "since", call.today, direction="past").first
    begins = datetime.combine(first, time(), call.now.tzinfo)
    narrowed, about = await _scope(call, scope, ref)
    day = named(first, call.today)
    day = day if str(first) in day else f"{day} ({first})"
    if narrowed is None:
        return Events(headline="You do not work in any active project.")
    # Productive may compare days in another zone, so the day before is read as well.
    filters = {**narrowed, "after": first - timedelta(days=1), "type": TYPES[kinds]}
    page = await call.page(Activity, filters, limit=limit, cursor=cursor)
    rows = [row for row in page.rows if row.at is None or row.at >= begins]
    within = narrowed["project_id"] if scope == "project" else None
    events = await events_of(call.records, rows, within=within)
    # Newest first: what follows something too old is older still.
    more = page.next_cursor if len(rows) == len(page.rows) else None
    count = (
        f"{len(events)} event{'' if len(events) == 1 else 's'}" if events else "Nothing happened"
    )
    return Events(headline=f"{count} {about} since {day}.", events=events, next_cursor=more)


async def _scope(call: Call, scope: str, ref: str | None) -> tuple[dict[str, str] | None, str]:
    """Return the filter of a scope and its name; no filter if the scope is empty."""
    if scope == "mine":
        if ref is not None:
            raise invalid(
                "scope", "With ref, the scope must be project, task or person.", "Set scope too."
            )
        return await _mine(call), "in your projects"
    if ref is None and scope != "person":
        raise invalid("ref", f"Which {scope} is meant?", f"Set ref to the {scope}.")
    match scope:
        case "project":
            project = await call.names.one(PROJECTS, ref or "", "ref")
            return {"project_id": project.id}, f"in {reference_text(project)}"
        case "task":
            task = await call.names.one(TASKS, ref or "", "ref")
            return {"task_id": task.id}, f"on {reference_text(task)}"
        case _:
            person = await call.names.one(PEOPLE, ref or "me", "ref")
            return {"creator_id": person.id}, f"by {reference_text(person)}"


async def _mine(call: Call) -> dict[str, str] | None:
    filters = {**ACTIVE, "person_id": call.me.person_id}
    found = await call.records.page(ProjectRef, filters, size=MOST_PROJECTS)
    if not found.complete:
        call.warn(f"Only {MOST_PROJECTS} of your {found.total} projects are looked at.")
    return {"project_id": ",".join(row.id for row in found.rows)} if found.rows else None
