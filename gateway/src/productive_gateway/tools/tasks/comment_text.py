"""What a comment says, and who may see it.

Productive has one switch, `hidden`. Sources differ on what it means: that clients do not see the
comment, or that only its author does. So it is used only where a client could see the comment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.people import PersonRef
from productive_gateway.productive.records.projects import Admission
from productive_gateway.productive.records.store import Rows, if_possible
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.read import read_markdown
from productive_gateway.tools.tasks.assignees import assignee_of
from productive_gateway.tools.words.mentions import Mention

_LIFETIME: Final = 5 * 60
"""Seconds for which it is remembered who has access to a project."""
_HIDDEN: Final = (
    "Clients have access to this project, so the comment is hidden from them; depending on how "
    "Productive is set up, colleagues may not see it either."
)
_NOT_KNOWN: Final = (
    "It does not show whether clients have access to this project, so the comment is hidden from "
    "them; depending on how Productive is set up, colleagues may not see it either."
)


@dataclass(frozen=True, slots=True)
class Clients:
    """The people of clients who have access to a project."""

    people: tuple[PersonRef, ...]
    known: bool
    """Whether these are all: the person's rights may hide some."""


class MadeComment(has.Declared):
    """A comment that was just written."""

    id: str = has.ident(label="")
    internal: bool = has.flag()


async def clients_of(call: Call, project: str) -> Clients:
    """Return which people of clients have access to a project."""
    found = await if_possible(
        call.records.remembered(
            Admission, {"project_id": project}, lifetime=_LIFETIME, make=_clients
        )
    )
    return found or Clients((), known=False)


async def is_hidden(call: Call, project: str | None) -> bool:
    """Return whether an internal comment must be hidden, and warn about what that means.

    Args:
        call: the running call.
        project: id of the project; None if it is not known.
    """
    clients = await clients_of(call, project) if project else Clients((), known=False)
    if clients.known and not clients.people:
        return False
    call.warn(_HIDDEN if clients.people else _NOT_KNOWN)
    return True


async def body_of(call: Call, markdown: str, names: Sequence[str]) -> str:
    """Return the HTML of a comment, with its mentions.

    Args:
        call: the running call.
        markdown: what it says; "@Ana" in it becomes the mention of the Ana in `names`.
        names: who is mentioned; those who are not in the text are put before it.

    Raises:
        ToolError: a name fits nobody, or more than one person; the text is too large.
    """
    wanted = (
        assignee_of(call, one.removeprefix("@"), f"mention[{n}]") for n, one in enumerate(names)
    )
    people = await asyncio.gather(*wanted)
    mentions = [Mention(one.id, one.name) for one in people]
    before: list[str] = []
    for name, mention in zip(names, mentions, strict=True):
        written = f"@{name.removeprefix('@')}"
        if mention.shown in markdown:
            continue
        if written in markdown:
            markdown = markdown.replace(written, mention.shown, 1)
        else:
            before.append(mention.shown)
    text = f"{' '.join(before)}\n\n{markdown}" if before else markdown
    return read_markdown(text, "body", mentions)


def _clients(rows: Rows[Admission]) -> Clients:
    people = [one.person for one in rows.rows if one.person is not None]
    hidden = [one for one in rows.rows if one.kind == "person" and one.person is None]
    return Clients(
        tuple(PersonRef(id=one.id, name=one.name) for one in people if one.contact),
        known=rows.complete and bool(rows.rows) and not hidden,
    )
