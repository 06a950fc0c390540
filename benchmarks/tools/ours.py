"""The workflows through the real /mcp endpoint, over a simulator in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from benchmarks.tools.measured import Definitions, Work
from benchmarks.tools.tokens import compact, tokens
from benchmarks.tools.waves import Waves
from benchmarks.workflows.workflow import Workflow

from harness.mcpkit import KEYS, NOW, McpServer, mcp_server, person, request, result_of
from productive_contract.mapping import Person
from productive_gateway.mcp.instructions import instructions_for
from productive_gateway.tools.registry import TOOLS
from productive_gateway.tools.writes.writes import Writes

T = TypeVar("T")


@dataclass
class Ledgers:
    """Ledgers that can be forgotten while the gateway goes on."""

    contents: dict[str, bytes | None] = field(default_factory=dict)

    async def swap(
        self, person: Person, decide: Callable[[bytes | None], tuple[bytes | None, T]]
    ) -> T:
        content, answer = decide(self.contents.get(person.uid))
        if content is not None:
            self.contents[person.uid] = content
        return answer


@dataclass(frozen=True, slots=True)
class Ours:
    """One workflow with nothing remembered, and again with what the first time left."""

    cold: Work
    warm: Work


async def definitions() -> Definitions:
    """Return what a normal member's client loads, by the bytes on the wire."""
    async with mcp_server() as server:
        answer = await server.post(request("tools/list"))
        allowed = server.tools.registry.allowed(person())
        instructions = instructions_for(allowed)
        return Definitions(
            tools=len(result_of(answer)["result"]["tools"]),
            list_bytes=len(answer.content),
            list_tokens=tokens(answer.text),
            instruction_bytes=len(instructions.encode()),
            instruction_tokens=tokens(instructions),
        )


async def tool_tokens() -> dict[str, int]:
    """Return the tokens of each tool's definition."""
    async with mcp_server() as server:
        listed = result_of(await server.post(request("tools/list")))["result"]["tools"]
        return {tool["name"]: tokens(compact(tool)) for tool in listed}


def missing(workflow: Workflow) -> list[str]:
    """Return the tools that a workflow needs and that do not exist."""
    known = {tool.name for tool in TOOLS}
    return list(dict.fromkeys(step.tool for step in workflow.steps if step.tool not in known))


async def measure(workflow: Workflow) -> Ours:
    """Do a workflow twice at one gateway, each time from the seed and with nothing written yet."""
    ledgers = Ledgers()
    writes = Writes.over(ledgers, KEYS, clock=lambda: NOW)
    async with mcp_server(writes=writes) as server:
        waves = Waves()
        server.tools.transport.before = waves.begin
        server.tools.transport.after = waves.end
        cold = await _work(server, workflow, waves)
        server.tools.world.reset()
        ledgers.contents.clear()
        return Ours(cold, await _work(server, workflow, waves))


async def _work(server: McpServer, workflow: Workflow, waves: Waves) -> Work:
    work, world = Work(), server.tools.world
    answers: list[Mapping[str, Any]] = []
    for step in workflow.steps:
        try:
            given = step.given(answers)
        except (KeyError, IndexError) as error:
            work.wrong = work.wrong or f"the answer before {step.tool} lacks {error}"
            break
        waves.clear()
        result = await _call(server, step.tool, given)
        structure = result.get("structuredContent", {})
        text = "\n".join(part["text"] for part in result["content"])
        answers.append(structure)
        work.depth += waves.depth
        work.add(step.tool, given, text, structure)
        if result.get("isError") and structure.get("error", {}).get("confirm") is None:
            work.wrong = f"{step.tool}: {text.splitlines()[0]}"
    work.requests = len(world.log)
    work.judge(workflow, world, compact(answers))
    return work


async def _call(server: McpServer, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    message = request("tools/call", name=name, arguments=arguments)
    found: dict[str, Any] = result_of(await server.post(message))["result"]
    return found
