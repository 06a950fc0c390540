"""update_comment: another text, a pin or a reaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.tasks import Comment
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer, row_text
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.failure import Failure
from productive_gateway.tools.kit.parameters import (
    LONGEST_REFERENCE,
    Confirm,
    Line,
    Names,
    Text,
    reference_in,
)
from productive_gateway.tools.kit.read import invalid
from productive_gateway.tools.names.kinds import RecordKind
from productive_gateway.tools.tasks.comment_text import body_of
from productive_gateway.tools.tasks.steps import Steps
from productive_gateway.tools.words import richtext
from productive_gateway.tools.writes.compare import Change, changes

CommentId = Annotated[
    str,
    BeforeValidator(reference_in),
    Field(max_length=LONGEST_REFERENCE, description="its id, from get_task"),
]
_QUOTED: Final = 200


class UpdatedComment(Answer):
    """The answer of update_comment."""

    comment: Comment | None = has.one(lambda: Comment, default=None)
    changed: tuple[Change, ...] = has.many(lambda: Change, default=())
    failed: tuple[Failure, ...] = has.many(lambda: Failure, default=(), label="not done")


@tool(
    title="Update comment",
    kind=Kind.CHANGES,
    cost=Cost(reads=2, writes=3),
    example=Example("Pin Marko's comment", {"comment": "880011", "pin": True}),
)
async def update_comment(
    call: Call,
    *,
    comment: CommentId,
    body: Annotated[Text, Field(description="Markdown; replaces the text")] = None,
    mention: Names = None,
    pin: Annotated[bool | None, Field(description="false unpins")] = None,
    add_reaction: Annotated[Line, Field(description='such as "like" or an emoji')] = None,
    remove_reaction: Line = None,
    confirm: Confirm = None,
) -> UpdatedComment:
    """Rewrite a comment, pin or unpin it, add or remove the user's own reaction.

    The user's own comments are changed at once; to rewrite somebody else's the user is asked first.
    """
    found = await call.records.get(Comment, _id(call, comment))
    values: dict[str, Any] = {}
    if body is not None:
        html = await body_of(call, body, mention or ())
        if html != found.body:
            values["body"] = html
    mine = found.creator is not None and found.creator.id == call.me.person_id
    if values and not mine:
        preview = [row_text(found), f'new text: "{richtext.plain(values["body"], _QUOTED)}"']
        await call.confirm("Rewrite a comment of somebody else", preview, given=confirm)
    steps, changed, after = Steps(call), list[Change](), found
    if values:
        after = await call.writes.update(found, values)
        steps.begun = True
        changed += changes(found, after, ["body"])
    changed += await _pinned(call, steps, found, pin)
    changed += await _reacted(call, steps, found, add_reaction, add=True)
    changed += await _reacted(call, steps, found, remove_reaction, add=False)
    if changed and not values:
        after = await call.records.get(Comment, found.id)
    fields = list(dict.fromkeys(one.field for one in changed))
    return UpdatedComment(
        headline=f"Changed {', '.join(fields)} of the comment {found.id}."
        if fields
        else f"Nothing to change: the comment {found.id} is like that.",
        comment=after,
        changed=tuple(changed),
        failed=tuple(steps.failed),
    )


def _id(call: Call, text: str) -> str:
    found = call.names.read(RecordKind.COMMENT, text, "comment").ids
    if not found:
        raise invalid("comment", "A comment is named by its id.", "Look it up with get_task first.")
    return found[0]


async def _pinned(call: Call, steps: Steps, comment: Comment, pin: bool | None) -> list[Change]:
    if pin is None or pin == comment.pinned:
        return []
    action, back = ("pin", "unpin") if pin else ("unpin", "pin")
    write = call.writes.act(comment, action, undone_by=(back, {}), leaves={"pinned": pin})
    if not await steps.done(action, write):
        return []
    return [Change(field="pin", before=_is(not pin), after=_is(pin))]


def _is(pinned: bool) -> str:
    return "pinned" if pinned else "not pinned"


async def _reacted(
    call: Call, steps: Steps, comment: Comment, reaction: str | None, *, add: bool
) -> list[Change]:
    reactions = comment.reactions if isinstance(comment.reactions, Mapping) else {}
    there = {str(one) for one in reactions.get(reaction or "", ())}
    if reaction is None or (call.me.person_id in there) == add:
        return []
    added, removed = "add_reaction", "remove_reaction"
    action, back = (added, removed) if add else (removed, added)
    values = {"reaction": reaction}
    write = call.writes.act(comment, action, values, undone_by=(back, values))
    if not await steps.done(action, write):
        return []
    before, after = (None, reaction) if add else (reaction, None)
    return [Change(field="reaction", before=before, after=after)]
