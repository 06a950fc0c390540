"""docs/tools.md: what each tool does, with an example question and its answer, limits and cost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from productive_dev.tooldocs.example import NOW, example_answer
from productive_gateway.tools.kit.answers import LARGEST
from productive_gateway.tools.kit.declare import Cost, Kind, Tool
from productive_gateway.tools.registry import SECONDS

COMMAND: Final = "make docs"
_INTRO: Final = f"""# Tools

This page is made from the tools themselves by `{COMMAND}`; a test fails when it is not current.

People talk to their assistant, and the assistant calls these tools. Everything is done with the
person's own Productive token, so nobody sees or changes more than in Productive. Things are
referred to by name, number, id or web link, and every form that an answer shows is taken back. Days
and periods are words ("yesterday", "last_week", "2026-W47") in the person's time zone; times are
hours.

The examples run as Ana Kovač against the [simulator](simulator.md), on
{NOW:%A}, {NOW:%-d} {NOW:%B} {NOW:%Y}. A sealed value, such as a cursor, is shown as "…".

For all tools: a call takes at most {SECONDS:.0f} seconds, whatever happens inside. The text of
an answer has at most {LARGEST:,} characters and says how many rows did not fit; a list goes on with
`next_cursor`. The cost is the most requests to Productive of a call about one thing, when nothing
is remembered; names are remembered for some minutes. The first call of a person takes one more.
"""
_KINDS: Final[Mapping[Kind, str]] = {
    Kind.READS: "reads",
    Kind.ADDS: "adds",
    Kind.CHANGES: "changes",
    Kind.DELETES: "deletes",
}


async def tools_page(tools: Sequence[Tool]) -> str:
    """Return the page, in the order in which the tools are listed."""
    parts = [_INTRO, "\n".join(_contents(tools))]
    for toolset, listed in groupby(tools, key=lambda tool: tool.toolset):
        parts.append(f"## Toolset {toolset}")
        parts += ["\n".join(_section(tool, await example_answer(tool))) for tool in listed]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _contents(tools: Sequence[Tool]) -> Iterator[str]:
    yield "| tool | toolset | does | what it is for |"
    yield "|---|---|---|---|"
    for tool in tools:
        first, _, _ = tool.description.partition(". ")
        link = f"[`{tool.name}`](#{tool.name})"
        yield f"| {link} | {tool.toolset} | {_KINDS[tool.kind]} | {first.rstrip('.')} |"


def _section(tool: Tool, answer: str) -> Iterator[str]:
    yield f"### {tool.name}"
    yield ""
    yield f"**{tool.title}** ({_KINDS[tool.kind]}). {tool.description}"
    parameters = list(_parameters(tool.input_schema))
    if parameters:
        yield ""
        yield "| parameter | takes |"
        yield "|---|---|"
        yield from parameters
    yield ""
    yield f"Cost: {_cost(tool.cost)}."
    yield ""
    arguments = json.dumps(dict(tool.example.arguments), ensure_ascii=False)
    yield f"“{tool.example.question}” → `{tool.name}({arguments})`"
    yield ""
    yield "```"
    # A fence within an answer would end this one.
    yield answer.replace("```", "'''")
    yield "```"


def _parameters(schema: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    required = schema.get("required", ())
    for name, about in schema.get("properties", {}).items():
        takes = "; ".join(_takes(about, required=name in required)).replace("|", "\\|")
        yield f"| `{prefix}{name}` | {takes} |"
        items = about.get("items", {})
        if "properties" in items:
            yield from _parameters(items, f"{prefix}{name}[].")


def _takes(about: Mapping[str, Any], *, required: bool) -> Iterator[str]:
    if required:
        yield "required"
    yield _type(about)
    if "description" in about:
        yield str(about["description"])
    if "default" in about and about["default"] not in (False, None):
        yield f"{str(about['default']).lower()} if left out"


def _type(about: Mapping[str, Any]) -> str:
    if "enum" in about:
        return ", ".join(f"`{value}`" for value in about["enum"])
    kind = {"string": "text", "boolean": "true or false", "integer": "whole number"}.get(
        about.get("type", ""), str(about.get("type", "value"))
    )
    if about.get("type") == "array":
        inner = _type(about.get("items", {}))
        bounds = _bounds(about, "minItems", "maxItems")
        return f"list of {bounds}{inner}" if inner != "object" else f"list of {bounds}objects"
    bounds = _bounds(about, "minimum", "maximum").strip()
    return f"{kind}, {bounds}" if bounds else kind


def _bounds(about: Mapping[str, Any], low: str, high: str) -> str:
    least, most = about.get(low), about.get(high)
    if most is None:
        return f"at least {least} " if least else ""
    return f"{least} to {most} " if least is not None else f"at most {most} "


def _cost(cost: Cost) -> str:
    reads = f"{cost.reads} {'request that reads' if cost.reads == 1 else 'requests that read'}"
    writes = f", {cost.writes} that write" + ("s" if cost.writes == 1 else "")
    return f"at most {reads}{writes if cost.writes else ''}"
