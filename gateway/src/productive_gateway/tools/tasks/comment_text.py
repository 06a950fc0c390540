"""What a comment says, and who may see it.

Productive has one switch, `hidden`. Sources differ on what it means: that clients do not see the
comment, or that only its author does. So it is used only where a client could see the comment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.people import NAMES_LIFETIME, PersonRef
from productive_gateway.productive.records.store import Rows
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.read import read_markdown
from productive_gateway.tools.tasks.assignees import assignee_of
from productive_gateway.tools.words.mentions import Mention

_CONTACTS: Final = {"hrm_type_id": "2", "status": "1"}
"""Contacts; a client with a login counts as a user in `person_type`."""
HIDDEN: Final = (
    "Clients have access to this project, so the comment is hidden from them; depending on how "
    "Productive is set up, colleagues may not see it either."
)


class MadeComment(has.Declared):
    """A comment that was just written."""

    id: str = has.ident(label="")
    internal: bool = has.flag()


async def clients_of(call: Call, project: str) -> tuple[PersonRef, ...]:
    """Return the contacts of clients who have access to a project."""
    return await call.records.remembered(
        PersonRef, {**_CONTACTS, "project_id": project}, lifetime=NAMES_LIFETIME, make=_people
    )


async def is_hidden(call: Call, project: str | None) -> bool:
    """Return whether an internal comment must be hidden, and warn about what that means."""
    if project is not None and not await clients_of(call, project):
        return False
    call.warn(HIDDEN)
    return True


async def body_of(call: Call, markdown: str, names: Sequence[str]) -> str:
    """Return the HTML of a comment, with its mentions.

    Args:
        call: the running call.
        markdown: what it says; "@Ana" in it becomes the mention of the Ana in `names`.
        names: who is mentioned; whoever is not in the text is put before it.

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


def _people(rows: Rows[PersonRef]) -> tuple[PersonRef, ...]:
    return rows.rows
