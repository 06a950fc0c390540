"""Requests to /mcp as a client of each revision sends them, and answers read while they stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
from starlette.types import Message, Scope

from harness.mcpkit import JSON_HEADERS, META, MODERN, McpServer, request

OLDER: Final = ("2025-03-26", "2025-06-18", "2025-11-25")
"""The revisions with a handshake."""
REVISIONS: Final = (*OLDER, MODERN)
SERVER_INFO: Final = "io.modelcontextprotocol/serverInfo"
CLIENT_CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"
ASKS: Final = {**META, CLIENT_CAPABILITIES: {"elicitation": {}}}
"""`_meta` of a client that can show questions."""


def message_of(
    revision: str, method: str, params: Mapping[str, Any] | None = None, number: Any = 1
) -> dict[str, Any]:
    """Return a request of a revision."""
    given = dict(params or {})
    if revision == MODERN:
        given["_meta"] = {**META, **given.get("_meta", {})}
    return request(method, number, **given)


def headers_of(revision: str, message: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that a client of a revision sends with a message."""
    if revision == OLDER[0]:
        return dict(JSON_HEADERS)  # this revision has no header of its own
    headers = {**JSON_HEADERS, "mcp-protocol-version": revision}
    if revision == MODERN:
        headers["mcp-method"] = str(message["method"])
        params = message.get("params", {})
        if message["method"] in {"tools/call", "prompts/get", "resources/read"}:
            headers["mcp-name"] = str(params.get("name", params.get("uri")))
    return headers


def _request(
    revision: str,
    method: str,
    params: Mapping[str, Any] | None,
    *,
    number: Any = 1,
    token: str = "good",
    headers: Mapping[str, str] | None = None,
) -> tuple[Any, dict[str, str]]:
    """Return message and headers of a request as a client of a revision sends it."""
    message = message_of(revision, method, params, number)
    sent = {**headers_of(revision, message), "authorization": f"Bearer {token}", **(headers or {})}
    return message, sent


async def ask(
    mcp: McpServer,
    revision: str,
    method: str,
    params: Mapping[str, Any] | None = None,
    **rest: Any,
) -> httpx.Response:
    """Send a request as a client of a revision does; `number`, `token` and `headers` may differ."""
    message, sent = _request(revision, method, params, **rest)
    return await mcp.http.post("/mcp", content=json.dumps(message), headers=sent)


async def call(
    mcp: McpServer,
    revision: str,
    tool: str,
    arguments: Mapping[str, Any] | None = None,
    **rest: Any,
) -> httpx.Response:
    """Call a tool as a client of a revision does."""
    params = {"name": tool, "arguments": dict(arguments or {}), **rest.pop("params", {})}
    return await ask(mcp, revision, "tools/call", params, **rest)


def frames(response: httpx.Response) -> list[dict[str, Any]]:
    """Return the JSON-RPC messages of an answer, in their order."""
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        return [response.json()]
    return _frames(response.text)


def answered(response: httpx.Response) -> dict[str, Any]:
    """Return the result of an answer."""
    assert response.status_code == httpx.codes.OK, (response.status_code, response.text)
    result: dict[str, Any] = frames(response)[-1]["result"]
    return result


def refused(response: httpx.Response) -> tuple[int, int]:
    """Return status and error code of an answer."""
    return response.status_code, frames(response)[-1]["error"]["code"]


def _frames(text: str) -> list[dict[str, Any]]:
    lines = (line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: "))
    return [json.loads(line) for line in lines if line]


class Exchange:
    """A request over ASGI whose answer is read while it comes, and whose client may go away."""

    def __init__(self, mcp: McpServer, message: Any, headers: Mapping[str, str]) -> None:
        self._bodies: list[Message] = [
            {"type": "http.request", "body": json.dumps(message).encode(), "more_body": False}
        ]
        self._gone = asyncio.Event()
        self.noticed = asyncio.Event()
        """Set once the server was told that the client is gone."""
        self._sent: asyncio.Queue[Message] = asyncio.Queue()
        self._ended = False
        self.messages: list[Message] = []
        """What the server sent, whether or not it was read."""
        sent = {"host": "mcp.example.test", "authorization": "Bearer good", **headers}
        self._scope: Scope = {
            "type": "http",
            "method": "POST",
            "path": "/mcp",
            "query_string": b"",
            "headers": [(k.encode(), v.encode()) for k, v in sent.items()],
        }
        self.task = asyncio.ensure_future(mcp.endpoint(self._scope, self._receive, self._send))

    async def _receive(self) -> Message:
        if self._bodies:
            return self._bodies.pop()
        await self._gone.wait()
        self.noticed.set()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.messages.append(message)
        self._sent.put_nowait(message)

    def disconnect(self) -> None:
        """Let the client go away."""
        self._gone.set()

    async def head(self) -> tuple[int, dict[str, str]]:
        """Wait for the head of the answer; return its status and headers."""
        message = await self._sent.get()
        assert message["type"] == "http.response.start"
        return message["status"], {k.decode(): v.decode() for k, v in message["headers"]}

    async def chunk(self) -> str | None:
        """Wait for the next part of the body; None at its end."""
        if self._ended:
            return None
        message = await self._sent.get()
        self._ended = not message.get("more_body")
        text: str = message["body"].decode()
        return text if text or not self._ended else None

    async def frame(self) -> dict[str, Any] | None:
        """Wait for the next JSON-RPC message of a stream; None at its end."""
        while (text := await self.chunk()) is not None:
            if found := _frames(text):
                return found[0]
        return None


@asynccontextmanager
async def exchange(
    mcp: McpServer,
    revision: str,
    method: str,
    params: Mapping[str, Any] | None = None,
    **rest: Any,
) -> AsyncIterator[Exchange]:
    """Send as `ask` does; the answer is read while it comes; the client goes away at the end."""
    message, sent = _request(revision, method, params, **rest)
    one = Exchange(mcp, message, sent)
    try:
        yield one
    finally:
        one.disconnect()
        await one.task
