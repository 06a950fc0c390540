"""undo: takes back what one call wrote."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from pydantic import BeforeValidator, Field

from productive_gateway.productive.records import declared as has
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.declare import UNDO, Cost, Example, Kind, tool
from productive_gateway.tools.kit.errors import Problem, ToolError
from productive_gateway.tools.kit.parameters import text_in
from productive_gateway.tools.writes.inverse import decode, take_back

Handle = Annotated[
    str,
    BeforeValidator(text_in),
    Field(max_length=200, description="undo of the answer to the call"),
]


class Step(has.Declared):
    """One write that was taken back."""

    done: str = has.word(default="", label="")
    what: str | None = has.line(default=None, label="")


class Undone(Answer):
    """The answer of undo."""

    undone: tuple[Step, ...] = has.many(lambda: Step, default=(), label="")


@tool(
    title="Undo",
    kind=Kind.DELETES,
    cost=Cost(reads=5, writes=1),
    example=Example(
        "Take back that #87 is in review",
        {"handle": UNDO},
        first=("update_task", {"task": "#87", "status": "In review"}),
    ),
)
async def undo(call: Call, *, handle: Handle) -> Undone:
    """Take back everything that one call wrote, with the handle of its answer.

    It works once, for 15 minutes, and not at all if somebody changed one of the things since. Use
    it when the user regrets a change; no confirmation is needed.
    """
    undos, person = call.writes.writes.undos, call.principal.person
    content = await undos.inverse_of(person, handle)
    try:
        inverses = decode(content)
    except (LookupError, ValueError) as error:
        raise ToolError(
            Problem(
                "undo_unknown",
                "What this handle would undo was written by another version of this server.",
                "Change it back with the other tools.",
            )
        ) from error
    # Used up only when nothing prevents it any more: what could not be read can be tried again.
    undone = await take_back(
        call.records,
        inverses,
        begin=partial(undos.redeem, person, handle),
        progress=call.writes.progress,
    )
    steps = tuple(
        Step(
            done="deleted" if one.deleted else "archived" if one.archived else "put back",
            what=one.what,
        )
        for one in undone
    )
    count = f"{len(steps)} change{'' if len(steps) == 1 else 's'}"
    return Undone(headline=f"Undone: {count} taken back.", undone=steps)
