"""Connections on real sockets: which heads are read, and in which order requests are answered."""

from __future__ import annotations

import asyncio
import socket
import weakref
from contextlib import suppress
from contextvars import ContextVar

import pytest
from starlette.types import Receive, Scope, Send

from harness.grantkit import eventually
from harness.portkit import GET, HEAD, HeldAnswer, answer, echo, flood, one_answer, rest, serving
from productive_gateway.serving import Server
from productive_gateway.web.connection import PortLimits
from productive_gateway.web.listening import listen


@pytest.mark.attack("L-09")
@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"GET /", b"a" * 8192),
        (HEAD + b"x: ", b"a" * 8192),
        (HEAD, b"x: y\r\n" * 1024),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", b"x: y\r\n" * 1024),
        (b"", b"\r\n" * 1024),
    ],
    ids=["address", "one header", "many headers", "trailers", "nothing"],
)
async def test_a_head_without_an_end_is_cut(begin: bytes, more: bytes) -> None:
    async with serving(echo) as connect:
        reader, writer = await connect()
        writer.write(begin)
        sent = await asyncio.wait_for(flood(writer, more, 8192), 10)
        assert sent < 64 * 1024 * 1024
        answered = await rest(reader)
        assert not answered or answered.startswith(b"HTTP/1.1 400 ")


@pytest.mark.attack("L-08", "L-11")
@pytest.mark.parametrize(
    "host",
    [
        b"",
        b"host: x\r\nhost: x\r\n",
        b"host: x\r\nHost: y\r\n",
        b"host: x/y\r\n",
        b"host: user@x\r\n",
        b"host: x y\r\n",
        b"host: x, y\r\n",
        b"host: x:port\r\n",
        b"host: [::1\r\n",
        b"host: x%2\r\n",
        b"host: \xe9\r\n",
    ],
)
async def test_request_without_exactly_one_valid_host_is_refused(host: bytes) -> None:
    """RFC 9112 3.2."""
    async with serving(echo) as connect:
        reader, writer = await connect()
        writer.write(b"GET / HTTP/1.1\r\n" + host + b"\r\n")
        answered = await rest(reader)
        assert answered.startswith(b"HTTP/1.1 400 ")
        assert answered.count(b"HTTP/1.1 ") == 1


@pytest.mark.attack("L-11")
async def test_two_hosts_are_refused_in_http_1_0_too() -> None:
    async with serving(echo) as connect:
        reader, writer = await connect()
        writer.write(b"GET / HTTP/1.0\r\nhost: x\r\nhost: x\r\n\r\n")
        assert (await rest(reader)).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.0\r\n",
        b"GET / HTTP/1.1\r\nhost:\r\n",
        b"GET / HTTP/1.1\r\nhost: \tmcp.example.com:443 \r\n",
        b"GET / HTTP/1.1\r\nhost: [2001:db8::1]:8787\r\n",
        b"GET / HTTP/1.1\r\nhost: my_service.ns.svc\r\n",
    ],
)
async def test_request_with_a_valid_host_is_served(head: bytes) -> None:
    async with serving(echo) as connect:
        reader, writer = await connect()
        writer.write(head + b"connection: close\r\n\r\n")
        assert (await rest(reader)).startswith(b"HTTP/1.1 200 ")


async def test_answer_before_a_request_with_two_hosts_is_sent() -> None:
    async with serving(echo) as connect:
        reader, writer = await connect()
        writer.write(GET)
        assert (await one_answer(reader)).startswith(b"HTTP/1.1 200 ")
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n")
        assert (await rest(reader)).startswith(b"HTTP/1.1 400 ")


@pytest.mark.attack("E-04")
async def test_a_head_of_sixteen_kilobytes_and_a_long_body_are_served() -> None:
    async with serving(echo) as connect:
        reader, writer = await connect()
        body = b"b" * 1_000_000
        for _ in range(2):
            writer.write(
                HEAD + b"cookie: " + b"c" * 16_000 + b"\r\ncontent-length: 1000000\r\n\r\n"
            )
            writer.write(body)
            answered = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            assert answered.startswith(b"HTTP/1.1 200 ")
            assert await asyncio.wait_for(reader.readexactly(len(body)), 10) == body


