"""Docs: pages and the discussions on them.

Recorded: a body that is a JSON object is dropped in silence, a child has no public_uuid, title and
body move `edited_at`. Measured: a body that is plain text is a 500.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.fields import (
    absent,
    anything,
    computed,
    flag,
    mapping,
    moment,
    number,
    relation,
    relations,
    text,
    texts,
)
from productive_dev.simulator.declare.filters import (
    Filter,
    by_choice,
    search,
    set_or_not,
    to,
)
from productive_dev.simulator.declare.kinds import Kind
from productive_dev.simulator.declare.resource import EVERYTHING, Lineage, resource
from productive_dev.simulator.declare.sorts import by, by_id, by_names
from productive_dev.simulator.errors import conflict, internal_error
from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.resources.people import NAMES

EMPTY: Final = '{"type":"doc","content":[{"type":"paragraph"}]}'
_NAMESPACE: Final = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")


def _own_id(name: str) -> Any:
    def compute(_: Context, page: Record) -> int | None:
        target = page.to_one(name)
        return int(target.id) if target else None

    return compute


def _settle(context: Context, before: Record | None, page: Record) -> Record:
    old = before.attributes["body"] if before else EMPTY
    body = page.attributes["body"]
    if isinstance(body, dict) or body is None:
        body = old
    elif not _is_document(body):
        raise internal_error()
    page = page.with_attributes(body=body)
    if before is None:
        # Recorded: a root page has a public id, a child has none; preferences come with an update.
        is_root = page.to_one("parent_page") is None
        unique = str(uuid.uuid5(_NAMESPACE, page.id)) if is_root else None
        return page.with_attributes(edited_at=context.stamp, public_uuid=unique)
    preferences = page.attributes["preferences"] or {}
    return page.with_attributes(edited_at=context.stamp, preferences=preferences)


def _is_document(body: Any) -> bool:
    try:
        document = json.loads(body)
    except (TypeError, ValueError):
        return False
    return isinstance(document, dict) and document.get("type") == "doc"


def _sees(context: Context, page: Record) -> bool:
    # The vendor's schema: a doc outside of projects is its creator's alone.
    project = context.state.at(page.to_one("project"))
    if project is not None:
        return context.sees(project)
    return page.to_one("creator") == context.caller.person.ref or bool(
        page.attributes["public_access"]
    )


def _attachments(context: Context, page: Record) -> Sequence[Ref]:
    return [a.ref for a in context.state.pointing("attachments", "page", page.ref)]


PAGES = resource(
    "pages",
    (
        mapping("cover_image_meta"),
        text("cover_image_url", "-"),
        moment("created_at", "- f o"),
        mapping("custom_fields"),
        moment("edited_at", "- f o"),
        text("icon_id"),
        number("position"),
        mapping("preferences", "-"),
        text("title", "! o"),
        moment("updated_at", "- o"),
        number("version_number", "-"),
        moment("last_activity_at", "- f o"),
        flag("public_access"),
        text("public_uuid", "-"),
        # What becomes of a body that is no text is decided where a page is settled.
        anything("body", EMPTY),
        computed("parent_page_id", _own_id("parent_page")),
        computed("root_page_id", _own_id("root_page")),
        flag("public"),
    ),
    (
        relation("creator", "people", "- f o=creator_name", sorted_by=by_names(NAMES, "creator")),
        relation("project", "projects", "f o=project_name"),
        relation("parent_page", "pages", "f"),
        relation("root_page", "pages", "f"),
        relations("attachments", "attachments", find=_attachments),
        absent("template_object"),
    ),
    filters={
        "query": search("title", "body"),
        "full_query": search("title", "body"),
        "jump_query": search("title"),
    },
    sorts={"id": by_id, "project": by("name", "project")},
    methods=EVERYTHING,
    sees=_sees,
    writes=lambda context, _: not context.caller.is_client,
    settle=_settle,
    fields_on_single=False,
    lineage=Lineage("Page", lambda r: str(r.attributes["title"]), "project", ("project",)),
)


def _resolved(*, wanted: bool) -> Any:
    def act(context: Context, discussion: Record, _: Mapping[str, Any]) -> Record:
        if (discussion.attributes["resolved_at"] is not None) == wanted:
            raise conflict("already_resolved" if wanted else "not_resolved")
        changed = discussion.with_attributes(resolved_at=context.whole_stamp if wanted else None)
        context.state.put(changed)
        return changed

    return act


def _sees_page(context: Context, discussion: Record) -> bool:
    page = context.state.at(discussion.to_one("page"))
    return page is None or context.sees(page)


DISCUSSIONS = resource(
    "discussions",
    (
        text("excerpt"),
        moment("resolved_at", "- o"),
        texts("subscriber_ids", "-"),
        moment("created_at", "- o"),
        moment("updated_at", "- o"),
    ),
    (relation("page", "pages", "! f"), relation("creator", "people", "-")),
    filters={
        "status": by_choice(set_or_not("resolved_at")),
        "project_id": to("page.project"),
        "query": Filter(lambda _, r: (str(r.attributes["excerpt"]),), Kind.TEXT, "contains"),
    },
    methods=EVERYTHING,
    sees=_sees_page,
    actions={"resolve": _resolved(wanted=True), "reopen": _resolved(wanted=False)},
)
