"""The SDK's transports: one that streams an answer to the client, one that returns it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.types import Message as AsgiMessage
from starlette.types import Receive, Scope, Send

from productive_gateway.mcp.config import MAX_BODY
from productive_gateway.mcp.message import Message

_HEADERS: Final = (
    (b"content-type", b"application/json"),
    (b"accept", b"application/json, text/event-stream"),
)
"""What the transport requires of each message; a batch is answered in JSON whatever it accepts."""


class SdkTransport:
    """The SDK's server behind HTTP, without sessions."""

    def __init__(self, server: Server[dict[str, Any]]) -> None:
        self._streaming = StreamableHTTPSessionManager(
            server, stateless=True, json_response=False, max_request_body_size=MAX_BODY
        )
        self._returning = StreamableHTTPSessionManager(
            server, stateless=True, json_response=True, max_request_body_size=MAX_BODY
        )

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Serve requests while the context is entered; it can be entered only once."""
        async with self._streaming.run(), self._returning.run():
            yield

    async def stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a disconnect of the client cancels it."""
        await self._streaming.handle_request(scope, receive, send)

    async def answer(self, scope: Scope, message: Message) -> Message | None:
        """Return the answer to one message of a batch; None if it gets none.

        Notifications that a tool sends on its way, such as progress, are dropped.
        """
        sent: list[AsgiMessage] = []
        body = json.dumps(message).encode()
        bodies: list[AsgiMessage] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> AsgiMessage:
            if not bodies:
                await anyio.sleep_forever()
            return bodies.pop()

        async def send(part: AsgiMessage) -> None:
            sent.append(part)

        names = {name for name, _ in _HEADERS} | {b"content-length"}
        kept = [(name, value) for name, value in scope["headers"] if name not in names]
        await self._returning.handle_request(
            {**scope, "headers": [*kept, *_HEADERS]}, receive, send
        )
        content = b"".join(part.get("body", b"") for part in sent)
        answer: Message | None = json.loads(content) if content else None
        return answer
