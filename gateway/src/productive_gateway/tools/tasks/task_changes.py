"""The changes of one task: what is written to it, worked out before the first write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from productive_gateway.productive.records.tasks import Task, TaskRow
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.read import invalid, read_day, read_markdown, read_minutes
from productive_gateway.tools.tasks import custom_fields as fields
from productive_gateway.tools.tasks.assignees import assignee_of, is_none
from productive_gateway.tools.tasks.statuses import status_in
from productive_gateway.tools.tasks.task_lists import list_for
from productive_gateway.tools.writes.compare import differences


@dataclass(frozen=True, slots=True)
class Wanted:
    """The changes as the model writes them; None leaves a field as it is."""

    title: str | None
    status: str | None
    assignee: str | None
    due: str | None
    start: str | None
    estimate_hours: float | str | None
    remaining_hours: float | str | None
    task_list: str | None
    add_tags: Sequence[str]
    remove_tags: Sequence[str]
    description: str | None
    description_mode: Literal["replace", "append"]
    custom_fields: Mapping[str, Any] | None


async def changes_of(call: Call, task: TaskRow, wanted: Wanted) -> dict[str, Any]:
    """Return the values that differ from what the task holds.

    Args:
        call: the running call.
        task: as it was just read; a `Task` if the description is to be changed.
        wanted: the changes.

    Raises:
        ToolError: a value cannot be used.
    """
    project = task.project.id if task.project else None
    values: dict[str, Any] = {}
    if wanted.title is not None:
        values["name"] = " ".join(wanted.title.split())
    if wanted.status is not None:
        values["status"] = await _status(call, task, wanted.status)
    if wanted.assignee is not None:
        values["assignee"] = await _assignee(call, wanted.assignee)
    values |= _days(call.today, task, wanted)
    values |= _hours(task, wanted)
    if wanted.task_list is not None and project is not None:
        values["list"] = (await list_for(call, project, wanted.task_list, "task_list")).id
    if wanted.add_tags or wanted.remove_tags:
        values["tags"] = _tags(task.tags, wanted)
    if wanted.description is not None and isinstance(task, Task):
        values["description"] = _description(task.description, wanted)
    if wanted.custom_fields:
        values["custom_fields"] = await fields.merged(
            call, project, wanted.custom_fields, task.custom_fields, "custom_fields"
        )
    return {name: value for name, value in values.items() if name in _different(task, values)}


def _different(task: TaskRow, values: Mapping[str, Any]) -> set[str]:
    changed = set(differences(task, values))
    if "description" in values and isinstance(task, Task):
        # The words alone may be the same in another layout.
        changed |= {"description"} if values["description"] != task.description else set()
    return changed


async def _status(call: Call, task: TaskRow, text: str) -> str:
    workflow = task.status.workflow if task.status else None
    status, remark = await status_in(call, workflow.id if workflow else None, text, "status")
    if remark:
        call.warn(remark)
    if status.category == "closed" and task.open_subtasks and not task.closed:
        call.warn(f"{task.open_subtasks} subtasks stay open.")
    return status.id


async def _assignee(call: Call, text: str) -> str | None:
    return None if is_none(text) else (await assignee_of(call, text, "assignee")).id


def _days(today: date, task: TaskRow, wanted: Wanted) -> dict[str, date | None]:
    found: dict[str, date | None] = {}
    for name, text in (("due", wanted.due), ("start", wanted.start)):
        if text is not None:
            clear = is_none(text)
            found[name] = None if clear else read_day(text, name, today, direction="future")
    due, start = found.get("due", task.due), found.get("start", task.start)
    if found and due is not None and start is not None and start > due:
        raise invalid("due", f"The task would be due on {due} and start on {start}.")
    return found


def _hours(task: TaskRow, wanted: Wanted) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    if wanted.estimate_hours is not None:
        estimate = _minutes(wanted.estimate_hours, "estimate_hours")
        found["estimate"] = estimate
        # Productive does not change the remaining time along with the estimate.
        found["remaining"] = None if estimate is None else max(0, estimate - (task.worked or 0))
    if wanted.remaining_hours is not None:
        found["remaining"] = _minutes(wanted.remaining_hours, "remaining_hours")
    return found


def _minutes(hours: float | str, field: str) -> int | None:
    if isinstance(hours, str) and is_none(hours):
        return None
    return read_minutes(hours, field)


def _tags(present: Sequence[str], wanted: Wanted) -> tuple[str, ...]:
    gone = {one.casefold() for one in wanted.remove_tags}
    kept = [one for one in present if one.casefold() not in gone]
    known = {one.casefold() for one in kept}
    return (*kept, *(one for one in dict.fromkeys(wanted.add_tags) if one.casefold() not in known))


def _description(present: str | None, wanted: Wanted) -> str:
    text = wanted.description or ""
    added = "" if is_none(text) else read_markdown(text, "description")
    return f"{present or ''}{added}" if wanted.description_mode == "append" else added
