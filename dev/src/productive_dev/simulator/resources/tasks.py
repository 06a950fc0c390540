"""Tasks: 41 attributes and 14 relations, as recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.fields import (
    Compute,
    absent,
    choice,
    computed,
    constant,
    day,
    flag,
    html,
    mapping,
    minutes,
    moment,
    number,
    relation,
    relations,
    text,
    texts,
)
from productive_dev.simulator.declare.filters import (
    Filter,
    attribute,
    by_choice,
    by_flag,
    related,
    search,
    since,
    to,
    until,
)
from productive_dev.simulator.declare.kinds import Kind
from productive_dev.simulator.declare.resource import EVERYTHING, WRITES, Lineage, resource
from productive_dev.simulator.declare.sorts import by, by_id, by_names
from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.resources.people import NAMES
from productive_dev.simulator.resources.task_lists import reposition
from productive_dev.simulator.rules.tasks import (
    check_task,
    copy_task,
    forget_task,
    move_with_parent,
    sees_task,
    settle_task,
)
from productive_dev.simulator.rules.totals import tracked

_NUMBERS_OF_DEPENDENCIES: Final = {"blocking": 1, "waiting_on": 2, "linked": 3}


def _counted(kind: str, relation_: str, *, open_only: bool = False) -> Compute:
    def count(context: Context, task: Record) -> int | None:
        found = sum(
            not (open_only and other.attributes["closed"])
            for other in context.state.pointing(kind, relation_, task.ref)
        )
        # Recorded: null where there is none.
        return found or None

    return count


def _dependencies(type_id: int | None) -> Compute:
    return lambda context, task: sum(
        type_id in (None, other.attributes["type_id"])
        for other in context.state.pointing("task_dependencies", "task", task.ref)
    )


def _assignees_of_todos(context: Context, task: Record) -> list[int]:
    todos = context.state.pointing("todos", "task", task.ref)
    return sorted({int(ref.id) for todo in todos if (ref := todo.to_one("assignee"))})


def _bookings(context: Context, task: Record) -> int:
    return len(tuple(context.state.pointing("bookings", "task", task.ref)))


def _status(_: Context, task: Record) -> Sequence[str]:
    return ("2" if task.attributes["closed"] else "1",)


def _public(_: Context, task: Record) -> Sequence[str]:
    return ("false" if task.attributes["private"] else "true",)


def _overdue(context: Context, task: Record) -> Sequence[str]:
    due = task.attributes["due_date"]
    late = due is not None and due < context.today.isoformat() and not task.attributes["closed"]
    return ("2" if late else "1",)


def _parent_type(_: Context, task: Record) -> Sequence[str]:
    return ("1" if task.to_one("parent_task") is None else "2",)


def _category(context: Context, task: Record) -> Sequence[str]:
    status = context.follow(task, "workflow_status")
    return (str(status.attributes["category_id"]),) if status else ()


def _project_type(context: Context, task: Record) -> Sequence[str]:
    project = context.follow(task, "project")
    return (str(project.attributes["project_type_id"]),) if project else ()


def _archived(*path: str) -> Filter:
    def read(context: Context, task: Record) -> Sequence[str]:
        holder = context.follow(task, *path)
        return ("1" if holder is None or holder.attributes["archived_at"] is None else "2",)

    return by_choice(read)


def _attachments(context: Context, task: Record) -> Sequence[Ref]:
    return [a.ref for a in context.state.pointing("attachments", "task", task.ref)]


TASKS = resource(
    "tasks",
    (
        text("title", "! f o"),
        html("description", "f"),
        text("number", "- o"),
        text("task_number", "- f o"),
        flag("private"),
        day("due_date", "f o"),
        day("start_date", "f o"),
        moment("closed_at", "- f o"),
        moment("created_at", "- f o"),
        moment("updated_at", "- f o"),
        choice("repeat_schedule_id"),
        number("repeat_on_interval"),
        number("repeat_on_monthday"),
        texts("repeat_on_weekday"),
        day("repeat_on_date"),
        number("repeat_origin_id", "-"),
        text("email_key", "-"),
        mapping("custom_fields"),
        computed("todo_count", _counted("todos", "task")),
        computed("open_todo_count", _counted("todos", "task", open_only=True)),
        computed("subtask_count", _counted("tasks", "parent_task")),
        computed("open_subtask_count", _counted("tasks", "parent_task", open_only=True)),
        choice("creation_method_id", "-", 1),
        computed("todo_assignee_ids", _assignees_of_todos, Kind.LIST),
        computed("task_dependency_count", _dependencies(None)),
        choice("type_id", "f", 1),
        *(
            computed(f"{name}_dependency_count", _dependencies(type_id))
            for name, type_id in _NUMBERS_OF_DEPENDENCIES.items()
        ),
        number("placement", "- o"),
        number("subtask_placement", "-"),
        computed("bookings_count", _bookings),
        flag("closed", "-"),
        text("due_time"),
        texts("tag_list", "f=tags"),
        moment("last_activity_at", "- f=last_activity o"),
        minutes("initial_estimate", "f o"),
        minutes("remaining_time", "f o"),
        computed(
            "billable_time",
            tracked("billable_time", null_for_zero=True),
            Kind.MINUTES,
            "- f o",
        ),
        computed("worked_time", tracked("time", null_for_zero=True), Kind.MINUTES, "- f o"),
        constant("deleted_at", None),
    ),
    (
        relation("project", "projects", "! f o=project_name"),
        relation("creator", "people", "- f o=creator_name", sorted_by=by_names(NAMES, "creator")),
        relation("assignee", "people", "f o=assignee_name", sorted_by=by_names(NAMES, "assignee")),
        relation("last_actor", "people", "- f"),
        relation("task_list", "task_lists", "! f o=task_list_name"),
        relation("parent_task", "tasks", "f"),
        relation("workflow_status", "workflow_statuses", "f o=workflow_status_name"),
        relation("service", "services", "f"),
        absent("repeated_task", "template_object"),
        relations("attachments", "attachments", find=_attachments),
        absent("custom_field_people", "custom_field_attachments"),
        # Not among the recorded relations; the vendor's schema sets it as a list.
        relations("subscribers", "people", "*"),
    ),
    filters={
        "query": search("title", "task_number"),
        "query_extended": search("title", "task_number", "description"),
        "full_query": search("title", "task_number", "description"),
        "jump_query": search("title", "task_number"),
        "subscriber_id": Filter(related("subscribers"), Kind.RELATION),
        "company_id": to("project.company"),
        "project_manager_id": to("project.project_manager"),
        "project_type": by_choice(_project_type),
        "folder_id": to("task_list.folder"),
        "board_id": to("task_list.folder"),
        "public_access": by_flag(_public),
        "task_type": by_choice(_parent_type),
        "status": by_choice(_status),
        "overdue_status": by_choice(_overdue),
        "workflow_id": to("project.workflow"),
        "workflow_status_category_id": by_choice(_category),
        "task_list_status": _archived("task_list"),
        "board_status": _archived("task_list", "folder"),
        "folder_status": _archived("task_list", "folder"),
        "due_date_after": since("due_date"),
        "due_date_before": until("due_date"),
        "due_date_on": Filter(attribute("due_date"), Kind.DAY),
        "start_date_after": since("start_date"),
        "start_date_before": until("start_date"),
        "closed_after": since("closed_at"),
        "closed_before": until("closed_at"),
        "last_activity_after": since("last_activity_at"),
        "last_activity_before": until("last_activity_at"),
        # Inferred: the task's own dates.
        "after": since("due_date"),
        "before": until("due_date"),
    },
    sorts={
        "id": by_id,
        "last_activity": by("last_activity_at"),
        "company_name": by("name", "project", "company"),
        "folder_name": by("name", "task_list", "folder"),
        "board_name": by("name", "task_list", "folder"),
        "folder_position": by("position", "task_list", "folder"),
        "board_position": by("position", "task_list", "folder"),
        "task_list_position": by("placement", "task_list"),
        "workflow_status_position": by("position", "workflow_status"),
        "last_actor_name": by_names(NAMES, "last_actor"),
    },
    methods=EVERYTHING,
    bulk=WRITES,
    # Recorded order.
    requires=("title", "project", "task_list"),
    sees=sees_task,
    writes=lambda context, _: not context.caller.is_client,
    check=check_task,
    settle=settle_task,
    done=lambda context, before, after: (
        move_with_parent(context, before, after) if after else forget_task(context, before)
    ),
    actions={"reposition": reposition},
    collection_actions={("POST", "copy"): copy_task},
    lineage=Lineage("Task", lambda r: str(r.attributes["title"]), "project", ("project",)),
)
