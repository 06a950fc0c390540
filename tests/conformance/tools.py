"""Tools that the suite calls and that a tool of this gateway can be: they answer with text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cached_property
from typing import Annotated, Any, Final

from pydantic import Field

from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.declare import Cost, Example, Kind, Tool, tool
from productive_gateway.tools.kit.errors import Problem, ToolError

_REGION = Field(
    description="Mirrored into the header Mcp-Param-Region.",
    json_schema_extra={"x-mcp-header": "Region"},
)


class Plain(Answer):
    """An answer of one line."""


def _reads(
    title: str, question: str, arguments: dict[str, Any] | None = None
) -> Callable[[Callable[..., Any]], Tool]:
    """Declare a tool that asks nobody."""
    example = Example(question, arguments or {})
    return tool(title=title, kind=Kind.READS, cost=Cost(reads=0), example=example)


@_reads("Simple text", "Answer with text.")
async def test_simple_text(call: Call) -> Plain:
    """Answer with one line of text, without asking anybody."""
    return Plain(headline="This is a simple text response for testing.")


@_reads("Error", "Answer with an error.")
async def test_error_handling(call: Call) -> Plain:
    """Answer with an error, which the suite wants to see as a result."""
    message = "This tool intentionally returns an error for testing"
    raise ToolError(Problem("intended", f"{message}.", "Do not repeat it."))


@_reads("Mirrored header", "Which region?", {"region": "eu"})
async def test_x_mcp_header(call: Call, region: Annotated[str, _REGION] = "none") -> Plain:  # noqa: PT028
    """Answer with the parameter that a client has to repeat in a header."""
    return Plain(headline=f"The region is {region}.")


@_reads("Progress", "How far is it?")
async def test_tool_with_progress(call: Call) -> Plain:
    """Report three times how much is done, and answer with one line of text."""
    for done in (0, 50, 100):
        await call.progress(done, 100, f"{done} of 100 done.")
    return Plain(headline="Done.")


@_reads("JSON Schema 2020-12", "Which keywords arrive?")
async def json_schema_2020_12_tool(call: Call) -> Plain:
    """A tool whose schema has keywords that clients have to receive unchanged."""
    return Plain(headline="Called.")


class _WithKeywords(Tool):
    """A tool with the schema below, whatever its parameters are."""

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        return _KEYWORDS


_KEYWORDS: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def _declared(tool: Tool) -> dict[str, Any]:
    return {one.name: getattr(tool, one.name) for one in fields(Tool)}


TOOLS: Final[tuple[Tool, ...]] = (
    test_simple_text,
    test_error_handling,
    test_x_mcp_header,
    test_tool_with_progress,
    _WithKeywords(
        **{one.name: getattr(json_schema_2020_12_tool, one.name) for one in fields(Tool)}
    ),
)
