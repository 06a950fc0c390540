"""list_people: colleagues, contacts and placeholders."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.people import (
    Colleague,
    OtherPerson,
    PersonRef,
    TeamMembership,
)
from productive_gateway.productive.records.projects import Membership
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
"""Productive's person types."""
MOST_MEMBERS: Final = 300
"""People that one request may name; the address of a request is limited."""


class People(Answer):
    """The answer of list_people."""

    people: tuple[PersonRef, ...] = has.many(lambda: PersonRef, default=(), label="")
    total: int | None = has.count(default=None)


@tool(
    title="List people",
    kind=Kind.READS,
    cost=Cost(reads=6),
    example=Example("Who is in the design team?", {"team": "Design"}),
)
async def list_people(
    call: Call,
    *,
    query: Query = None,
    team: Reference = None,
    project: Project = None,
    kind: PersonKind = "employee",
    active: Annotated[bool, Field(description="false: those who left")] = True,
    limit: Limit = 25,
    cursor: Cursor = None,
) -> People:
    """Colleagues with job titles, managers and teams; or contacts, placeholders and agents.

    Narrow them by part of a name, by team or by project.
    """
    filters: dict[str, str | list[str] | None] = {
        "person_type": KINDS[kind],
        "query": query,
        "status": "1" if active else "2",
    }
    if project is not None or team is not None:
        filters["id"] = await _members(call, project, team)
        if not filters["id"]:
            return People(headline="You see nobody there.", total=0)
    cls = Colleague if kind == "employee" else OtherPerson
    page = await call.page(cls, filters, limit=limit, cursor=cursor)
    alone = all(row.id == call.me.person_id for row in page.rows)
    if alone and kind == "employee" and active and not (query or team or project):
        call.warn(
            "You see no colleagues: your rights in Productive hide them. An administrator of "
            "Productive can change that."
        )
    return People(
        headline=page.counted(kind if active else f"former {kind}"),
        people=page.rows,
        total=page.total,
        next_cursor=page.next_cursor,
    )


async def _members(call: Call, project: str | None, team: str | None) -> list[str]:
    """Return the ids of the people in a project, a team, or both."""
    found: list[dict[str, None]] = []
    if project is not None:
        found.append(
            await _in_project(call, (await call.names.one(PROJECTS, project, "project")).id)
        )
    if team is not None:
        found.append(await _in_teams(call, (await call.names.one(TEAMS, team, "team")).id))
    ids = [one for one in found[0] if all(one in others for others in found)]
    if len(ids) > MOST_MEMBERS:
        call.warn(f"Only {MOST_MEMBERS} of these {len(ids)} people are looked at.")
    return ids[:MOST_MEMBERS]


async def _in_project(call: Call, number: str) -> dict[str, None]:
    listed = await call.records.all(Membership, {"project_id": number})
    people = dict.fromkeys(row.person.id for row in listed.rows if row.person is not None)
    teams = dict.fromkeys(row.team.id for row in listed.rows if row.team is not None)
    if teams:
        people |= await _in_teams(call, *teams)
    if any(row.kind == "group" for row in listed.rows):
        call.warn("A whole group of people may work there too; Productive does not list them.")
    _say_hidden(call, sum(row.kind == "person" and row.person is None for row in listed.rows))
    return people


async def _in_teams(call: Call, *numbers: str) -> dict[str, None]:
    listed = await call.records.all(TeamMembership, {"team_id": ",".join(numbers)})
    _say_hidden(call, sum(row.person is None for row in listed.rows))
    return dict.fromkeys(row.person.id for row in listed.rows if row.person is not None)


def _say_hidden(call: Call, hidden: int) -> None:
    if hidden:
        call.warn(f"Your rights in Productive hide {hidden} of these people.")
