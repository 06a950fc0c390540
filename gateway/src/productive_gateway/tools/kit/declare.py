"""Declares a tool: one function, whose name, signature and docstring are what a model sees.

    @tool(
        title="List people",
        kind=Kind.READS,
        cost=Cost(reads=1),
        example=Example("Who works here?", {}),
    )
    async def list_people(call: Call, query: Query = None, limit: Limit = 25) -> PeopleList:
        \"\"\"Colleagues, contacts and placeholders by name, team or project.\"\"\"

The toolset is the package that the module is in. A tool without one of these parts does not load.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any, Final, get_type_hints

from productive_gateway.people.scopes import READ, WRITE
from productive_gateway.tools.kit.answers import Answer, schema_of
from productive_gateway.tools.kit.arguments import Arguments, model_of
from productive_gateway.tools.kit.schema import input_schema

LONGEST_DESCRIPTION: Final = 600
"""Characters: every conversation carries the descriptions of all tools."""


class Kind(Enum):
    """What a tool does, for its annotations: read-only, destructive, idempotent."""

    READS = (True, False, True)
    ADDS = (False, False, False)
    CHANGES = (False, True, True)
    DELETES = (False, True, False)

    @property
    def annotations(self) -> dict[str, bool]:
        """Return the four hints of the protocol; the world is open, as texts come from people."""
        read_only, destructive, idempotent = self.value
        return {
            "readOnlyHint": read_only,
            "destructiveHint": destructive,
            "idempotentHint": idempotent,
            "openWorldHint": True,
        }


@dataclass(frozen=True, slots=True)
class Cost:
    """Most requests to Productive of a call about one thing, when nothing is remembered.

    The request that finds out whom the token belongs to is not counted.
    """

    reads: int
    writes: int = 0


UNDO: Final = "undo_…"
"""In the arguments of an example: the handle of the answer to the call before."""


@dataclass(frozen=True, slots=True)
class Example:
    """A question of a user, and the arguments that answer it; the documentation runs it."""

    question: str
    arguments: Mapping[str, Any]
    first: tuple[str, Mapping[str, Any]] | None = None
    """Tool and arguments of a call before this one; `UNDO` is the handle of its answer."""


@dataclass(frozen=True)
class Tool:
    """One tool."""

    name: str
    title: str
    description: str
    kind: Kind
    toolset: str
    cost: Cost
    example: Example
    arguments: type[Arguments]
    answer: type[Answer]
    function: Callable[..., Awaitable[Answer]] = field(repr=False)

    @property
    def scope(self) -> str:
        """Return the scope that a token needs for this tool."""
        return READ if self.kind is Kind.READS else WRITE

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of the arguments, in the order of the function."""
        return tuple(self.arguments.model_fields)

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return input_schema(self.arguments)

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        """JSON Schema of the answer."""
        return schema_of(self.answer)

    async def run(self, call: Any, arguments: Arguments) -> Answer:
        """Run the function with arguments that were read."""
        return await self.function(call, **vars(arguments))


class BadTool(TypeError):
    """A declaration lacks something."""


def tool(
    *, title: str, kind: Kind, cost: Cost, example: Example
) -> Callable[[Callable[..., Awaitable[Answer]]], Tool]:
    """Make a tool of a function whose first parameter is the call.

    Args:
        title: for people.
        kind: what it does.
        cost: its requests to Productive.
        example: a question that it answers.

    Raises:
        BadTool: the declaration is not complete.
    """

    def declare(function: Callable[..., Awaitable[Answer]]) -> Tool:
        name = function.__name__
        description = " ".join(inspect.cleandoc(function.__doc__ or "").split())
        if not 40 <= len(description) <= LONGEST_DESCRIPTION:
            raise BadTool(f"{name}: a description has 40 to {LONGEST_DESCRIPTION} characters")
        answer = get_type_hints(function).get("return")
        if not (inspect.isclass(answer) and issubclass(answer, Answer)):
            raise BadTool(f"{name}: the function must say what answer it returns")
        if (kind is Kind.READS) == bool(cost.writes):
            raise BadTool(f"{name}: the kind and the number of writes do not fit")
        return Tool(
            name=name,
            title=title,
            description=description,
            kind=kind,
            toolset=function.__module__.split(".")[-2],
            cost=cost,
            example=example,
            arguments=model_of(function),
            answer=answer,
            function=function,
        )

    return declare
