"""Tools that show exactly what arrived, for comparing the ways by which a call can come in."""

from __future__ import annotations

from typing import Any

from productive_gateway.productive.records import declared as has
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.declare import Cost, Example, Kind, Tool, tool
from productive_gateway.tools.kit.errors import Problem, ToolError


class Echo(Answer):
    """What arrived."""

    shown: str = has.ident()
    can_ask: bool = has.flag()


def _example() -> Example:
    return Example("Does this arrive?", {})


@tool(title="Echo", kind=Kind.READS, cost=Cost(reads=0), example=_example())
async def echo(call: Call, anything: Any = None, number: float = 0, text: str = "") -> Echo:
    """Show the arguments, as they were read; one of them takes anything at all."""
    return Echo(headline="Arrived.", shown=repr((anything, number, text)), can_ask=call.can_ask)


@tool(title="Refuse", kind=Kind.READS, cost=Cost(reads=0), example=_example())
async def refuse(call: Call, text: str = "") -> Echo:
    """Refuse every call, and repeat the text that it was given."""
    raise ToolError(Problem("invalid_value", f"Refused: {text}", "Do not call this."))


@tool(title="Ask", kind=Kind.DELETES, cost=Cost(reads=0, writes=1), example=_example())
async def ask(call: Call, text: str = "", confirm: str | None = None) -> Echo:
    """Ask the user before anything happens; nothing happens afterwards either."""
    await call.confirm("Delete nothing", [text or "nothing"], given=confirm)
    return Echo(headline="Done.", shown="done", can_ask=call.can_ask)


@tool(title="Break", kind=Kind.READS, cost=Cost(reads=0), example=_example())
async def broken(call: Call) -> Echo:
    """Fail in a way that no tool should fail, by a mistake in its own code."""
    raise RuntimeError("a mistake")


ECHO_TOOLS: tuple[Tool, ...] = (echo, refuse, ask, broken)
