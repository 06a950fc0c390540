"""What a comment is on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from productive_gateway.productive.records.budgets import KnownDeal
from productive_gateway.productive.records.record import Linked, Record
from productive_gateway.productive.records.tasks import Discussion
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import reference_text
from productive_gateway.tools.names.kinds import RecordKind
from productive_gateway.tools.names.resolver import (
    BUDGETS,
    COMPANIES,
    DEALS,
    PAGES,
    PEOPLE,
    PROJECTS,
    TASKS,
    Named,
)

TargetKind = Literal["task", "project", "budget", "deal", "person", "company", "page"]
_NAMED: Final[Mapping[str, Named[Any]]] = {
    "task": TASKS,
    "project": PROJECTS,
    "budget": BUDGETS,
    "deal": DEALS,
    "person": PEOPLE,
    "company": COMPANIES,
    "page": PAGES,
}
_PREFIXED: Final = re.compile(rf"({'|'.join(_NAMED)})\s*:\s*(?!//)(.+)", re.IGNORECASE | re.DOTALL)
_DEALS: Final = frozenset({RecordKind.BUDGET, RecordKind.DEAL})
_PARENTS: Final = {"budget": "deal"}
"""Names of the relationship, where they differ from the kind."""
_CRM: Final = frozenset({"person", "company"})
"""Clients never see comments on these, nor on a sales deal or budget without a project."""


@dataclass(frozen=True, slots=True)
class Target:
    """The record that a comment is on."""

    kind: str
    record: Record
    project: str | None
    """Id of the project whose clients may read it; None if no client can."""

    @property
    def shown(self) -> str:
        """Kind, name and id."""
        return f"{self.kind} {reference_text(self.record)}"


async def target_of(call: Call, text: str, kind: TargetKind) -> Target:
    """Return the record that is meant: by link, by "task: name", or by a name of this kind.

    Raises:
        ToolError: no record fits, or more than one.
    """
    linked = call.names.kind_of_link(text)
    prefixed = _PREFIXED.fullmatch(text)
    wanted: str = kind
    if linked in _DEALS:
        return await _deal(call, text)
    if linked is not None and linked in _NAMED:
        wanted = str(linked)
    elif prefixed is not None:
        wanted, text = prefixed[1].lower(), prefixed[2]
    record = await call.names.one(_NAMED[wanted], text, "on")
    return Target(wanted, record, _project_of(wanted, record))


async def _deal(call: Call, link: str) -> Target:
    """Return the budget or sales deal of a link: both have the same one."""
    number = call.names.read(RecordKind.BUDGET, link, "on").link_id or ""
    record = await call.records.get(KnownDeal, number)
    kind = "budget" if record.budget else "deal"
    return Target(kind, record, _project_of(kind, record))


def _project_of(kind: str, record: Record) -> str | None:
    if kind in _CRM:
        return None
    if kind == "project":
        return record.id
    project = getattr(record, "project", None)
    return project.id if project is not None else None


async def parent_of(call: Call, target: Target) -> dict[str, Any]:
    """Return the value that puts a comment onto the record.

    A page has no comments of its own: they are in its open discussion, which is made if need be.
    """
    if target.kind == "task":
        return {"task": target.record.id}
    if target.kind != "page":
        return {
            _PARENTS.get(target.kind, target.kind): Linked(
                type(target.record).type, target.record.id
            )
        }
    filters = {"page_id": target.record.id, "status": "1"}
    found = await call.records.first(Discussion, filters)
    if found is None:
        values = {"page": Linked("pages", target.record.id), "excerpt": "Comments"}
        found = await call.writes.create(Discussion, values)
    return {"discussion": Linked("discussions", found.id)}
