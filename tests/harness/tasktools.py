"""Calls of tools in tests: each answer is checked against what every answer must fulfil."""

from __future__ import annotations

from typing import Any

from harness.mcpkit import SimulatedTools, person, principal
from harness.toolkit import said_alike
from productive_contract.mapping import Access
from productive_dev.simulator.records import Record
from productive_gateway.people.principal import Principal
from productive_gateway.tools.registry import TOOLS, Answer

READ_ONLY = principal(person(access=Access(read_only=True)))
MANAGER = principal(person("simulator-manager", user_id=9103, email="marko@northlight.example"))
_IDENTITY = "/organization_memberships"
_STAMPS = frozenset(
    {"updated_at", "last_activity_at", "edited_at", "placement", "closed_at", "created_at"}
)
"""What writing and undoing moves on."""
_MOST_WRITES = 10
"""Of one call in these tests; the cost of undoing is of one write."""
_NOT_COMPARED = frozenset({"activities"})
_ACTORS = frozenset({"last_actor", "updater", "creator"})


async def ask(
    tools: SimulatedTools,
    name: str,
    who: Principal | None = None,
    /,
    *,
    things: int = 1,
    **arguments: Any,
) -> Answer:
    """Call a tool; text and structure must agree, and its requests be within its cost.

    Args:
        tools: the tools.
        name: of the tool.
        who: calls it; Ana Kovač if nobody else.
        things: how many things the call is about; the cost is of one.
        arguments: of the call.
    """
    tool = next(one for one in TOOLS if one.name == name)
    before = len(tools.requests())
    answer = await tools.registry.call(who or principal(), name, arguments)
    said_alike(answer, tool)
    sent = [one for one in tools.requests()[before:] if one.path != _IDENTITY]
    reads = [one for one in sent if one.method == "GET"]
    assert len(reads) <= tool.cost.reads * things, reads
    assert len(sent) - len(reads) <= tool.cost.writes * things, sent
    return answer


async def ok(
    tools: SimulatedTools,
    name: str,
    who: Principal | None = None,
    /,
    *,
    things: int = 1,
    **arguments: Any,
) -> dict[str, Any]:
    """Call a tool that must succeed, and return the structure of its answer."""
    answer = await ask(tools, name, who, things=things, **arguments)
    assert not answer.is_error, answer.text
    return answer.structured


async def refused(
    tools: SimulatedTools, name: str, who: Principal | None = None, /, **arguments: Any
) -> dict[str, Any]:
    """Call a tool that must fail without writing anything, and return its error."""
    answer = await ask(tools, name, who, **arguments)
    assert answer.is_error, answer.text
    assert not writes(tools)
    error: dict[str, Any] = answer.structured["error"]
    return error


async def confirmed(
    tools: SimulatedTools,
    name: str,
    who: Principal | None = None,
    /,
    *,
    says: tuple[str, ...] = (),
    **arguments: Any,
) -> dict[str, Any]:
    """Call a tool that asks first, agree, and return the structure of its answer.

    Args:
        tools: the tools.
        name: of the tool.
        who: calls it.
        says: what the preview must contain.
        arguments: of the call.
    """
    before = state(tools)
    error = (await ask(tools, name, who, **arguments)).structured["error"]
    assert error["code"] == "needs_confirmation", error
    assert state(tools) == before
    for words in says:
        assert words in error["message"], error["message"]
    return await ok(tools, name, who, **arguments, confirm=error["confirm"])


async def undone(tools: SimulatedTools, answer: dict[str, Any]) -> dict[str, Any]:
    """Undo a call by the handle of its answer."""
    return await ok(tools, "undo", things=_MOST_WRITES, handle=answer["undo"])


def writes(tools: SimulatedTools) -> list[tuple[str, str]]:
    """Return method and path of all writes that the simulator answered."""
    return [(one.method, one.path) for one in tools.requests() if one.method != "GET"]


def record(tools: SimulatedTools, kind: str, number: str) -> Record:
    """Return a record of the simulator, past all rights."""
    found = tools.world.state.get(kind, number)
    assert found is not None, (kind, number)
    return found


def state(tools: SimulatedTools) -> dict[str, Any]:
    """Return all that the simulator holds, without what each write moves on.

    A dependency that is made again has a new id, so it is named by its tasks.
    """
    return {
        _named(one): (
            {name: value for name, value in one.attributes.items() if name not in _STAMPS},
            {name: to for name, to in one.relations.items() if name not in _ACTORS},
        )
        for kind in tools.world.state.kinds()
        if kind not in _NOT_COMPARED
        for one in tools.world.state.all(kind)
    }


def _named(one: Record) -> str:
    if one.type == "task_dependencies":
        return f"{one.to_one('task')} {one.to_one('dependent_task')}"
    return f"{one.type}/{one.id}"
