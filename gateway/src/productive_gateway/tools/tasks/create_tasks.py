"""create_tasks: new tasks, by names, several at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Final

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.people import PersonRef
from productive_gateway.productive.records.projects import (
    ProjectRef,
    StatusName,
    TaskListRef,
    WorkflowStatus,
)
from productive_gateway.productive.records.tasks import TaskRef
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.errors import Problem, ToolError
from productive_gateway.tools.kit.failure import Failure, failure_of
from productive_gateway.tools.kit.parameters import Confirm, DryRun
from productive_gateway.tools.tasks.new_task import NewTask, NewTasks, Planned, plan
from productive_gateway.tools.tasks.task_writes import (
    MadeTask,
    twins_of,
    write_tasks,
    write_todos,
)
from productive_gateway.tools.words import untrusted

MOST_UNASKED: Final = 10
"""Tasks that are created without asking the user first."""
_SHORT: Final = 22
"""Characters of a name in the preview of 20 tasks."""


class NewRow(has.Declared):
    """A task that was created, or would be."""

    id: str | None = has.ident(default=None, label="")
    name: str = has.name()
    number: str | None = has.ident(default=None)
    due: date | None = has.day()
    start: date | None = has.day()
    estimate: int | None = has.minutes()
    tags: tuple[str, ...] = has.names(default=())
    project: ProjectRef | None = has.one(lambda: ProjectRef, default=None)
    list: TaskListRef | None = has.one(lambda: TaskListRef, default=None)
    status: StatusName | None = has.one(lambda: StatusName, default=None)
    assignee: PersonRef | None = has.one(lambda: PersonRef, default=None)
    todos: tuple[str, ...] = has.names(default=())
    url: str | None = has.ident(default=None, label="")


class Result(has.Declared):
    """What became of one task."""

    ok: bool = has.flag(default=False)
    task: NewRow | None = has.one(lambda: NewRow, default=None, label="")
    duplicate_of: TaskRef | None = has.one(lambda: TaskRef, default=None)
    error: Failure | None = has.one(lambda: Failure, default=None)


class Created(Answer):
    """The answer of create_tasks."""

    results: tuple[Result, ...] = has.many(lambda: Result, label="")


@tool(
    title="Create tasks",
    kind=Kind.ADDS,
    cost=Cost(reads=9, writes=2),
    example=Example(
        "Create a task for me in Website care, due Friday: check the contact form",
        {
            "tasks": [
                {
                    "title": "Check the contact form",
                    "project": "Website care",
                    "assignee": "me",
                    "due": "friday",
                }
            ]
        },
    ),
)
async def create_tasks(
    call: Call,
    *,
    tasks: NewTasks,
    allow_duplicate: bool = False,
    dry_run: DryRun = False,
    confirm: Confirm = None,
) -> Created:
    """Create 1 to 20 tasks, with names for everything; each may have todos, or be a subtask.

    Without task_list the project's only list or its backlog is used. A task whose open twin was
    created lately is reported as duplicate_of and not written again. One that fails does not stop
    the others: repeat only that one.
    """
    plans = await asyncio.gather(
        *(_planned(call, one, f"tasks[{index}]") for index, one in enumerate(tasks))
    )
    if len(plans) == 1 and isinstance(plans[0], Problem):
        raise ToolError(plans[0])
    ready = {at: one for at, one in enumerate(plans) if isinstance(one, Planned)}
    results = {at: _failed(one) for at, one in enumerate(plans) if isinstance(one, Problem)}
    twins = {} if allow_duplicate else await twins_of(call, list(ready.values()))
    for at, one in list(ready.items()):
        if (twin := twins.get(one.key)) is not None:
            results[at] = Result(duplicate_of=TaskRef(id=twin.id, name=twin.name))
            del ready[at]
    for remark in dict.fromkeys(text for one in ready.values() for text in one.remarks):
        call.warn(remark)
    if dry_run:
        results |= {at: Result(ok=True, task=_preview(one)) for at, one in ready.items()}
        return _answer(results, "would be created; nothing was written")
    if len(ready) > MOST_UNASKED:
        await call.confirm(f"Create {len(ready)} tasks", _shown(ready.values()), given=confirm)
    made = await _written(call, list(ready.values()), allow_duplicate=allow_duplicate)
    results |= dict(zip(ready, made, strict=True))
    return _answer(results, "created")


def _answer(results: Mapping[int, Result], done: str) -> Created:
    ordered = tuple(results[at] for at in sorted(results))
    count = sum(one.ok for one in ordered)
    if len(ordered) == 1 and (task := ordered[0].task) is not None:
        where = task.project.name if task.project else "no project"
        number = f" ({task.id})" if task.id else ""
        said = "Created" if task.id else "Would create"
        return Created(
            headline=f"{said} {untrusted.name(task.name)}{number} in {untrusted.name(where)}.",
            results=ordered,
        )
    if len(ordered) == 1 and (twin := ordered[0].duplicate_of) is not None:
        return Created(
            headline=f"Not created: {untrusted.name(twin.name)} ({twin.id}) was created lately and "
            "is still open; allow_duplicate creates it again.",
            results=ordered,
        )
    of = f"{count} of {len(ordered)}" if count < len(ordered) else str(count)
    twins = sum(one.duplicate_of is not None for one in ordered)
    known = f"; {twins} already there (allow_duplicate creates them again)" if twins else ""
    return Created(headline=f"{of} tasks {done}{known}.", results=ordered)


def _shown(plans: Iterable[Planned]) -> list[str]:
    """Return all titles by project, short enough that a preview holds them."""
    titles: dict[str, list[str]] = {}
    for one in plans:
        where = f"{untrusted.line(one.project.name, _SHORT)} ({one.project.id})"
        titles.setdefault(where, []).append(untrusted.line(one.title, _SHORT))
    return [f"in {where}: {', '.join(several)}" for where, several in titles.items()]


async def _planned(call: Call, given: NewTask, where: str) -> Planned | Problem:
    try:
        return await plan(call, given, where)
    except ToolError as error:
        return error.problem


async def _written(call: Call, plans: Sequence[Planned], *, allow_duplicate: bool) -> list[Result]:
    """Create the tasks, then their todos."""
    total = len(plans) + sum(len(one.todos) for one in plans)
    if total > 1:
        await call.progress(0, total, f"Creating {len(plans)} tasks.")
    made = await write_tasks(call, plans, allow_duplicate=allow_duplicate)
    if total > len(plans):
        await call.progress(len(plans), total, "The tasks are there; their todos are next.")
    with_todos = await write_todos(call, [one for one in made if isinstance(one, MadeTask)])
    return [
        _failed(one) if isinstance(one, Problem) else _succeeded(call, one, with_todos=with_todos)
        for one in made
    ]


def _failed(problem: Problem) -> Result:
    return Result(error=failure_of(problem))


def _succeeded(call: Call, made: MadeTask, *, with_todos: bool) -> Result:
    row = made.row
    return Result(
        ok=True,
        task=NewRow(
            id=row.id,
            name=row.name,
            number=row.number,
            due=row.due,
            start=row.start,
            estimate=row.estimate,
            tags=row.tags,
            project=row.project or made.plan.project,
            list=row.list or made.plan.list,
            status=_name(row.status),
            assignee=row.assignee,
            todos=made.plan.todos if with_todos else (),
            url=call.link(row),
        ),
    )


def _name(status: WorkflowStatus | None) -> StatusName | None:
    if status is None:
        return None
    return StatusName(id=status.id, name=status.name, category=status.category)


def _preview(one: Planned) -> NewRow:
    values = one.values
    return NewRow(
        name=one.title,
        due=values.get("due"),
        start=values.get("start"),
        estimate=values.get("estimate"),
        tags=values.get("tags", ()),
        project=one.project,
        list=TaskListRef(id=one.list.id, name=one.list.name),
        status=_name(one.status),
        assignee=one.assignee,
        todos=one.todos,
    )
