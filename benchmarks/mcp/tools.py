"""A tool that asks Productive nothing, as the servers beside ours have one, and sixty to list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from productive_gateway.productive.records import declared as has
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.declare import Cost, Example, Kind, Tool, tool

COUNT = 60
"""Tools that are listed."""


class Sum(Answer):
    """The answer of `add`."""

    sum: int | None = has.count()


@tool(
    title="Add",
    kind=Kind.READS,
    cost=Cost(reads=0),
    example=Example("What is 19 and 23?", {"a": 19, "b": 23}),
)
async def add(call: Call, a: int, b: int) -> Sum:  # noqa: ARG001  # every tool takes the call
    """Adds two whole numbers, and asks nobody anything."""
    return Sum(headline=f"{a} + {b}", sum=a + b)


def sixty(tools: Sequence[Tool]) -> tuple[Tool, ...]:
    """Return the tools, `add`, and copies of the tools under other names."""
    copied = [tools[number % len(tools)] for number in range(COUNT - len(tools) - 1)]
    copies = (replace(one, name=f"{one.name}_{number}") for number, one in enumerate(copied))
    return (*tools, add, *copies)
