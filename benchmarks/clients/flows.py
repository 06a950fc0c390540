"""What a client does to the simulator, and what is to come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.clients.sources import Source

ANA = ("simulator-ana-kovac", "9104")
MANAGER = ("simulator-manager", "9103")


@dataclass(frozen=True, slots=True)
class Flow:
    """One call of a client's tool."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    refused: str | None = None
    """Why it has to fail: the source that says that the client is wrong, or what is not simulated;
    None if it has to work."""

    def __str__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{self.tool}({given})"


@dataclass(frozen=True, slots=True)
class Client:
    """A client with its flows, in an order: what one makes, a later one may use."""

    source: Source
    flows: tuple[Flow, ...]
    person: tuple[str, str] = MANAGER
    """Token and id of the person that it acts as."""
