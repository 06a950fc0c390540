"""An answer that is sent by one message: an extension of ASGI between the gateway's own parts.

ASGI has two messages for an answer, and each passes through every layer. uvicorn then checks and
writes each header anew, though nearly all are the same in every answer. A `Connection` that can
take an answer as a whole says so in the scope; tests and other servers get the two messages.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from starlette.types import Message, Scope, Send
from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    RequestResponseCycle,
)

WHOLE_ANSWER: Final = "productive_mcp.whole_answer"
"""Name of the extension in the scope, and type of its message. The message has the status, the
headers without content-length, and the body in pieces."""
BEGINNINGS: Final = frozenset({"http.response.start", WHOLE_ANSWER})
"""Types of messages that have the status and the headers of an answer."""

_JOINED: Final = 16 * 1024
"""Bytes of a body that is copied behind its head, so that both are written as one."""
_OF_THE_CONNECTION: Final = frozenset({b"connection", b"content-length", b"transfer-encoding"})

_KEPT_ALIVE: Final = (b"connection", b"keep-alive")
"""Sent with streams of events; it says what holds in any case."""


async def send_whole(
    scope: Scope, send: Send, status: int, headers: Iterable[tuple[bytes, bytes]], *body: bytes
) -> None:
    """Send an answer, by one message if the server takes it.

    Args:
        scope: of the request.
        send: of the request.
        status: of an answer that has a body.
        headers: without content-length.
        body: its pieces, at least one; they are not copied together if they are long.
    """
    whole = {"type": WHOLE_ANSWER, "status": status, "headers": headers, "body": body}
    if WHOLE_ANSWER in scope.get("extensions", ()):
        await send(whole)
    else:
        await send_parts(send, whole)


async def send_parts(send: Send, whole: Message) -> None:
    """Send a whole answer as the two messages of ASGI."""
    body = b"".join(whole["body"])
    headers = [*whole["headers"], (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": whole["status"], "headers": headers})
    await send({"type": "http.response.body", "body": body})


def write_whole(cycle: RequestResponseCycle, whole: Message) -> bool:
    """Write an answer as uvicorn would, and end the request.

    Args:
        cycle: the request.
        whole: its answer.

    Returns:
        Whether it was written. uvicorn has to send what is unusual: to a client that does not read
        or is gone, to HEAD, and with headers that are about the connection.

    Raises:
        RuntimeError: a header would be malformed.
    """
    if (
        cycle.response_started
        or cycle.disconnected
        or cycle.flow.write_paused
        or cycle.scope["method"] == "HEAD"
    ):
        return False
    body: tuple[bytes, ...] = whole["body"]
    length = sum(map(len, body))
    lines = [STATUS_LINE[whole["status"]], *map(_line, cycle.default_headers)]
    lines += map(_line, whole["headers"])
    if b"" in lines:
        return False
    lines.append(b"content-length: %d\r\n" % length)
    lines.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
    cycle.response_started = cycle.response_complete = True
    if length <= _JOINED:
        cycle.transport.write(b"".join([*lines, *body]))
    else:
        cycle.transport.writelines([b"".join(lines), *body])
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


# The same few come with every answer, except for the id of the request.
@lru_cache(maxsize=256)
def _line(header: tuple[bytes, bytes]) -> bytes:
    """Return the line of a header; nothing for one that is about the connection.

    Raises:
        RuntimeError: name or value would be malformed (uvicorn's own checks).
    """
    name, value = header
    if HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
        raise RuntimeError("A header of the answer is malformed.")
    name = name.lower()
    is_usual = name not in _OF_THE_CONNECTION or header == _KEPT_ALIVE
    return b"%s: %s\r\n" % (name, value) if is_usual else b""
