"""The body of a request, read within bounds, and handed on as if it had not been read."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from productive_gateway.web.errors import BadRequest
from productive_gateway.web.headers import RawHeaders, single, values

_LENGTH: Final = re.compile(r"[0-9]{1,20}")
SECONDS: Final = 30.0
"""Within which the whole body must arrive."""


class ArrivedBody:
    """The `receive` of a request whose body had arrived before the application began.

    It is as any other, but the body can be taken at once too, without a deadline and a wait.
    """

    __slots__ = ("_receive", "_take")

    def __init__(self, receive: Receive, take: Callable[[], bytes | None]) -> None:
        """Wrap a `receive`.

        Args:
            receive: gives the body unless it was taken.
            take: takes the body; returns None if it cannot be taken at once any more.
        """
        self._receive = receive
        self._take = take

    def __call__(self) -> Awaitable[Message]:
        """Receive as usual."""
        return self._receive()

    def take(self) -> bytes | None:
        """Take the body; None if it cannot be taken at once."""
        return self._take()


def _any_size(size: int) -> None:
    """Take a body of any size."""


def arrived_body(
    headers: RawHeaders,
    receive: Receive,
    *,
    limit: int,
    expect: Callable[[int], None] = _any_size,
) -> bytes | None:
    """Return the whole body if it is here already; otherwise take nothing of it.

    Args:
        headers: of the request, without blanks around their values (`stripped`).
        receive: of the request.
        limit: bytes that the body may have.
        expect: as in `read_body`.

    Raises:
        BadRequest: compressed (415), or longer than `limit` (413).
    """
    _check_headers(headers, limit, expect)
    body = receive.take() if isinstance(receive, ArrivedBody) else None
    if body is not None:
        if len(body) > limit:
            raise _too_large(limit)
        expect(len(body))
    return body


async def read_body(
    headers: RawHeaders,
    receive: Receive,
    *,
    limit: int,
    expect: Callable[[int], None] = _any_size,
) -> bytes:
    """Return the whole body, and never hold more than `limit` bytes of it.

    Args:
        headers: of the request, without blanks around their values (`stripped`).
        receive: of the request.
        limit: bytes that the body may have.
        expect: called with its declared length, and with what of it has arrived; what it raises
            ends the reading.

    Raises:
        BadRequest: compressed (415), longer than `limit` (413), or too slow (408).
        ClientDisconnect: the client went away meanwhile.
    """
    arrived = arrived_body(headers, receive, limit=limit, expect=expect)
    if arrived is not None:
        return arrived
    try:
        async with asyncio.timeout(SECONDS):
            return await _read(receive, limit, expect)
    except TimeoutError as error:
        raise BadRequest(
            "The request took too long to arrive. Send it again.", status=408, reason="timeout"
        ) from error


def _check_headers(headers: RawHeaders, limit: int, expect: Callable[[int], None]) -> None:
    if any(value.lower() != b"identity" for value in values(headers, b"content-encoding")):
        raise BadRequest(
            "Send the request without compression.", status=415, reason="unsupported_encoding"
        )
    declared = single(headers, b"content-length")
    if declared is not None and _LENGTH.fullmatch(declared):
        if int(declared) > limit:
            raise _too_large(limit)
        expect(int(declared))


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


async def _read(receive: Receive, limit: int, expect: Callable[[int], None]) -> bytes:
    body, more = await _piece(receive)
    if more:
        # A piece is not kept while the next one is awaited: one buffer holds the body, no more.
        buffer = bytearray(body)
        del body
        while more:
            if len(buffer) > limit:
                raise _too_large(limit)
            expect(len(buffer))
            piece, more = await _piece(receive)
            buffer += piece
            del piece
        body = bytes(buffer)
    if len(body) > limit:
        raise _too_large(limit)
    expect(len(body))
    return body


async def _piece(receive: Receive) -> tuple[bytes, bool]:
    """Return what came of the body, and whether there is more."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


def _too_large(limit: int) -> BadRequest:
    size = f"{limit // 1024 // 1024} MiB" if limit >= 1024 * 1024 else f"{limit // 1024} KiB"
    return BadRequest(
        f"The request is larger than {size}. Send less at once.",
        status=413,
        reason="too_large",
    )
