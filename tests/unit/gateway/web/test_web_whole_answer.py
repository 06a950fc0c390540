"""Answers that are sent by one message, beside the two messages of ASGI: the same on the wire."""

from __future__ import annotations

import asyncio
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from harness.portkit import one_answer, rest, serving
from productive_gateway.web.whole_answer import WHOLE_ANSWER, send_parts, send_whole, write_whole

HEADERS = [(b"content-type", b"application/json"), (b"X-Own", b"a b"), (b"vary", b"Origin")]
PIECES = {b"/short": (b"{", b"}"), b"/long": (b"[", b"a" * 70_000, b"]")}
BODIES = {path: b"".join(pieces) for path, pieces in PIECES.items()}
STREAM = [(b"content-type", b"text/event-stream"), (b"connection", b"keep-alive")]
GET = b"GET %s HTTP/1.1\r\nhost: x\r\n%s\r\n"


class Twice:
    """Answers a path as a whole, and the same path below /parts by two messages."""

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self.headers = headers
        self.offered: list[bool] = []

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        self.offered.append(WHOLE_ANSWER in scope.get("extensions", {}))
        path = scope["raw_path"].removeprefix(b"/parts")
        if path != scope["raw_path"]:
            scope = {**scope, "extensions": {}}
        await send_whole(scope, send, 401, self.headers, *PIECES[path])


def without_date(answer: bytes) -> tuple[bytes, ...]:
    """Return the lines of an answer in any order: that of headers has no meaning."""
    head, _, body = re.sub(rb"date: [^\r]*\r\n", b"", answer).partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    return status, *sorted(lines), body


@pytest.mark.parametrize("path", list(BODIES))
@pytest.mark.parametrize("more", [b"", b"x: y\r\n"])
@pytest.mark.parametrize("headers", [HEADERS, STREAM], ids=["JSON", "stream"])
async def test_whole_answer_and_the_next_are_as_those_in_two_messages(
    path: bytes, more: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    app = Twice(headers)
    async with serving(app) as connect:
        reader, writer = await connect()
        seen = []
        for prefix in (b"", b"/parts", b""):
            writer.write(GET % (prefix + path, more))
            seen.append(without_date(await one_answer(reader)))
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][-1] == BODIES[path]
    assert app.offered == [True, True, True]


@pytest.mark.parametrize(
    "request_",
    [
        b"GET %s HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"GET %s HTTP/1.0\r\n\r\n",
        b"HEAD %s HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"POST %s HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\nab",
    ],
    ids=["close", "HTTP/1.0", "HEAD", "POST"],
)
@pytest.mark.parametrize("headers", [HEADERS, STREAM], ids=["JSON", "stream"])
async def test_connection_ends_after_a_whole_answer_where_it_does_otherwise(
    request_: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    seen = []
    async with serving(Twice(headers)) as connect:
        for prefix in (b"", b"/parts"):
            reader, writer = await connect()
            writer.write(request_ % (prefix + b"/long"))
            seen.append(without_date(await rest(reader)))
    assert seen[0] == seen[1]


async def test_headers_about_the_connection_are_left_to_uvicorn() -> None:
    seen = []
    async with serving(Twice([*HEADERS, (b"Connection", b"close")])) as connect:
        for prefix in (b"", b"/parts"):
            reader, writer = await connect()
            writer.write(GET % (prefix + b"/short", b""))
            seen.append(without_date(await rest(reader)))
    assert seen[0] == seen[1]
    assert b"Connection: close" in seen[0] or b"connection: close" in seen[0]


async def test_request_whose_body_is_awaited_gets_two_messages() -> None:
    app = Twice(HEADERS)
    async with serving(app) as connect:
        reader, writer = await connect()
        writer.write(b"POST /short HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n")
        assert b"connection: close" in await rest(reader)
    assert app.offered == [False]


async def test_pipelined_requests_get_whole_answers_in_order() -> None:
    async with serving(Twice(HEADERS)) as connect:
        reader, writer = await connect()
        writer.write(GET % (b"/short", b"") + GET % (b"/long", b"") + GET % (b"/short", b""))
        bodies = [without_date(await one_answer(reader))[-1] for _ in range(3)]
    assert bodies == [BODIES[b"/short"], BODIES[b"/long"], BODIES[b"/short"]]


async def test_answer_to_a_client_that_does_not_read_waits_until_it_does() -> None:
    async with serving(Twice(HEADERS)) as connect:
        reader, writer = await connect()
        writer.write((GET % (b"/long", b"")) * 200)
        await asyncio.sleep(0.2)
        for _ in range(200):
            assert without_date(await one_answer(reader))[-1] == BODIES[b"/long"]


class Cycle:
    """What `write_whole` needs of a request."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.response_started = self.response_complete = self.disconnected = False
        self.write_paused, self.flow, self.transport = False, self, self
        self.scope, self.default_headers, self.keep_alive = {"method": "GET"}, [], True
        self.message_event, self.write = asyncio.Event(), self.written.append

    def on_response(self) -> None:
        assert self.response_complete


@pytest.mark.attack("L-11")
@given(
    name=st.binary(max_size=6) | st.sampled_from([b"x", b"X-a"]),
    value=st.binary(max_size=6) | st.sampled_from([b"a\r\nb: c", b"a\nb", b"a\0"]),
)
@example(name=b"a\r\nb", value=b"c")
@example(name=b"a\nb", value=b"c")
def test_a_malformed_header_is_never_written(name: bytes, value: bytes) -> None:
    cycle = Cycle()
    headers = [(b"a", b"b"), (name, value)]
    whole = {"type": WHOLE_ANSWER, "status": 200, "headers": headers, "body": (b"{", b"}")}
    try:
        write_whole(cycle, whole)  # type: ignore[arg-type]
    except RuntimeError:
        assert cycle.written == []
        assert not cycle.response_started
        return
    [written] = cycle.written
    assert len(written.split(b"\r\n")) == 6
    assert not re.search(rb"[\0\n]", written.replace(b"\r\n", b""))


@pytest.mark.parametrize("state", ["disconnected", "response_started", "write_paused"])
def test_unusual_states_are_left_to_uvicorn(state: str) -> None:
    cycle = Cycle()
    setattr(cycle, state, True)
    whole = {"type": WHOLE_ANSWER, "status": 200, "headers": [], "body": (b"{", b"}")}
    assert not write_whole(cycle, whole)  # type: ignore[arg-type]
    assert cycle.written == []


async def test_two_messages_say_the_length() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await send_parts(send, {"status": 200, "headers": [(b"a", b"b")], "body": (b"a", b"bc")})
    start, body = sent
    assert start["headers"] == [(b"a", b"b"), (b"content-length", b"3")]
    assert body["body"] == b"abc"