@pytest.mark.attack("E-04")
async def test_a_head_of_too_many_headers_is_refused() -> None:
    async with serving(echo, headers=20) as connect:
        for count, status in ((19, b"200"), (20, b"431"), (3000, b"431")):
            reader, writer = await connect()
            writer.write(GET[:-2] + b"a: b\r\n" * count + b"\r\n")
            answered = await one_answer(reader)
            assert answered.startswith(b"HTTP/1.1 " + status)
            if status == b"431":
                assert b"connection: close" in answered
                assert await rest(reader) == b""


@pytest.mark.attack("E-04")
async def test_too_many_headers_in_a_next_request_end_the_connection() -> None:
    async with serving(echo, headers=20) as connect:
        reader, writer = await connect()
        writer.write(GET)
        assert (await one_answer(reader)).startswith(b"HTTP/1.1 200 ")
        writer.write(HEAD + b"a: b\r\n" * 30 + b"content-length: 5\r\n\r\nhello" + GET)
        assert (await rest(reader)).count(b"HTTP/1.1 ") == 1


@pytest.mark.attack("E-04")
async def test_a_head_is_too_long_also_if_it_arrives_at_once() -> None:
    async with serving(echo, head_bytes=1000) as connect:
        reader, writer = await connect()
        writer.write(GET[:-2] + b"cookie: " + b"c" * 2000 + b"\r\n\r\n")
        assert (await rest(reader)).startswith(b"HTTP/1.1 431 ")
        reader, writer = await connect()
        body = HEAD + b"content-length: 2000\r\n\r\n" + b"b" * 2000
        writer.write(body)
        assert (await one_answer(reader)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "pipelined", [b"GET / HTTP/1.1\r\nho", HEAD + b"content-length: 5\r\n\r\nab"]
)
async def test_a_late_next_request_does_not_end_the_answer_under_way(pipelined: bytes) -> None:
    app = HeldAnswer()
    async with serving(app, head=0.05, body=0.2) as connect:
        reader, writer = await connect()
        writer.write(GET + pipelined)
        await app.asked.wait()
        await asyncio.sleep(0.3)
        app.go.set()
        assert b"done" in await rest(reader)


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with serving(echo) as connect:
        reader, writer = await connect()
        for word in (b"a", b"b", b"c"):
            writer.write(HEAD + b"content-length: 1\r\n\r\n" + word)
        assert [(await one_answer(reader))[-1:] for _ in range(3)] == [b"a", b"b", b"c"]


@pytest.mark.attack("M-11")
async def test_pipelined_request_sees_nothing_of_the_context_of_the_one_before() -> None:
    caller = ContextVar("caller", default="nobody")

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        seen = caller.get()
        caller.set(scope["path"])
        await answer(send, seen.encode())

    async with serving(app) as connect:
        reader, writer = await connect()
        writer.write(GET * 3)
        answers = [await one_answer(reader) for _ in range(3)]
    assert [one.rpartition(b"\r\n")[-1] for one in answers] == [b"nobody"] * 3


class Held:
    """Stands for what a request brought along."""


@pytest.mark.attack("L-09")
@pytest.mark.parametrize("request_", [GET, GET[:-2] + b"connection: close\r\n\r\n"])
async def test_idle_connection_keeps_nothing_of_the_request_before(request_: bytes) -> None:
    caller = ContextVar[Held]("caller")
    held = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        one = Held()
        held.append(weakref.ref(one))
        caller.set(one)
        await answer(send, b"x")

    async with serving(app) as connect:
        reader, writer = await connect()
        writer.write(request_)
        await one_answer(reader)
        await eventually(lambda: held[0]() is None, what="the request is forgotten")


