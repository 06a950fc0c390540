"""What a task may be, and what follows from a change of it.

From the vendor's schema: a status is one of the project's workflow, a status of category 3 closes,
a closed parent leaves its subtasks open, subtasks move with their parent, another project drops
dependencies, an assignee is a member of the project, a private task is its subscribers'. The words
of refusals are inferred, but for "attribute is invalid".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.errors import Fault, invalid
from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.rules.custom_fields import check_custom_fields
from productive_dev.simulator.rules.subscriptions import is_member
from productive_dev.simulator.writing.body import action_value
from productive_dev.simulator.writing.write import create

CLOSED: Final = 3
_STEP: Final = 1 << 16


def sees_task(context: Context, task: Record) -> bool:
    """Tell whether a task exists for the caller."""
    caller = context.caller
    project = context.state.at(task.to_one("project"))
    if project is not None and not context.sees(project):
        return False
    if not task.attributes["private"]:
        return True
    concerned = (*task.to_many("subscribers"), task.to_one("creator"), task.to_one("assignee"))
    return caller.person.ref in concerned


def settle_task(context: Context, before: Record | None, task: Record) -> Record:
    """Fill in number, place, status, and what closing means."""
    parent = context.follow(task, "parent_task")
    if parent is not None and (before is None or before.to_one("parent_task") != parent.ref):
        task = task.with_relations(
            project=parent.to_one("project"), task_list=parent.to_one("task_list")
        )
    if before is None or before.to_one("project") != task.to_one("project"):
        task = _numbered(context, task)
    if task.to_one("workflow_status") is None or (
        before is not None
        and before.to_one("project") != task.to_one("project")
        and before.to_one("workflow_status") == task.to_one("workflow_status")
    ):
        task = task.with_relations(workflow_status=_first_status(context, task))
    return _subscribed(before, _closed_or_open(context, task))


def check_task(context: Context, before: Record | None, task: Record) -> Iterable[Fault]:
    """Name what is wrong with a task."""
    project = context.follow(task, "project")
    if project is None:
        return
    if before is None and project.attributes["archived_at"] is not None:
        yield Fault("project", "project is archived")
    task_list = context.follow(task, "task_list")
    if task_list is not None and task_list.to_one("project") != project.ref:
        yield Fault("task_list", "attribute is invalid")
    status = context.follow(task, "workflow_status")
    if status is not None and status.to_one("workflow") != project.to_one("workflow"):
        yield Fault("workflow_status", "attribute is invalid")
    assignee = context.follow(task, "assignee")
    changed = before is None or before.to_one("assignee") != task.to_one("assignee")
    if assignee is not None and changed and not _can_be_assigned(context, assignee, project):
        yield Fault("assignee", "is not a member of the project")
    parent = context.follow(task, "parent_task")
    if parent is not None and (parent.id == task.id or parent.to_one("parent_task") is not None):
        yield Fault("parent_task", "attribute is invalid")
    if task.attributes["type_id"] not in (1, 3):
        yield Fault("type_id", "is not included in the list")
    start, due = task.attributes["start_date"], task.attributes["due_date"]
    if start and due and start > due:
        yield Fault("due_date", "must be after start date")
    yield from check_custom_fields(context, before, task, "tasks")


def move_with_parent(context: Context, before: Record | None, task: Record) -> None:
    """Take subtasks along, and drop dependencies in another project."""
    if before is None:
        return
    moved = [n for n in ("project", "task_list") if before.to_one(n) != task.to_one(n)]
    if not moved:
        return
    for subtask in tuple(context.state.pointing("tasks", "parent_task", task.ref)):
        places = {name: task.to_one(name) for name in moved}
        changed = subtask.with_relations(**places)
        if "project" in moved:
            changed = changed.with_relations(workflow_status=_first_status(context, changed))
        context.state.put(changed)
    if "project" in moved:
        _drop(context, "task_dependencies", "task", task)
        _drop(context, "task_dependencies", "dependent_task", task)


def forget_task(context: Context, task: Record | None) -> None:
    """Remove what hangs on a removed task; time that was tracked on it stays."""
    if task is None:
        return
    for subtask in tuple(context.state.pointing("tasks", "parent_task", task.ref)):
        context.state.remove(subtask)
        forget_task(context, subtask)
    for kind, name in (
        ("todos", "task"),
        ("comments", "task"),
        ("task_dependencies", "task"),
        ("task_dependencies", "dependent_task"),
    ):
        _drop(context, kind, name, task)
    for entry in tuple(context.state.pointing("time_entries", "task", task.ref)):
        context.state.put(entry.with_relations(task=None))


def copy_task(context: Context, data: Mapping[str, Any]) -> Record:
    """Make a copy of the task named by `template_id` (the form of the body is inferred)."""
    template = context.visible(Ref("tasks", str(action_value(data, "template_id", "task_id"))))
    if template is None:
        raise invalid([Fault("template", "can't be blank")])
    declared = context.resources["tasks"]
    kept = ("title", "description", "private", "due_date", "start_date", "tag_list", "type_id")
    values = {name: template.attributes[name] for name in (*kept, "initial_estimate")}
    links = {
        f"{name}_id": ref.id
        for name in ("project", "task_list", "assignee", "workflow_status", "service")
        if (ref := template.to_one(name))
    }
    wanted = data.get("attributes") or {}
    return create(context, declared, {"attributes": {**values, **links, **wanted}})


def _numbered(context: Context, task: Record) -> Record:
    project = task.to_one("project")
    siblings = list(context.state.pointing("tasks", "project", project)) if project else []
    numbers = [int(t.attributes["task_number"]) for t in siblings if t.id != task.id]
    following = str(max(numbers, default=0) + 1)
    placements = [int(t.attributes["placement"] or 0) for t in siblings]
    return task.with_attributes(
        number=following,
        task_number=following,
        placement=max(placements, default=0) + _STEP,
        remaining_time=task.attributes["remaining_time"] or task.attributes["initial_estimate"],
    )


def _first_status(context: Context, task: Record) -> Ref | None:
    project = context.follow(task, "project")
    workflow = project.to_one("workflow") if project else None
    if workflow is None:
        return None
    statuses = sorted(
        context.state.pointing("workflow_statuses", "workflow", workflow),
        key=lambda status: int(status.attributes["position"]),
    )
    return statuses[0].ref if statuses else None


def _closed_or_open(context: Context, task: Record) -> Record:
    status = context.follow(task, "workflow_status")
    closed = status is not None and status.attributes["category_id"] == CLOSED
    if closed == task.attributes["closed"]:
        return task
    return task.with_attributes(closed=closed, closed_at=context.whole_stamp if closed else None)


def _subscribed(before: Record | None, task: Record) -> Record:
    # Who takes part is told: the creator, and each new assignee (inferred).
    joined = [ref for name in ("creator", "assignee") if (ref := task.to_one(name))]
    if before is not None:
        joined = joined if before.to_one("assignee") != task.to_one("assignee") else []
    known = task.to_many("subscribers")
    new = tuple(dict.fromkeys(ref for ref in joined if ref not in known))
    return task.with_relations(subscribers=(*known, *new)) if new else task


def _can_be_assigned(context: Context, person: Record, project: Record) -> bool:
    values = person.attributes
    return (
        not values["placeholder"]
        and values["deactivated_at"] is None
        and is_member(context, person, project)
    )


def _drop(context: Context, kind: str, name: str, task: Record) -> None:
    for record in tuple(context.state.pointing(kind, name, task.ref)):
        context.state.remove(record)
