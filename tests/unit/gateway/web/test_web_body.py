"""The body of a request: taken at once if it has arrived, otherwise awaited within bounds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from harness.portkit import HEAD, answer, one_answer, rest, serving
from productive_gateway.web.body import ArrivedBody, arrived_body, read_body
from productive_gateway.web.errors import BadRequest
from productive_gateway.web.headers import stripped

LIMIT = 200_000


class Reader:
    """An application that answers with what it read, and how it came."""

    def __init__(self) -> None:
        self.after: asyncio.Queue[Message] = asyncio.Queue()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = stripped(scope)
        try:
            body = arrived_body(headers, receive, limit=LIMIT)
            how = b"waited" if body is None else b"at once"
            if body is None:
                body = await read_body(headers, receive, limit=LIMIT)
        except BadRequest as refused:
            await answer(send, str(refused.status).encode())
            return
        if body == b"wait":
            self.after.put_nowait(await receive())
            return
        await answer(send, how + b" %d " % len(body) + body[-4:])


def request(body: bytes, *headers: bytes) -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return HEAD + lines + b"content-length: %d\r\n\r\n" % len(body) + body


async def test_body_that_has_arrived_is_taken_at_once() -> None:
    async with serving(Reader()) as connect:
        reader, writer = await connect()
        for body in (b"abcd", b"", b"efgh"):
            writer.write(request(body))
            assert (await one_answer(reader)).endswith(b"at once %d %s" % (len(body), body))


async def test_body_that_comes_after_its_head_is_awaited() -> None:
    async with serving(Reader()) as connect:
        reader, writer = await connect()
        whole = request(b"abcd")
        writer.write(whole[:-2])
        await asyncio.sleep(0.05)
        writer.write(whole[-2:])
        assert (await one_answer(reader)).endswith(b"waited 4 abcd")


async def test_body_above_the_buffer_leaves_the_connection_usable() -> None:
    async with serving(Reader()) as connect:
        reader, writer = await connect()
        for _ in range(2):
            writer.write(request(b"a" * (LIMIT - 4) + b"done"))
            assert (await one_answer(reader)).endswith(b" %d done" % LIMIT)


async def test_pipelined_requests_have_their_own_bodies() -> None:
    async with serving(Reader()) as connect:
        reader, writer = await connect()
        writer.write(request(b"abcd") + request(b"efgh"))
        assert (await one_answer(reader)).endswith(b"4 abcd")
        assert (await one_answer(reader)).endswith(b"4 efgh")


async def test_client_that_asks_whether_to_go_on_is_told_so() -> None:
    async with serving(Reader()) as connect:
        reader, writer = await connect()
        writer.write(request(b"abcd", b"expect: 100-continue"))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await one_answer(reader)).endswith(b"waited 4 abcd")


async def test_nothing_is_received_after_a_body_that_was_taken_but_the_disconnect() -> None:
    app = Reader()
    async with serving(app) as connect:
        _, writer = await connect()
        writer.write(request(b"wait"))
        await asyncio.sleep(0.05)
        assert app.after.empty()
        writer.close()
        assert await asyncio.wait_for(app.after.get(), 5) == {"type": "http.disconnect"}


@pytest.mark.attack("L-09")
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request(b"a" * (LIMIT + 1)), b"413"),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n30d41\r\n" + b"a" * (LIMIT + 1), b"413"),
        (request(b"abcd", b"content-encoding: gzip"), b"415"),
    ],
    ids=["declared", "chunked", "compressed"],
)
async def test_bounds_hold_for_a_body_that_arrives_at_once(sent: bytes, status: bytes) -> None:
    async with serving(Reader()) as connect:
        reader, writer = await connect()
        writer.write(sent)
        writer.write_eof()
        assert status in await rest(reader)


@pytest.mark.attack("L-09")
def test_body_that_was_taken_is_measured_too() -> None:
    async def never() -> Any:
        raise AssertionError

    with pytest.raises(BadRequest) as caught:
        arrived_body([], ArrivedBody(never, lambda: b"abcde"), limit=4)
    assert caught.value.status == 413
