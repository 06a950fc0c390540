"""The task list that a new task goes into."""

from __future__ import annotations

from typing import Final

from productive_gateway.productive.records.projects import TaskList
from productive_gateway.productive.records.store import Rows
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.errors import Candidate, Problem, ToolError
from productive_gateway.tools.names.match import MOST_CANDIDATES
from productive_gateway.tools.names.normal_form import normalized
from productive_gateway.tools.names.resolver import PLACES_LIFETIME, TASK_LISTS

DEFAULT_NAMES: Final = frozenset({"inbox", "backlog", "to do", "todo", "to dos"})
"""Names of lists for tasks that nobody has sorted yet."""


async def list_for(call: Call, project: str, text: str | None, field: str) -> TaskList:
    """Return the list that is meant, or the one that tasks of the project go into.

    Without a text it is the project's only list, or the only one with a name such as Backlog.

    Raises:
        ToolError: no list fits, or more than one.
    """
    if text is not None:
        return await call.names.one(
            TASK_LISTS, text, field, within={"project_id": project}, inactive=False, offer_all=True
        )
    known = await call.records.remembered(
        TaskList, {"project_id": project}, lifetime=PLACES_LIFETIME, make=_in_use
    )
    named = [one for one in known if normalized(one.name) in DEFAULT_NAMES]
    for fitting in (known, named):
        if len(fitting) == 1:
            return fitting[0]
    likely = named or known
    raise ToolError(
        Problem(
            "missing_task_list",
            "The project has several task lists, and it is not clear which one to use."
            if known
            else "The project has no task list.",
            "Ask the user which list, then repeat only this with task_list."
            if known
            else "Make one with organize_project first.",
            field=field,
            candidates=tuple(
                Candidate(one.id, one.name, one.folder.name if one.folder else None)
                for one in likely[:MOST_CANDIDATES]
            ),
            left=max(0, len(likely) - MOST_CANDIDATES),
        )
    )


def _in_use(rows: Rows[TaskList]) -> tuple[TaskList, ...]:
    return tuple(one for one in rows.rows if not one.archived)
