"""Runs the examples of tools against a simulator of their own, at a moment that never changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from productive_contract.mapping import Access, Person, State
from productive_contract.secret import Secret
from productive_dev.simulator.app import simulator
from productive_dev.simulator.config import SimulatorConfig
from productive_gateway.grants.ledger import PersonLedgers
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.people.principal import Principal
from productive_gateway.people.scopes import ALL
from productive_gateway.productive.wire.client import ProductiveApi
from productive_gateway.sealing.keys import FixedKeys, new_ring
from productive_gateway.tools.kit.declare import UNDO, Tool
from productive_gateway.tools.registry import TOOLS, ToolRegistry
from productive_gateway.tools.writes.writes import Writes

NOW: Final = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
"""A Monday, nine o'clock in Zagreb."""
_WHO: Final = Principal(
    person=Person(
        email="ana.kovac@northlight.example",
        uid="ana",
        user="people/ana.kovac",
        user_id=9104,
        state=State.ACTIVE,
        api_token=Secret("simulator-ana-kovac"),
        access=Access(),
    ),
    grant="example",
    client="example",
    scopes=frozenset(ALL),
)
_SEALED: Final = frozenset({"confirm", "next_cursor", "undo"})
"""Members of answers that are sealed with random bytes."""


async def example_answer(tool: Tool) -> str:
    """Return the text that answers a tool's example; what differs each time is shown as "…"."""
    keys = FixedKeys(new_ring(NOW.timestamp(), lambda size: bytes(range(size))))
    app = simulator(SimulatorConfig(clock=NOW.timestamp))
    async with httpx.ASGITransport(app) as http:
        api = ProductiveApi("http://simulator/api/v2", http, "1200", clock=NOW.timestamp)
        ledgers = PersonLedgers(MemoryGrantStore(), keys, clock=NOW.timestamp)
        registry = ToolRegistry(TOOLS, api, keys, Writes.over(ledgers, keys, clock=NOW.timestamp))
        arguments = tool.example.arguments
        if tool.example.first is not None:
            before = await registry.call(_WHO, *tool.example.first)
            handle = before.structured.get("undo")
            arguments = {
                name: handle if value == UNDO else value for name, value in arguments.items()
            }
        answer = await registry.call(_WHO, tool.name, arguments)
    text = answer.text
    for value in _sealed(answer.structured):
        text = text.replace(value, "…")
    lines = [line for line in text.splitlines() if not line.startswith("Request ")]
    return "\n".join(lines).strip()


def _sealed(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name in _SEALED and isinstance(value, str):
                yield value
            else:
                yield from _sealed(value)
    elif isinstance(node, list):
        for value in node:
            yield from _sealed(value)
