"""What a comment says, and who may see it.

Productive has one switch, `hidden`. Sources differ on what it means: that clients do not see the
comment, or that only its author does. So it is used only where a client could see the comment.
"""

from __future__ import annotations

import asyncio
import html
from collections.abc import Sequence
from typing import Final

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.people import NAMES_LIFETIME, PersonRef
from productive_gateway.productive.records.store import Rows
from productive_gateway.tools.call import Call
from productive_gateway.tools.tasks.assignees import assignee_of
from productive_gateway.tools.words import richtext

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


async def people_of(call: Call, names: Sequence[str], field: str) -> tuple[PersonRef, ...]:
    """Return the people who are mentioned.

    Raises:
        ToolError: a name fits nobody, or more than one person.
    """
    return tuple(
        await asyncio.gather(
            *(
                assignee_of(call, one.removeprefix("@"), f"{field}[{n}]")
                for n, one in enumerate(names)
            )
        )
    )


def body_html(markdown: str, names: Sequence[str], people: Sequence[PersonRef]) -> str:
    """Return the HTML of a comment.

    Args:
        markdown: what it says.
        names: the people as the model wrote them: "@Ana" in the text becomes the mention.
        people: who they are; whoever is not in the text is mentioned before it.
    """
    body = richtext.to_html(markdown)
    before: list[str] = []
    for name, person in zip(names, people, strict=True):
        written = f"@{html.escape(name.removeprefix('@'), quote=False)}"
        if written in body:
            body = body.replace(written, _mention(person), 1)
        else:
            before.append(_mention(person))
    return f"<p>{' '.join(before)}</p>{body}" if before else body


def _mention(person: PersonRef) -> str:
    # The form that Productive's own clients write.
    name = html.escape(person.name.replace("[", "(").replace("]", ")").replace(":", " "))
    return f"@[Person:{person.id}:{name}]"


def _people(rows: Rows[PersonRef]) -> tuple[PersonRef, ...]:
    return rows.rows
