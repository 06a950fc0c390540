"""Comments.

Measured: comments are listed reliably by task or project only. Here a list without either answers
all that the caller sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.fields import (
    flag,
    html,
    mapping,
    moment,
    number,
    relation,
    relations,
    text,
)
from productive_dev.simulator.declare.filters import (
    Filter,
    attribute,
    by_ref,
    search,
    to,
)
from productive_dev.simulator.declare.kinds import Kind
from productive_dev.simulator.declare.resource import EVERYTHING, Lineage, resource
from productive_dev.simulator.errors import Fault, access_denied, conflict, invalid
from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.writing.body import action_value

PARENTS: Final = ("task", "deal", "project", "company", "person", "discussion")


def _parent(context: Context, comment: Record) -> Record | None:
    refs = (comment.to_one(name) for name in PARENTS)
    return next((context.state.at(ref) for ref in refs if ref is not None), None)


def _sees(context: Context, comment: Record) -> bool:
    # The vendor's schema: only its creator sees a hidden comment. Another reading, of the client
    # portal, is that colleagues see it and clients do not.
    if comment.attributes["hidden"] and comment.to_one("creator") != context.caller.person.ref:
        return False
    parent = _parent(context, comment)
    return parent is None or context.sees(parent)


def _check(_: Context, __: Record | None, comment: Record) -> Iterable[Fault]:
    parents = [name for name in PARENTS if comment.to_one(name) is not None]
    if len(parents) != 1:
        yield Fault("commentable", "can't be blank" if not parents else "attribute is invalid")


def _settle(context: Context, before: Record | None, comment: Record) -> Record:
    parents = [name for name in PARENTS if comment.to_one(name) is not None]
    if parents:
        comment = comment.with_attributes(commentable_type=parents[0])
    if before is None:
        return comment
    if comment.to_one("creator") != context.caller.person.ref:
        # Inferred: others may pin a comment, and not rewrite it.
        raise access_denied()
    if before.attributes["body"] != comment.attributes["body"]:
        comment = comment.with_attributes(edited_at=context.stamp)
    return comment


def _refuse_delete(context: Context, comment: Record) -> None:
    own = comment.to_one("creator") == context.caller.person.ref
    if not own and not context.caller.manages:
        raise access_denied()


def _touch(context: Context, before: Record | None, after: Record | None) -> None:
    parent = _parent(context, after) if after and before is None else None
    if parent is not None and "last_activity_at" in parent.attributes:
        context.state.put(parent.with_attributes(last_activity_at=context.whole_stamp))


def _pinned(*, wanted: bool) -> Any:
    def act(context: Context, comment: Record, _: Mapping[str, Any]) -> Record:
        if (comment.attributes["pinned_at"] is not None) == wanted:
            # Measured: 409 when repeated; its code is inferred.
            raise conflict("already_pinned" if wanted else "not_pinned")
        changed = comment.with_attributes(pinned_at=context.whole_stamp if wanted else None)
        context.state.put(changed)
        return changed

    return act


def _reacted(*, wanted: bool) -> Any:
    def act(context: Context, comment: Record, data: Mapping[str, Any]) -> Record:
        reaction = action_value(data, "reaction")
        if not isinstance(reaction, str) or not reaction:
            raise invalid([Fault("reaction", "can't be blank")])
        me = int(context.caller.person.id)
        reactions = {name: list(ids) for name, ids in comment.attributes["reactions"].items()}
        ids = [one for one in reactions.get(reaction, []) if one != me]
        reactions[reaction] = [*ids, me] if wanted else ids
        kept = {name: people for name, people in reactions.items() if people}
        changed = comment.with_attributes(reactions=kept)
        context.state.put(changed)
        return changed

    return act


def _project_of(context: Context, comment: Record) -> Sequence[Ref]:
    # Inferred: comments on a project, and those on its tasks.
    own = comment.to_one("project")
    task = context.follow(comment, "task")
    found = (own, task.to_one("project") if task else None)
    return [ref for ref in found if ref is not None]


def _attachments(context: Context, comment: Record) -> Sequence[Ref]:
    return [a.ref for a in context.state.pointing("attachments", "comment", comment.ref)]


COMMENTS = resource(
    "comments",
    (
        html("body", "!"),
        text("commentable_type", "-"),
        moment("created_at", "- o"),
        moment("deleted_at"),
        flag("draft"),
        moment("edited_at"),
        flag("hidden"),
        moment("pinned_at"),
        mapping("reactions", "-", {}),
        moment("updated_at"),
        number("version_number", "-"),
    ),
    (
        relation("company", "companies", "+ f"),
        relation("creator", "people", "-"),
        relation("deal", "deals", "+ f"),
        relation("discussion", "discussions", "+ f"),
        relation("person", "people", "+"),
        relation("pinned_by", "people", "-"),
        # The vendor's schema says that it is not includable.
        relation("project", "projects", "+ ~"),
        relation("task", "tasks", "+ f"),
        relations("attachments", "attachments", find=_attachments),
    ),
    filters={
        "query": search("body"),
        "full_query": search("body"),
        "project_id": by_ref(_project_of),
        "commentable_project_id": by_ref(_project_of),
        "page_id": to("discussion.page"),
        "fuzzy_people": to("creator"),
        "draft": Filter(attribute("draft"), Kind.FLAG),
    },
    default_sort=("created_at",),
    methods=EVERYTHING,
    sees=_sees,
    check=_check,
    settle=_settle,
    refuse_delete=_refuse_delete,
    done=_touch,
    actions={
        "pin": _pinned(wanted=True),
        "unpin": _pinned(wanted=False),
        "add_reaction": _reacted(wanted=True),
        "remove_reaction": _reacted(wanted=False),
    },
    lineage=Lineage("Comment", lambda _: "Comment", "task", ("task", "project")),
)
