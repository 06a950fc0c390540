"""add_comment: a comment on a task, project, budget, person, company or page."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.tasks import Comment
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer, reference_text
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.parameters import (
    LONGEST_REFERENCE,
    LONGEST_TEXT,
    Confirm,
    Names,
    reference_in,
    text_in,
    word_in,
)
from productive_gateway.tools.kit.read import invalid
from productive_gateway.tools.tasks.comment_target import Target, TargetKind, parent_of, target_of
from productive_gateway.tools.tasks.comment_text import (
    MadeComment,
    body_of,
    clients_of,
    is_hidden,
)
from productive_gateway.tools.words import richtext

On = Annotated[
    str,
    BeforeValidator(reference_in),
    Field(max_length=LONGEST_REFERENCE, description='name, "#87", id or link'),
]
Body = Annotated[
    str, BeforeValidator(text_in), Field(max_length=LONGEST_TEXT, description="Markdown")
]
Visibility = Annotated[Literal["internal", "client"], BeforeValidator(word_in)]
_QUOTED: Final = 200


class Commented(Answer):
    """The answer of add_comment."""

    comment: MadeComment | None = has.one(lambda: MadeComment, default=None)
    on: str | None = has.line(default=None)
    visible_to: str | None = has.word(default=None)
    url: str | None = has.ident(default=None, label="")


@tool(
    title="Add comment",
    kind=Kind.ADDS,
    cost=Cost(reads=6, writes=2),
    example=Example(
        "Tell Marko on the banner task that the copy is ready",
        {
            "on": "Banner for the autumn sale",
            "body": "@Marko the copy is ready",
            "mention": "Marko",
        },
    ),
)
async def add_comment(
    call: Call,
    *,
    on: On,
    body: Body,
    kind: Annotated[TargetKind, BeforeValidator(word_in)] = "task",
    mention: Annotated[Names, Field(description="people to notify")] = None,
    visibility: Visibility = "internal",
    confirm: Confirm = None,
) -> Commented:
    """Comment on a task, project, budget, deal, person, company or page; mentions notify people.

    Comments are internal: where clients have access they are hidden from them. With
    visibility="client" clients can read it, so the user is asked first.
    """
    if not body:
        raise invalid("body", "The comment is empty.", "Say what to write.")
    target = await target_of(call, on, kind)
    html = await body_of(call, body, mention or ())
    if visibility == "client":
        hidden = False
        readers = await _readers(call, target)
        quoted = f'"{richtext.plain(html, _QUOTED)}"'
        preview = [f"on the {target.shown}", quoted, f"readable for {readers}"]
        await call.confirm("Write a comment that clients can read", preview, given=confirm)
        visible_to = f"colleagues and clients: {readers}"
    else:
        hidden = target.project is not None and await is_hidden(call, target.project)
        visible_to = (
            "colleagues (hidden from clients)" if hidden else "colleagues; no client has access"
        )
    values = {"body": html, "internal": hidden, **await parent_of(call, target)}
    (result,) = await call.writes.create_each(Comment, [values])
    made = result.done()
    if result.earlier:
        call.warn("The same comment was written just before, so it was not written twice.")
    return Commented(
        headline=f"Commented on the {target.shown}.",
        comment=MadeComment(id=made.id, internal=made.internal),
        on=target.shown,
        visible_to=visible_to,
        url=call.link(target.record),
    )


async def _readers(call: Call, target: Target) -> str:
    """Return which clients can read a comment that is not hidden."""
    if target.project is None:
        return "no client at present"
    clients = await clients_of(call, target.project)
    names = [reference_text(one) for one in clients.people]
    if not clients.known:
        names.append("others whom you may not see")
    return ", ".join(names) or "no client at present"
