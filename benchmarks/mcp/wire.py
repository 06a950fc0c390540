"""The requests that are measured, as a client of each revision sends them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MODERN = "2026-07-28"
LEGACY = ("2025-11-25", "2025-06-18")
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "1.0.0"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


@dataclass(frozen=True, slots=True)
class Message:
    """One request to an MCP endpoint, without what depends on the server."""

    headers: Mapping[str, str]
    body: bytes

    def to(self, host: str, path: str, token: str | None) -> bytes:
        """Return the whole HTTP request."""
        headers = {"Host": host, **self.headers, "Content-Length": str(len(self.body))}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + self.body


def message(method: str, revision: str, **params: Any) -> Message:
    """Return a request of a method."""
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": revision,
    }
    if revision == MODERN:
        headers["Mcp-Method"] = method
        if "name" in params:
            headers["Mcp-Name"] = params["name"]
        params = {**params, "_meta": META}
    asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return Message(headers, json.dumps(asked, separators=(",", ":")).encode())


def call(tool: str, revision: str, **arguments: Any) -> Message:
    """Return a call of a tool."""
    return message("tools/call", revision, name=tool, arguments=arguments)


def result_in(content_type: str, body: str) -> dict[str, Any]:
    """Return the result in an answer, which is JSON or a stream of events.

    Raises:
        ValueError: there is none.
    """
    if content_type.startswith("text/event-stream"):
        events = [line for line in body.splitlines() if line.startswith("data: {")]
        body = events[-1].removeprefix("data: ") if events else "null"
    answer = json.loads(body)
    if not isinstance(answer, dict) or not isinstance(answer.get("result"), dict):
        raise ValueError(f"no result in {body[:300]}")  # noqa: TRY004  # of a text, not of a type
    result: dict[str, Any] = answer["result"]
    if result.get("isError"):
        raise ValueError(f"the tool failed: {body[:300]}")
    return result
