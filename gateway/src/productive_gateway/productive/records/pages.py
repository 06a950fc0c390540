"""Docs: pages, which lie in a project or belong to one person."""

from __future__ import annotations

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.projects import ProjectRef
from productive_gateway.productive.records.record import Record


class PageRef(Record, type="pages", link="page"):
    """A page by title."""

    name: str = has.name("title")


class KnownPage(PageRef):
    """A page as far as it is needed to find one by title; lists would ship whole bodies."""

    project: ProjectRef | None = has.one(lambda: ProjectRef, "project")
