"""Deadlines and caps of connections, on real sockets."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from starlette.types import Receive, Scope, Send

from harness.portkit import GET, HEAD, HeldAnswer, answer, echo, flood, one_answer, rest, serving


async def refuse(_: Scope, __: Receive, send: Send) -> None:
    """Answer without reading the body."""
    await answer(send, b"no", 401)


async def trickle(writer: asyncio.StreamWriter) -> None:
    """Send a byte now and then until the other side closes."""
    with suppress(ConnectionError):
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.02)


@pytest.mark.attack("L-10")
async def test_a_head_that_takes_too_long_is_refused() -> None:
    async with serving(echo, head=0.1) as connect:
        reader, writer = await connect()
        writer.write(b"GET / HTTP/1.1\r\nhost:")
        assert (await rest(reader)).startswith(b"HTTP/1.1 408 ")


@pytest.mark.attack("L-10")
async def test_a_connection_without_a_request_is_closed_without_an_answer() -> None:
    async with serving(echo, head=0.1) as connect:
        reader, _ = await connect()
        assert await rest(reader) == b""


@pytest.mark.attack("L-10")
async def test_a_body_may_take_longer_than_a_head() -> None:
    async with serving(echo, head=0.1) as connect:
        reader, writer = await connect()
        writer.write(HEAD + b"content-length: 2\r\n\r\na")
        await asyncio.sleep(0.3)
        writer.write(b"b")
        assert (await one_answer(reader)).endswith(b"ab")


@pytest.mark.attack("L-10")
@pytest.mark.parametrize("stray", [b"", b"\n", b"\r\n\r\n"])
async def test_a_connection_between_two_requests_is_closed_whatever_strays_in(stray: bytes) -> None:
    async with serving(echo, idle=0.2) as connect:
        reader, writer = await connect()
        writer.write(GET)
        assert b" 200 " in await one_answer(reader)
        writer.write(stray)
        assert await rest(reader) == b""


@pytest.mark.attack("L-10")
async def test_the_next_request_may_follow_within_the_idle_time() -> None:
    async with serving(echo, idle=2) as connect:
        reader, writer = await connect()
        for _ in range(3):
            writer.write(b"\r\n" + GET)
            assert b" 200 " in await one_answer(reader)


@pytest.mark.attack("L-10")
async def test_the_head_of_the_next_request_has_its_own_deadline() -> None:
    async with serving(echo, idle=60, head=0.1) as connect:
        reader, writer = await connect()
        writer.write(GET)
        assert b" 200 " in await one_answer(reader)
        writer.write(b"G")
        assert (await rest(reader)).startswith(b"HTTP/1.1 408 ")


@pytest.mark.attack("L-10")
async def test_a_body_has_a_deadline_in_total_however_it_trickles() -> None:
    async with serving(echo, body=0.4) as connect:
        reader, writer = await connect()
        writer.write(HEAD + b"content-length: 10000\r\n\r\n")
        trickling = asyncio.create_task(trickle(writer))
        assert (await rest(reader, 1.5)).startswith(b"HTTP/1.1 408 ")
        await asyncio.wait_for(trickling, 5)


@pytest.mark.attack("L-10")
async def test_an_answer_before_the_end_of_the_body_ends_the_connection_and_arrives() -> None:
    async with serving(refuse, drain=1) as connect:
        reader, writer = await connect()
        writer.write(HEAD + b"content-length: 10000000\r\n\r\n" + b"a" * 400_000)
        # Still sending when the answer comes: without draining the connection would be reset.
        sending = asyncio.create_task(flood(writer, b"a" * 1024, 200))
        answered = await rest(reader)
        assert answered.startswith(b"HTTP/1.1 401 ")
        assert b"\r\nconnection: close\r\n" in answered
        assert answered.endswith(b"no")
        await sending


@pytest.mark.attack("L-10")
async def test_draining_ends_whatever_the_client_does() -> None:
    async with serving(refuse, drain=0.2) as connect:
        reader, writer = await connect()
        writer.write(HEAD + b"content-length: 10\r\n\r\n")
        await one_answer(reader)
        await asyncio.wait_for(trickle(writer), 5)


@pytest.mark.attack("L-10")
async def test_a_client_that_does_not_read_is_cut() -> None:
    lost = asyncio.Event()

    async def endless(_: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        async with asyncio.TaskGroup() as group:

            async def watch() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                lost.set()

            group.create_task(watch())
            while not lost.is_set():
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
                await asyncio.sleep(0)

    async with serving(endless, write=0.2) as connect:
        _, writer = await connect()
        writer.write(GET)
        await asyncio.wait_for(lost.wait(), 10)


async def test_a_long_call_has_no_deadline() -> None:
    app = HeldAnswer()
    async with serving(app, head=0.05, body=0.05, idle=0.05) as connect:
        reader, writer = await connect()
        writer.write(GET)
        await asyncio.sleep(0.3)
        app.go.set()
        assert (await one_answer(reader)).endswith(b"done")


@pytest.mark.attack("Q-06")
async def test_above_the_cap_the_connection_that_has_waited_longest_is_closed() -> None:
    app = HeldAnswer()
    async with serving(app, connections=3, head=30, idle=30) as connect:
        working, waiting, late = await connect(), await connect(), await connect()
        working[1].write(GET)
        await app.asked.wait()
        late[1].write(b"GET / HT")
        fresh = await connect()
        assert await rest(waiting[0]) == b"", "it had waited longest"
        fresh[1].write(GET)
        newest = await connect()
        refusal = await rest(late[0])
        assert refusal.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 5\r\n" in refusal
        app.go.set()
        for reader, _ in (working, fresh):
            assert (await one_answer(reader)).endswith(b"done"), (
                "a client that is being answered stays connected"
            )
        newest[1].write(GET)
        assert (await one_answer(newest[0])).endswith(b"done")


@pytest.mark.attack("Q-06")
async def test_above_the_cap_a_new_connection_is_closed_if_all_others_are_answered() -> None:
    app = HeldAnswer()
    async with serving(app, connections=2) as connect:
        busy = [await connect() for _ in range(2)]
        for _, writer in busy:
            app.asked.clear()
            writer.write(GET)
            await app.asked.wait()
        reader, _ = await connect()
        assert await rest(reader) == b""
        app.go.set()
        for reader, _ in busy:
            assert (await one_answer(reader)).endswith(b"done")


@pytest.mark.attack("Q-06")
async def test_above_their_cap_the_body_that_is_awaited_longest_is_refused() -> None:
    async with serving(echo, bodies=2) as connect:
        slow = [await connect() for _ in range(3)]
        for _, writer in slow:
            writer.write(HEAD + b"content-length: 2\r\n\r\na")
            await asyncio.sleep(0.05)
        refusal = await rest(slow[0][0])
        assert refusal.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 5\r\n" in refusal
        whole = await connect()
        whole[1].write(HEAD + b"content-length: 2\r\n\r\nab")
        assert (await one_answer(whole[0])).endswith(b"ab"), "a whole body is not waited for"
        for reader, writer in slow[1:]:
            writer.write(b"b")
            assert (await one_answer(reader)).endswith(b"ab")
