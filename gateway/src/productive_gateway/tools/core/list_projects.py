"""list_projects: the projects of the organization, a company or a person."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeVar

from pydantic import BeforeValidator

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.projects import Project
from productive_gateway.productive.records.record import Record
from productive_gateway.productive.records.store import Filters
from productive_gateway.tools.call import Call, Page
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.parameters import (
    Cursor,
    Limit,
    Person,
    Query,
    Reference,
    word_in,
)
from productive_gateway.tools.names.resolver import COMPANIES, PEOPLE, Named

R = TypeVar("R", bound=Record)
State = Annotated[Literal["active", "archived", "all"], BeforeValidator(word_in)]
Type = Annotated[Literal["client", "internal"] | None, BeforeValidator(word_in)]
STATES: Final = {"active": "1", "archived": "2", "all": None}
TYPES: Final = {"internal": "1", "client": "2"}


class Projects(Answer):
    """The answer of list_projects."""

    projects: tuple[Project, ...] = has.many(lambda: Project, default=(), label="")
    total: int | None = has.count(default=None)


@tool(
    title="List projects",
    kind=Kind.READS,
    cost=Cost(reads=4),
    example=Example("Which projects do we have for Blue Harbor?", {"company": "Blue Harbor"}),
)
async def list_projects(
    call: Call,
    *,
    query: Query = None,
    company: Reference = None,
    manager: Person = None,
    member: Person = None,
    state: State = "active",
    type: Type = None,  # noqa: A002  # the argument's name for models
    limit: Limit = 25,
    cursor: Cursor = None,
) -> Projects:
    """Projects with number, company, manager and last activity.

    Use member="me" for the projects that the user works in.
    """
    filters = {
        "query": query,
        "project_type": TYPES[type] if type else None,
        "company_id": await _id(call, COMPANIES, company, "company"),
        "responsible_id": await _id(call, PEOPLE, manager, "manager"),
        "person_id": await _id(call, PEOPLE, member, "member"),
    }
    page = await _page(call, filters, state, limit, cursor)
    kept = state
    if not page.rows and state == "active":
        # "There is none" would be false if only archived ones fit.
        archived = await _page(call, filters, "archived", limit, cursor)
        page, kept = (archived, "archived") if archived.rows else (page, kept)
    found = page.counted("project" if kept == "all" else f"{kept} project")
    headline = found if kept == state else f"No active project fits. {found}"
    return Projects(
        headline=headline, projects=page.rows, total=page.total, next_cursor=page.next_cursor
    )


async def _id(call: Call, named: Named[R], text: str | None, field: str) -> str | None:
    return None if text is None else (await call.names.one(named, text, field)).id


async def _page(
    call: Call, filters: Filters, state: str, limit: int, cursor: str | None
) -> Page[Project]:
    return await call.page(
        Project, {**filters, "status": STATES[state]}, limit=limit, cursor=cursor
    )
