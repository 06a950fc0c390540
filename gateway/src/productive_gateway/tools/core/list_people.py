"""list_people: colleagues, contacts and placeholders."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.people import Person
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.parameters import (
    Cursor,
    Limit,
    Project,
    Query,
    Reference,
    word_in,
)
from productive_gateway.tools.names.resolver import PROJECTS, TEAMS

PersonKind = Annotated[
    Literal["employee", "contact", "placeholder", "agent"], BeforeValidator(word_in)
]
KINDS: Final = {"employee": "1", "contact": "2", "placeholder": "3", "agent": "4"}


class People(Answer):
    """The answer of list_people."""

    people: tuple[Person, ...] = has.many(lambda: Person, label="")
    total: int | None = has.count()


@tool(
    title="List people",
    kind=Kind.READS,
    cost=Cost(reads=2),
    example=Example("Who is in the design team?", {"team": "Design"}),
)
async def list_people(
    call: Call,
    *,
    query: Query = None,
    team: Reference = None,
    project: Project = None,
    kind: PersonKind = "employee",
    active: bool = True,
    limit: Limit = 25,
    cursor: Cursor = None,
) -> People:
    """Colleagues with their teams and managers; or contacts, placeholders and agents.

    The user's own rights in Productive may hide some.
    """
    filters: dict[str, str | None] = {"person_type": KINDS[kind], "query": query}
    filters["status"] = "1" if active else None
    if team is not None:
        filters["team_id"] = (await call.names.one(TEAMS, team, "team")).id
    if project is not None:
        filters["project_id"] = (await call.names.one(PROJECTS, project, "project")).id
    page = await call.page(Person, filters, limit=limit, cursor=cursor)
    return People(
        headline=page.counted(kind),
        people=page.rows,
        total=page.total,
        next_cursor=page.next_cursor,
    )
