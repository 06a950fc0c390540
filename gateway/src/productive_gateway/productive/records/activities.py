"""The feed of what happened: who created, changed, removed or said what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.people import PersonRef
from productive_gateway.productive.records.record import Record


class CommentText(Record, type="comments"):
    """A comment as the feed shows it."""

    body: str | None = has.line("body")


class Activity(Record, type="activities"):
    """One thing that happened.

    `item` is what it happened to, `parent` what that belongs to (of a comment, what was commented
    on), `root` the outermost one, mostly a project.
    """

    event: str | None = has.word("event", shown=False)
    at: datetime | None = has.moment("created_at")
    changeset: Any = has.raw("changeset")
    """`[{"due_date": [{"value": before}, {"value": after}]}]`, as the reference has it."""
    item_id: str | None = has.ident("item_id", default=None)
    item_type: str | None = has.word("item_type", shown=False)
    item_name: str | None = has.name("item_name", default=None)
    parent_id: str | None = has.ident("parent_id", default=None)
    parent_type: str | None = has.word("parent_type", shown=False)
    parent_name: str | None = has.name("parent_name", default=None)
    root_id: str | None = has.ident("root_id", default=None)
    root_type: str | None = has.word("root_type", shown=False)
    root_name: str | None = has.name("root_name", default=None)
    is_budget: bool = has.flag("deal_is_budget")
    creator: PersonRef | None = has.one(lambda: PersonRef, "creator")
    comment: CommentText | None = has.one(lambda: CommentText, "comment")
