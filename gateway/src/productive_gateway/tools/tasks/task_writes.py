"""Creates tasks and their todos, each once, and says of each what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from productive_gateway.errors import GatewayError
from productive_gateway.productive.records.tasks import ProbedTask, Task, TaskRow, Todo
from productive_gateway.productive.wire.errors import ProductiveError, Refused
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.errors import Problem, ToolError
from productive_gateway.tools.tasks.new_task import Planned, same_title
from productive_gateway.tools.writes.compare import differences
from productive_gateway.tools.writes.writer import Made

RECENT: Final = timedelta(days=7)
"""An open task of the same title that is younger is probably the same one."""
_PROBED: Final = 100
_SKEW: Final = timedelta(seconds=15)
"""By so much Productive's clock may be behind ours."""

_UNKNOWN: Final = Problem("timeout", "It is unknown whether it was created.", "Look for it first.")


@dataclass(frozen=True, slots=True)
class MadeTask:
    """A task that was created."""

    plan: Planned
    row: TaskRow


async def twins_of(call: Call, plans: Sequence[Planned]) -> dict[tuple[str, str], ProbedTask]:
    """Return the open tasks that were created lately with the titles of these."""
    projects = dict.fromkeys(one.project.id for one in plans)
    pages = await asyncio.gather(
        *(
            call.records.page(
                ProbedTask, {"project_id": one, "status": "1"}, sort="-created_at", size=_PROBED
            )
            for one in projects
        )
    )
    return {
        (project, same_title(row.name)): row
        for project, page in zip(projects, pages, strict=True)
        for row in reversed(page.rows)
        if row.created is not None and row.created >= call.now - RECENT
    }


async def write_tasks(
    call: Call, plans: Sequence[Planned], *, allow_duplicate: bool
) -> list[MadeTask | Problem]:
    """Create the tasks, by one request if they are several.

    Raises:
        ToolError: the only one was not created.
        ProductiveError: likewise.
    """
    if not plans:
        return []
    allow = [allow_duplicate] * len(plans)
    values = [one.values for one in plans]
    made = await call.writes.create_each(Task, values, allow_duplicate=allow, bulk=True)
    if len(made) == 1 and made[0].record is None:
        made[0].done()
    refused = {at for at, one in enumerate(made) if isinstance(one.error, Refused)}
    singly = await _one_by_one(call, [plans[at] for at in sorted(refused)], allow_duplicate)
    found = dict(zip(sorted(refused), singly, strict=True))
    # The answer of a bulk request does not say what the tasks refer to.
    ids = [one.record.id for one in made if one.record is not None] if len(made) > 1 else []
    read = await call.records.all(TaskRow, {"id": ids}, most=1) if ids else None
    rows = {row.id: row for row in (read.rows if read else ())}
    return [found.get(at) or _outcome(call, plans[at], done, rows) for at, done in enumerate(made)]


def _outcome(
    call: Call, plan: Planned, done: Made[Task], rows: Mapping[str, TaskRow]
) -> MadeTask | Problem:
    if done.repeats is not None:
        return Problem(
            "duplicate",
            "It is the same as another task of this call, so it was not created twice.",
            "Pass allow_duplicate if the user wants both.",
        )
    if done.record is None:
        return call.explain.explain(done.error or ToolError(_UNKNOWN))
    row = rows.get(done.record.id, done.record)
    single = done.record.id not in rows
    wrong = differences(row, plan.values) if not single or done.error is not None else []
    if wrong:
        call.warn(f"Productive did not apply to {done.record.id}: {', '.join(wrong)}.")
    return MadeTask(plan, row)


async def _one_by_one(
    call: Call, plans: Sequence[Planned], allow_duplicate: bool
) -> list[MadeTask | Problem]:
    """Create tasks singly, after a bulk request was refused for some of them.

    Whether Productive wrote the others then is not documented, so it is looked up first.
    """
    there = await twins_of(call, plans) if plans else {}
    found: list[MadeTask | Problem] = []
    for at, one in enumerate(plans):
        if at:
            await call.progress(at, len(plans), f"{at} of {len(plans)} tasks done.")
        twin = there.get(one.key)
        if twin is not None and twin.created is not None and twin.created >= call.now - _SKEW:
            found.append(MadeTask(one, await call.records.get(TaskRow, twin.id)))
            continue
        (made,) = await call.writes.create_each(
            Task, [one.values], allow_duplicate=[allow_duplicate]
        )
        found.append(_outcome(call, one, made, {}))
    return found


async def write_todos(call: Call, made: Sequence[MadeTask]) -> bool:
    """Create the todos of new tasks by one request; False if they are not there.

    The tasks are there in any case, so a failure is a warning.
    """
    todos = [{"name": text, "task": one.row.id} for one in made for text in one.plan.todos]
    if not todos:
        return True
    try:
        await call.writes.create_many(Todo, todos)
    except (ProductiveError, GatewayError, ToolError) as error:
        problem = call.explain.explain(error)
        call.warn(f"The tasks are there, but their todos are not: {problem.message}")
        return False
    return True
