"""get_project: one project, and a report of where it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Annotated, Any, Final, TypeVar

from pydantic import BeforeValidator, Field

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.activities import Activity
from productive_gateway.productive.records.budgets import BudgetFigures
from productive_gateway.productive.records.people import PersonRef, TeamRef
from productive_gateway.productive.records.projects import (
    FolderRef,
    KnownProject,
    Membership,
    Project,
    TaskListRef,
    WorkflowStatus,
)
from productive_gateway.productive.records.store import Filters, Rows, if_possible
from productive_gateway.productive.records.tasks import OpenTask
from productive_gateway.productive.records.time import TrackedTime
from productive_gateway.tools.call import Call
from productive_gateway.tools.core.feed import MOST_NAME_READS, Event, events_of
from productive_gateway.tools.core.project_report import (
    BudgetBurn,
    TaskCounts,
    WeekHours,
    burn_of,
    hours_of,
    task_counts,
)
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.parameters import LONGEST_REFERENCE, reference_in
from productive_gateway.tools.kit.read import read_period
from productive_gateway.tools.names.resolver import PROJECTS
from productive_gateway.tools.words import untrusted

T = TypeVar("T")
MOST_PEOPLE: Final = 40
MOST_LISTS: Final = 50
MOST_BUDGETS: Final = 10
MOST_EVENTS: Final = 8
_PAGES: Final = 3
"""Pages of 200 tasks or time entries that the sums are made of at most."""

Wanted = Annotated[
    str,
    BeforeValidator(reference_in),
    Field(max_length=LONGEST_REFERENCE, description="name, number, id or link"),
]


class PlacedList(TaskListRef):
    """A task list with the folder that it is in."""

    folder: FolderRef | None = has.one(lambda: FolderRef, "folder")


class NamedStatus(has.Declared):
    """A status that tasks of the project may have."""

    name: str = has.name()
    category: str | None = has.word(label="")


class ProjectDetails(Answer):
    """The answer of get_project."""

    project: Project | None = has.one(lambda: Project, default=None, label="")
    url: str | None = has.ident(default=None, label="")
    task_lists: tuple[PlacedList, ...] = has.many(lambda: PlacedList, default=())
    statuses: tuple[NamedStatus, ...] = has.many(lambda: NamedStatus, default=())
    tasks: TaskCounts | None = has.one(lambda: TaskCounts, default=None)
    hours: tuple[WeekHours, ...] = has.many(
        lambda: WeekHours, default=(), label="hours that you may see"
    )
    budgets: tuple[BudgetBurn, ...] = has.many(lambda: BudgetBurn, default=(), label="open budgets")
    people: tuple[PersonRef, ...] = has.many(lambda: PersonRef, default=())
    teams: tuple[TeamRef, ...] = has.many(lambda: TeamRef, default=())
    changes: tuple[Event, ...] = has.many(
        lambda: Event, default=(), label="last 7 days, newest first"
    )


@tool(
    title="Get project",
    kind=Kind.READS,
    # A list of more than 200 records takes up to two more.
    cost=Cost(reads=7 + MOST_NAME_READS),
    example=Example(
        "How is the website relaunch going?", {"project": "Website relaunch", "report": True}
    ),
)
async def get_project(call: Call, *, project: Wanted, report: bool = False) -> ProjectDetails:
    """A project with company, manager, task lists and statuses; with report=true where it stands.

    The report has open and overdue tasks by status, next milestones, hours of this and last week,
    open budgets with what is used, people, and the changes of the last 7 days.
    """
    found = await call.names.one(PROJECTS, project, "project")
    if report:
        return await _report(call, found.id)
    in_use = {"project_id": found.id, "status": "1"}
    row, lists, statuses = await asyncio.gather(
        call.records.get(Project, found.id),
        _part(call, "task lists", call.records.page(PlacedList, in_use, size=MOST_LISTS)),
        _statuses(call, found),
    )
    _say_incomplete(call, lists, "These task lists are")
    return ProjectDetails(
        headline=_headline(row),
        project=row,
        url=call.link(row),
        task_lists=lists.rows if lists else (),
        statuses=statuses,
    )


async def _statuses(call: Call, project: KnownProject) -> tuple[NamedStatus, ...]:
    if project.workflow is None:
        return ()
    of_workflow = {"workflow_id": project.workflow.id}
    found = await call.records.all(WorkflowStatus, of_workflow, most=1)
    ordered = sorted(found.rows, key=lambda one: one.position or 0)
    return tuple(NamedStatus(name=one.name, category=one.category) for one in ordered)


async def _report(call: Call, number: str) -> ProjectDetails:
    """Read everything at once; what the person may not see is said and left out."""
    this, last = (
        read_period(words, "period", call.today, direction="past")
        for words in ("this week", "last week")
    )
    of_project = {"project_id": number}
    weeks: Filters = {**of_project, "after": last.first, "before": this.last}
    since: Filters = {**of_project, "after": call.today - timedelta(days=7)}
    records = call.records
    open_budgets = {**of_project, "type": "2", "status": "1"}
    row, tasks, time, budgets, members, activities = await asyncio.gather(
        records.get(Project, number),
        _part(call, "tasks", records.all(OpenTask, {**of_project, "status": "1"}, most=_PAGES)),
        _part(call, "hours", records.all(TrackedTime, weeks, most=_PAGES)),
        _part(call, "budgets", records.page(BudgetFigures, open_budgets, size=MOST_BUDGETS)),
        _part(call, "people", records.all(Membership, of_project, most=1)),
        _part(call, "changes", records.page(Activity, since, size=MOST_EVENTS)),
    )
    counts = task_counts(tasks.rows, tasks.total, call.today) if tasks else None
    burn = tuple(burn_of(one) for one in budgets.rows) if budgets else ()
    if burn and all(one.total is None for one in burn):
        call.warn("Your rights in Productive hide the amounts of these budgets.")
    _say_incomplete(call, tasks, "Overdue tasks and statuses are counted in")
    _say_incomplete(call, time, "The hours are the sums of")
    _say_incomplete(call, budgets, "These are")
    people = _people(members)
    if len(people) > MOST_PEOPLE:
        call.warn(f"{len(people) - MOST_PEOPLE} more people: list_people with this project.")
    return ProjectDetails(
        headline=_headline(row, counts, burn),
        project=row,
        url=call.link(row),
        tasks=counts,
        hours=hours_of(time.rows, (this, last)) if time else (),
        budgets=burn,
        people=people[:MOST_PEOPLE],
        teams=tuple(dict.fromkeys(one.team for one in members.rows if one.team)) if members else (),
        changes=await events_of(records, activities.rows, within=number) if activities else (),
    )


async def _part(call: Call, what: str, read: Awaitable[T]) -> T | None:
    found = await if_possible(read)
    if found is None:
        call.warn(f"Productive does not let you see the {what} of this project.")
    return found


def _say_incomplete(call: Call, found: Rows[Any] | None, told: str) -> None:
    if found is not None and not found.complete:
        call.warn(f"{told} the first {len(found.rows)} of {found.total}.")


def _people(members: Rows[Membership] | None) -> tuple[PersonRef, ...]:
    listed = (one.person for one in members.rows) if members else ()
    return tuple(dict.fromkeys(person for person in listed if person is not None))


def _headline(
    row: Project, counts: TaskCounts | None = None, burn: tuple[BudgetBurn, ...] = ()
) -> str:
    what = f"{untrusted.name(row.name)} ({row.id})" + (" is archived" if row.archived else "")
    told = [f"{counts.open} open tasks, {counts.overdue} overdue"] if counts else []
    told += [
        f"{untrusted.name(one.name)} is {one.used_percent}% used"
        for one in burn
        if one.used_percent is not None
    ]
    return f"{what}: {'; '.join(told)}." if told else f"{what}."
