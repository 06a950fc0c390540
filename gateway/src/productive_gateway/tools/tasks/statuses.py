"""Statuses by what people call them: a name in the project's workflow, else a common word.

Every project has one workflow, and workflows name their statuses as they like, in any language. So
a word such as "done" stands for the first status of its category, unless a status has that name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from productive_gateway.productive.records.projects import WorkflowStatus
from productive_gateway.productive.records.store import Rows
from productive_gateway.tools.call import Call
from productive_gateway.tools.names.kinds import RecordKind
from productive_gateway.tools.names.normal_form import normalized
from productive_gateway.tools.names.options import Option, Options, Place

LIFETIME: Final = 15 * 60
"""Seconds for which statuses are remembered."""

CATEGORY_WORDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("todo", "to do", "not started", "open", "new", "reopen"), "not started"),
    **dict.fromkeys(("in progress", "started", "doing", "working", "active"), "started"),
    **dict.fromkeys(("done", "closed", "close", "complete", "completed", "finished"), "closed"),
}


async def status_in(
    call: Call, workflow: str | None, text: str, field: str
) -> tuple[WorkflowStatus, str | None]:
    """Return the status that is meant, and a remark if a common word was understood.

    Args:
        call: the running call.
        workflow: id of the project's workflow; None if it is not known.
        text: what the user calls the status.
        field: the argument's name, for errors.

    Raises:
        ToolError: no status fits, or more than one.
    """
    statuses = await _statuses(call, {"workflow_id": workflow} if workflow else {})
    wanted = normalized(text)
    named = [one for one in statuses if normalized(one.name) == wanted]
    if len(named) == 1:
        return named[0], None
    category = None if named else CATEGORY_WORDS.get(wanted)
    ordered = sorted(statuses, key=lambda one: (one.position or 0, one.id))
    found = next((one for one in ordered if category and one.category == category), None)
    if found is not None:
        return found, (
            f'"{text}" is read as the category "{category}": {found.name} ({found.id}) is the '
            "first status of it in this workflow."
        )
    chosen = call.names.choose(RecordKind.STATUS, text, field, _options(ordered))
    return next(one for one in statuses if one.id == chosen), None


async def status_filter(
    call: Call, workflow: str | None, text: str, field: str
) -> dict[str, list[str] | str]:
    """Return the filter for tasks of a status; a common word means its whole category.

    Args:
        call: the running call.
        workflow: id of the workflow; None for all of them.
        text: what the user calls the status.
        field: the argument's name, for errors.

    Raises:
        ToolError: no status fits.
    """
    statuses = await _statuses(call, {"workflow_id": workflow} if workflow else {})
    wanted = normalized(text)
    named = [one.id for one in statuses if normalized(one.name) == wanted]
    category = CATEGORY_WORDS.get(wanted)
    if named:
        return {"workflow_status_id": named}
    if category is not None:
        return {"workflow_status_category_id": _CATEGORY_NUMBERS[category]}
    chosen = call.names.choose(RecordKind.STATUS, text, field, _options(statuses))
    name = next(one.name for one in statuses if one.id == chosen)
    return {"workflow_status_id": [one.id for one in statuses if one.name == name]}


_CATEGORY_NUMBERS: Final[Mapping[str, str]] = {"not started": "1", "started": "2", "closed": "3"}


async def _statuses(call: Call, filters: Mapping[str, str]) -> tuple[WorkflowStatus, ...]:
    return await call.records.remembered(
        WorkflowStatus, filters, lifetime=LIFETIME, make=_statuses_of
    )


def _statuses_of(rows: Rows[WorkflowStatus]) -> tuple[WorkflowStatus, ...]:
    return rows.rows


def _options(statuses: Sequence[WorkflowStatus]) -> Options:
    return Options(
        Option(
            RecordKind.STATUS,
            one.id,
            one.name,
            within=(Place(one.workflow.name, one.workflow.id),) if one.workflow else (),
            remark=one.category,
        )
        for one in statuses
    )
