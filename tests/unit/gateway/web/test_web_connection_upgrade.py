"""Requests on real sockets that ask for another protocol."""

from __future__ import annotations

import asyncio

import pytest

from harness.portkit import GET, HEAD, echo, one_answer, rest, serving

UPGRADES = {
    "HTTP/2": b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMA\r\n",
    "WebSocket": b"connection: upgrade\r\nupgrade: websocket\r\n",
    "repeated": b"connection: keep-alive\r\nconnection: upgrade\r\nupgrade: h2c, TLS/1.3\r\n",
}

HIDDEN = b"GET /hidden HTTP/1.1\r\nhost: x\r\n\r\n"
"""A request that is the body of another one."""


def framed(body: bytes, *, chunked: bool) -> tuple[bytes, bytes]:
    """Return the end of a head, and the body as it is sent."""
    if chunked:
        half = len(body) // 2
        chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:], b"")]
        return b"transfer-encoding: chunked\r\n\r\n", b"".join(chunks)
    return b"content-length: %d\r\n\r\n" % len(body), body


@pytest.mark.attack("L-11")
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("packets", ["one", "two", "many"])
@pytest.mark.parametrize("upgrade", UPGRADES.values(), ids=UPGRADES.keys())
async def test_body_of_a_request_that_asks_for_another_protocol_is_its_body(
    upgrade: bytes, packets: str, chunked: bool
) -> None:
    """RFC 9110 7.8: a server may ignore an upgrade, and goes on in HTTP/1.1."""
    async with serving(echo) as connect:
        reader, writer = await connect()
        end, body = framed(HIDDEN, chunked=chunked)
        head = HEAD + upgrade + end
        pieces = {
            "one": [head + body],
            "two": [head, body],
            "many": [bytes([byte]) for byte in head + body],
        }[packets]
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.2 if packets == "two" else 0)
        answered = await rest(reader)
    assert answered.startswith(b"HTTP/1.1 200 ")
    assert answered.count(b"HTTP/1.1 200 ") == 1
    assert b"\r\nconnection: close\r\n" in answered
    assert answered.endswith(b"\r\n\r\n" + HIDDEN)


@pytest.mark.attack("L-11")
@pytest.mark.parametrize("follows", [GET, b"\x00\x01 no HTTP", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
@pytest.mark.parametrize("begin", [GET[:-2], HEAD + b"content-length: 0\r\n"])
async def test_what_follows_a_request_that_asks_for_another_protocol_is_ignored(
    begin: bytes, follows: bytes
) -> None:
    async with serving(echo) as connect:
        reader, writer = await connect()
        writer.write(begin + UPGRADES["HTTP/2"] + b"\r\n" + follows)
        answered = await rest(reader)
    assert answered.startswith(b"HTTP/1.1 200 ")
    assert answered.count(b"HTTP/1.1") == 1


@pytest.mark.attack("L-11")
@pytest.mark.parametrize(
    "rest_", [b"chunked\r\n\r\nnonsense\r\n", b"xchunked\r\n\r\n0\r\n\r\n", b"\x0bchunked\r\n\r\n"]
)
async def test_malformed_body_of_a_request_that_asks_for_another_protocol_is_refused(
    rest_: bytes,
) -> None:
    async with serving(echo) as connect:
        reader, writer = await connect()
        writer.write(HEAD + UPGRADES["HTTP/2"] + b"transfer-encoding: " + rest_)
        answered = await rest(reader)
    assert answered.startswith(b"HTTP/1.1 400 ")
    assert answered.count(b"HTTP/1.1") == 1


@pytest.mark.attack("L-10")
async def test_body_of_a_request_that_asks_for_another_protocol_has_a_deadline() -> None:
    async with serving(echo, body=0.2) as connect:
        reader, writer = await connect()
        writer.write(HEAD + UPGRADES["HTTP/2"] + b"content-length: 5\r\n\r\nab")
        assert (await rest(reader)).startswith(b"HTTP/1.1 408 ")


async def test_requests_before_one_that_asks_for_another_protocol_are_answered_first() -> None:
    async with serving(echo) as connect:
        reader, writer = await connect()
        first = HEAD + b"content-length: 5\r\n\r\nfirst"
        last = HEAD + UPGRADES["HTTP/2"] + b"content-length: 4\r\n\r\nlast"
        writer.write(first + first + last)
        for body in (b"first", b"first", b"last"):
            assert (await one_answer(reader)).endswith(body)
        assert await rest(reader) == b""
