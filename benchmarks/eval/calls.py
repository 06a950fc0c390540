"""Watches the calls of tools that pass an MCP endpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Called:
    """One call of a tool."""

    tool: str
    text: str
    """Of the answer."""
    failed: bool
    turn: int
    """One more than the latest turn of all calls that were answered when it came."""


@dataclass
class Calls:
    """The calls since the start."""

    made: list[Called] = field(default_factory=list)

    @property
    def turns(self) -> int:
        return max((one.turn for one in self.made), default=0)

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return the endpoint with its calls watched."""

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            turn, asked, answered = self.turns + 1, bytearray(), bytearray()

            async def receiving() -> Message:
                message = await receive()
                asked.extend(message.get("body", b""))
                return message

            async def sending(message: Message) -> None:
                answered.extend(message.get("body", b""))
                await send(message)

            await app(scope, receiving, sending)
            self._note(bytes(asked), bytes(answered), turn)

        return watched

    def _note(self, asked: bytes, answered: bytes, turn: int) -> None:
        request = _json(asked)
        if request.get("method") != "tools/call":
            return
        # The answer may be an event stream: its last message is the result.
        lines = answered.decode(errors="replace").replace("data: ", "").splitlines()
        result: Mapping[str, Any] = next(
            (found["result"] for line in reversed(lines) if "result" in (found := _json(line))), {}
        )
        text = "\n".join(part.get("text", "") for part in result.get("content", ()))
        failed = bool(result.get("isError", not result))
        self.made.append(Called(request["params"]["name"], text, failed, turn))


def _json(text: bytes | str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
