"""A tool: its declaration, and what a call of it gets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from productive_gateway.people.principal import Principal
from productive_gateway.people.scopes import READ, WRITE
from productive_gateway.productive.client import ProductiveApi, ProductiveSession
from productive_gateway.tools.errors import Explainer
from productive_gateway.tools.schema import input_schema, output_schema


class Kind(Enum):
    """What a tool does, for its annotations: read-only, destructive, idempotent."""

    READS = (True, False, True)
    ADDS = (False, False, False)

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
class Allowed:
    """What a person may use: the gateway's limits, narrowed by the person's own access."""

    read_only: bool
    toolsets: tuple[str, ...]

    def permits(self, tool: Tool) -> bool:
        """Return whether the tool may be used."""
        reads = tool.kind is Kind.READS
        return tool.toolset in self.toolsets and (reads or not self.read_only)


@dataclass(frozen=True, slots=True)
class Call:
    """What a running tool gets."""

    principal: Principal
    allowed: Allowed
    api: ProductiveApi
    session: ProductiveSession
    explain: Explainer

    def now(self) -> float:
        """Return the present time in Unix seconds."""
        return self.api.clock()


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a tool."""

    structured: BaseModel
    text: str
    """The same facts as compact Markdown; the first line is the answer."""


@dataclass(frozen=True)
class Tool:
    """One tool."""

    name: str
    title: str
    description: str
    kind: Kind
    toolset: str
    arguments: type[BaseModel]
    answer: type[BaseModel]
    run: Callable[[Call, Any], Awaitable[Done]] = field(repr=False)

    @property
    def scope(self) -> str:
        """Return the scope that a token needs for this tool."""
        return READ if self.kind is Kind.READS else WRITE

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return input_schema(self.arguments)

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        """JSON Schema of the answer."""
        return output_schema(self.answer)
