"""Folders and task lists: where the tasks of a project lie, and in which order.

`board` is the old name of a folder and survives in filters, bodies and includes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.fields import (
    flag,
    moment,
    number,
    relation,
    text,
)
from productive_dev.simulator.declare.filters import (
    by_choice,
    search,
    set_or_not,
    to,
)
from productive_dev.simulator.declare.resource import DELETE, EVERYTHING, Lineage, resource
from productive_dev.simulator.declare.sorts import by
from productive_dev.simulator.errors import Fault, invalid
from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.resources.archive import archivable
from productive_dev.simulator.resources.projects import project_open
from productive_dev.simulator.writing.body import action_value
from productive_dev.simulator.writing.write import create

_STEP: Final = 1 << 16


def _own_project(context: Context, record: Record) -> bool:
    project = context.state.at(record.to_one("project"))
    return project is None or context.sees(project)


def _writes(context: Context, _: Record) -> bool:
    # Inferred: clients read only.
    return not context.caller.is_client


def _check(context: Context, before: Record | None, record: Record) -> Iterable[Fault]:
    if before is None and not project_open(context, record):
        yield Fault("project", "project is archived")
    folder = context.follow(record, "folder")
    if folder is not None and folder.to_one("project") != record.to_one("project"):
        yield Fault("folder", "attribute is invalid")


def _settle(context: Context, before: Record | None, record: Record) -> Record:
    if before is not None:
        return record
    last = [_position(sibling) for sibling in context.all(record.type)]
    position = record.attributes["position"] or max(last, default=0) + 1
    placed: dict[str, Any] = {"position": position}
    if "placement" in record.attributes:
        placed["placement"] = _after(context, record)
    if record.type == "task_lists":
        project = record.to_one("project")
        folder = context.follow(record, "folder")
        if project is None and folder is not None:
            record = record.with_relations(project=folder.to_one("project"))
    return record.with_attributes(**placed)


def _position(record: Record) -> int:
    return int(record.attributes["position"] or 0)


def _after(context: Context, record: Record) -> int:
    placements = [int(r.attributes["placement"] or 0) for r in context.all(record.type)]
    return max(placements, default=0) + _STEP


def reposition(context: Context, record: Record, data: Mapping[str, Any]) -> None:
    """Put a record before or after another one of its kind; it is answered without a document.

    Raises:
        Problem: 422 when the body names neither.
    """
    for name, shift in (("move_before_id", -1), ("move_after_id", 1)):
        wanted = action_value(data, name)
        if wanted is None:
            continue
        other = context.visible(Ref(record.type, str(wanted)))
        if other is None:
            break
        key = "placement" if "placement" in record.attributes else "position"
        siblings = sorted(
            (r for r in context.all(record.type) if r.id != record.id),
            key=lambda sibling: (int(sibling.attributes[key] or 0), int(sibling.id)),
        )
        place = next(n for n, sibling in enumerate(siblings) if sibling.id == other.id)
        siblings.insert(place + (shift > 0), record)
        step = _STEP if key == "placement" else 1
        for number_, sibling in enumerate(siblings, start=1):
            context.state.put(sibling.with_attributes(**{key: number_ * step}))
        return
    raise invalid([Fault("move_before_id", "can't be blank")])


def _move_list(context: Context, record: Record, data: Mapping[str, Any]) -> Record:
    wanted = action_value(data, "folder_id", "board_id")
    folder = context.visible(Ref("folders", str(wanted)))
    if folder is None:
        raise invalid([Fault("folder", "can't be blank")])
    project = folder.to_one("project")
    moved = record.with_relations(folder=folder.ref, project=project)
    context.state.put(moved)
    for task in tuple(context.state.pointing("tasks", "task_list", record.ref)):
        context.state.put(task.with_relations(project=project))
    return moved


def _move_folder(context: Context, record: Record, data: Mapping[str, Any]) -> Record:
    project = context.visible(Ref("projects", str(action_value(data, "project_id"))))
    if project is None:
        raise invalid([Fault("project", "can't be blank")])
    moved = record.with_relations(project=project.ref)
    context.state.put(moved)
    for task_list in tuple(context.state.pointing("task_lists", "folder", record.ref)):
        _move_list(context, task_list, {"attributes": {"folder_id": record.id}})
    return moved


def _copy_list(context: Context, data: Mapping[str, Any]) -> Record:
    # The names in its body are those of a client: template_id, name, project_id, board_id.
    template = context.visible(Ref("task_lists", str(action_value(data, "template_id"))))
    if template is None:
        raise invalid([Fault("template", "can't be blank")])
    folder = action_value(data, "folder_id", "board_id")
    return create(
        context,
        context.resources["task_lists"],
        {
            "attributes": {
                "name": action_value(data, "name") or template.attributes["name"],
                "project_id": action_value(data, "project_id") or _id(template, "project"),
                "folder_id": folder or _id(template, "folder"),
            }
        },
    )


def _copy_folder(context: Context, data: Mapping[str, Any]) -> Record:
    template = context.visible(Ref("folders", str(action_value(data, "template_id"))))
    if template is None:
        raise invalid([Fault("template", "can't be blank")])
    name = action_value(data, "name") or template.attributes["name"]
    project = action_value(data, "project_id") or _id(template, "project")
    declared = context.resources["folders"]
    return create(context, declared, {"attributes": {"name": name, "project_id": project}})


def _id(record: Record, relation_: str) -> str | None:
    target = record.to_one(relation_)
    return target.id if target else None


FOLDERS = resource(
    "folders",
    (
        text("name", "!"),
        number("position"),
        flag("hidden"),
        moment("archived_at"),
        moment("created_at"),
    ),
    (relation("project", "projects", "! f"),),
    filters={"query": search("name"), "status": by_choice(set_or_not("archived_at"))},
    default_sort=("position",),
    methods=EVERYTHING - {DELETE},
    lacks=frozenset({DELETE}),
    sees=_own_project,
    writes=_writes,
    check=_check,
    settle=_settle,
    actions={**archivable(), "move": _move_folder, "reposition": reposition},
    collection_actions={("POST", "copy"): _copy_folder},
    lineage=Lineage("Folder", lambda r: str(r.attributes["name"]), "project", ("project",)),
)

TASK_LISTS = resource(
    "task_lists",
    (
        text("name", "!"),
        number("position"),
        number("placement", "-"),
        moment("archived_at"),
        text("email_key", "-"),
        moment("created_at"),
    ),
    (
        relation("project", "projects", "! f o=project_name"),
        relation("folder", "folders", "! f o=folder_name", alias="board"),
    ),
    filters={
        "query": search("name"),
        "status": by_choice(set_or_not("archived_at")),
        "board_id": to("folder"),
    },
    sorts={"board_name": by("name", "folder"), "company_name": by("name", "project", "company")},
    default_sort=("placement",),
    methods=EVERYTHING - {DELETE},
    lacks=frozenset({DELETE}),
    sees=_own_project,
    writes=_writes,
    check=_check,
    settle=_settle,
    actions={**archivable(), "move": _move_list, "reposition": reposition},
    collection_actions={("POST", "copy"): _copy_list},
    lineage=Lineage("TaskList", lambda r: str(r.attributes["name"]), "folder", ("project",)),
)
