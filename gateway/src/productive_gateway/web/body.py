"""The body of a request, read within bounds, and handed on as if it had not been read."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from starlette.responses import Response
from starlette.types import Message, Receive

from productive_gateway.mcp.config import MAX_BODY
from productive_gateway.mcp.responses import Refused, refusal
from productive_gateway.web.headers import RawHeaders, single, values

_LENGTH: Final = re.compile(r"[0-9]{1,20}")
SECONDS: Final = 30.0
"""Within which the whole body must arrive."""


class Disconnected(Exception):
    """The client went away."""


async def read_body(headers: RawHeaders, receive: Receive) -> bytes:
    """Return the whole body.

    Raises:
        Refused: too large, compressed, or too slow.
        Disconnected: the client went away meanwhile.
    """
    if values(headers, b"content-encoding"):
        raise Refused(refusal(415, "unsupported_encoding", "Send the request without compression."))
    declared = single(headers, b"content-length")
    if declared is not None and _LENGTH.fullmatch(declared) and int(declared) > MAX_BODY:
        raise Refused(_too_large())
    try:
        async with asyncio.timeout(SECONDS):
            return await _read(receive)
    except TimeoutError as error:
        sentence = "The request took too long to arrive. Send it again."
        raise Refused(refusal(408, "timeout", sentence, {"connection": "close"})) from error


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body once more, and then what really comes."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body.extend(message.get("body", b""))
        if len(body) > MAX_BODY:
            raise Refused(_too_large())
        if not message.get("more_body", False):
            return bytes(body)


def _too_large() -> Response:
    sentence = f"The request is larger than {MAX_BODY // 1024 // 1024} MiB. Send less at once."
    return refusal(413, "too_large", sentence)