async def test_disconnect_is_reported_to_the_request_being_answered_though_another_waits() -> None:
    gone, begun = asyncio.Event(), asyncio.Event()
    asked = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await receive()
        begun.set()
        assert (await receive())["type"] == "http.disconnect"
        await send({"type": "http.response.body", "body": b"to nobody"})
        gone.set()

    async with serving(app) as connect:
        _, writer = await connect()
        writer.write(GET + GET.replace(b"/", b"/next", 1))
        await begun.wait()
        writer.close()
        await asyncio.wait_for(gone.wait(), 5)
    assert asked == ["/"]


async def test_malformed_request_behind_one_that_waits_does_not_answer_into_a_stream() -> None:
    go = asyncio.Event()

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await go.wait()
        await send({"type": "http.response.body", "body": b"second"})

    async with serving(app) as connect:
        reader, writer = await connect()
        writer.write(GET)
        begun = await asyncio.wait_for(reader.readuntil(b"first\r\n"), 5)
        assert begun.startswith(b"HTTP/1.1 200 ")
        writer.write(GET + b"nonsense\r\n\r\n")
        assert b"HTTP/1.1" not in await rest(reader)
        go.set()


@pytest.mark.attack("L-11")
@pytest.mark.parametrize(
    "request_",
    [
        HEAD
        + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        HEAD + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        HEAD + b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"content-length : 0\r\n\r\n",
        HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab",
        HEAD + b"content-length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx\0: y\r\n\r\n",
    ],
    ids=["both lengths", "unknown coding", "blank", "blank length", "two lengths", "sign", "nul"],
)
async def test_ambiguous_requests_are_refused_and_the_connection_ends(request_: bytes) -> None:
    async with serving(echo) as connect:
        reader, writer = await connect()
        writer.write(request_)
        answered = await rest(reader)
        assert answered.startswith(b"HTTP/1.1 400 ")
        assert answered.count(b"HTTP/1.1 ") == 1


@pytest.mark.attack("L-11")
@pytest.mark.parametrize(
    "codings",
    [
        b"gzip, chunked\r\n",
        b"GZIP ,Chunked\r\n",
        b"gzip\r\ntransfer-encoding: chunked\r\n",
        b"identity, chunked\r\n",
        b"gzip;a=b, , chunked\r\n",
        b"gzip, chunked\r\nconnection: upgrade\r\nupgrade: h2c\r\n",
    ],
)
async def test_body_with_an_unknown_coding_inside_of_the_chunks_is_refused(codings: bytes) -> None:
    """RFC 9112 6.1. Who decodes it would read another body than the application is given."""
    async with serving(echo) as connect:
        reader, writer = await connect()
        writer.write(HEAD + b"transfer-encoding: " + codings + b"\r\n2\r\nab\r\n0\r\n\r\n" + GET)
        answered = await rest(reader)
    assert answered.startswith(b"HTTP/1.1 501 ")
    assert answered.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("codings", [b"chunked", b"Chunked ", b", chunked"])
async def test_body_in_chunks_is_read_however_its_coding_is_written(codings: bytes) -> None:
    async with serving(echo) as connect:
        reader, writer = await connect()
        writer.write(HEAD + b"transfer-encoding: " + codings + b"\r\n\r\n2\r\nab\r\n0\r\n\r\n")
        assert (await one_answer(reader)).endswith(b"\r\n\r\nab")


def families() -> set[socket.AddressFamily]:
    """Return the families whose loopback this machine has: a container may lack IPv6."""
    found = set()
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with suppress(OSError), socket.create_server((host, 0), family=family):
            found.add(family)
    return found


async def test_a_port_is_open_in_every_family_of_the_machine() -> None:
    sockets = listen(["127.0.0.1", "::1"], 0)
    assert {opened.family for opened in sockets} == families()
    server = Server(echo, sockets, PortLimits())
    running = asyncio.create_task(server.run_until_exit())
    await eventually(lambda: server.started, what="it serves")
    for host, port in {opened.getsockname()[:2] for opened in sockets}:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(GET)
        assert b" 200 " in await one_answer(reader)
        writer.close()
    server.should_exit = True
    await running


def test_one_family_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    [opened] = listen(["127.0.0.1", "2001:db8::1"], 0)
    assert opened.family is socket.AF_INET
    opened.close()
