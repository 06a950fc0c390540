"""What hangs on tasks: todos, dependencies, attachments and tags."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.fields import (
    absent,
    choice,
    day,
    flag,
    moment,
    number,
    relation,
    text,
)
from productive_dev.simulator.declare.filters import (
    Filter,
    attribute,
    by_choice,
    inert,
    search,
    to,
)
from productive_dev.simulator.declare.kinds import Kind
from productive_dev.simulator.declare.resource import EVERYTHING, WRITES, resource
from productive_dev.simulator.declare.sorts import by_id
from productive_dev.simulator.errors import Fault
from productive_dev.simulator.records import Record

_MIRRORED: Final = {1: 2, 2: 1, 3: 3}


def _sees_parent(context: Context, record: Record) -> bool:
    parents = [context.state.at(record.to_one(n)) for n in ("task", "deal", "page", "comment")]
    return all(parent is None or context.sees(parent) for parent in parents)


def _no_client(context: Context, _: Record) -> bool:
    return not context.caller.is_client


def _closed(_: Context, record: Record) -> Sequence[str]:
    return ("2" if record.attributes["closed"] else "1",)


def _check_todo(_: Context, __: Record | None, todo: Record) -> Iterable[Fault]:
    task, deal = todo.to_one("task"), todo.to_one("deal")
    if task is None and deal is None:
        yield Fault("task", "can't be blank")
    if task is not None and (todo.attributes["due_date"] or todo.attributes["due_time"]):
        # The vendor's schema: only a deal's todo has a date.
        yield Fault("due_date", "must be blank")


def _settle_todo(context: Context, before: Record | None, todo: Record) -> Record:
    closed = todo.attributes["closed"]
    if before is None or before.attributes["closed"] != closed:
        todo = todo.with_attributes(closed_at=context.whole_stamp if closed else None)
    if before is None and todo.attributes["position"] is None:
        task = todo.to_one("task")
        siblings = context.state.pointing("todos", "task", task) if task else iter(())
        todo = todo.with_attributes(position=len(tuple(siblings)) + 1)
    return todo


TODOS = resource(
    "todos",
    (
        text("description", "!"),
        flag("closed"),
        moment("closed_at"),
        day("due_date", "f"),
        text("due_time"),
        number("position"),
        number("todoable_id", "-"),
        text("todoable_type", "- f"),
        moment("created_at"),
        moment("updated_at"),
    ),
    (
        relation("task", "tasks", "f"),
        relation("deal", "deals", "f"),
        relation("assignee", "people", "f"),
    ),
    filters={"status": by_choice(_closed)},
    default_sort=("position",),
    methods=EVERYTHING,
    bulk=WRITES,
    sees=_sees_parent,
    writes=_no_client,
    check=_check_todo,
    settle=_settle_todo,
)


def _check_dependency(context: Context, _: Record | None, dependency: Record) -> Iterable[Fault]:
    task, other = context.follow(dependency, "task"), context.follow(dependency, "dependent_task")
    if dependency.attributes["type_id"] not in _MIRRORED:
        yield Fault("type_id", "is not included in the list")
    if task is None or other is None:
        return
    if task.id == other.id:
        yield Fault("dependent_task", "attribute is invalid")
    twins = context.state.pointing("task_dependencies", "task", task.ref)
    if any(t.to_one("dependent_task") == other.ref and t.id != dependency.id for t in twins):
        yield Fault("dependent_task", "has already been taken")


def _mirror(context: Context, before: Record | None, after: Record | None) -> None:
    # Inferred: the other task sees the same dependency from its side, under an id of its own.
    known = after or before
    if known is None:
        return
    task, other = known.to_one("task"), known.to_one("dependent_task")
    twins = [
        twin
        for twin in context.state.pointing("task_dependencies", "task", other or known.ref)
        if twin.to_one("dependent_task") == task
    ]
    for twin in twins:
        context.state.remove(twin)
    if after is None:
        return
    number_ = twins[0].id if twins else context.state.next_id("task_dependencies")
    mirrored = _MIRRORED[after.attributes["type_id"]]
    context.state.put(
        Record(
            "task_dependencies",
            number_,
            after.organization,
            {**after.attributes, "type_id": mirrored},
            {**after.relations, "task": other, "dependent_task": task},
        )
    )


TASK_DEPENDENCIES = resource(
    "task_dependencies",
    (choice("type_id", "! f"), moment("created_at"), moment("updated_at")),
    (
        relation("task", "tasks", "! f"),
        relation("dependent_task", "tasks", "! f"),
        relation("creator", "people", "-"),
    ),
    filters={"project_id": to("task.project")},
    methods=EVERYTHING,
    sees=_sees_parent,
    writes=_no_client,
    check=_check_dependency,
    done=_mirror,
)

ATTACHMENTS = resource(
    "attachments",
    (
        text("name", "-"),
        text("content_type", "-"),
        number("size", "-"),
        text("url", "-"),
        text("thumb", "-"),
        text("temp_url", "-"),
        text("attachment_type", "-"),
        text("attachable_type", "-"),
        number("attachable_id", "-"),
        moment("created_at"),
        moment("deleted_at"),
    ),
    (
        relation("creator", "people", "- f"),
        relation("task", "tasks", "- ~ f"),
        relation("page", "pages", "- ~ f"),
        relation("comment", "comments", "- ~ f"),
        relation("deal", "deals", "- ~"),
        absent("expense"),
    ),
    filters={"project_id": to("task.project")},
    sorts={"id": by_id},
    sees=_sees_parent,
)


_TAGGED: Final = ("companies", "deals", "people", "tasks")


def _tags(context: Context) -> Iterable[Record]:
    # Tags are what records carry; an id is that of the alphabet (inferred).
    used = {
        (tag, kind)
        for kind in _TAGGED
        for record in context.all(kind)
        if context.sees(record)
        for tag in record.attributes["tag_list"]
    }
    for number_, (tag, kind) in enumerate(sorted(used), start=1):
        values = {"name": tag, "color_id": None, "taggable_type": kind}
        yield Record("tags", str(number_), context.organization, values)


TAGS = resource(
    "tags",
    (text("name", "- f"), number("color_id", "-"), text("taggable_type", "- f")),
    filters={
        "query": search("name"),
        **{
            f"{kind}_id": inert(Kind.RELATION)
            for kind in ("task", "project", "deal", "company", "person", "invoice")
        },
        "name": Filter(attribute("name"), Kind.TEXT),
    },
    default_sort=("name",),
    listed=_tags,
)
