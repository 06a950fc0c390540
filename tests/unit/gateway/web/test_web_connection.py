"""Deadlines and bounds of connections, on real sockets."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import pytest
from starlette.types import Receive, Scope, Send

from harness.grantkit import eventually
from harness.portkit import HEAD, answer, one_answer, rest, serving
from productive_gateway.serving import Server
from productive_gateway.web.connection import PortLimits
from productive_gateway.web.listening import listen

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def echo(_: Scope, receive: Receive, send: Send) -> None:
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await answer(send, bytes(body))


async def refuse(_: Scope, __: Receive, send: Send) -> None:
    """Answer without reading the body."""
    await answer(send, b"no", 401)


class Held:
    """Answers when it is told to."""

    def __init__(self, body: bytes = b"done") -> None:
        self.asked, self.go, self.body = asyncio.Event(), asyncio.Event(), body

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        self.asked.set()
        await self.go.wait()
        await answer(send, self.body)


async def flood(writer: asyncio.StreamWriter, chunk: bytes, times: int) -> int:
    """Send until the other side closes; returns how many bytes it took."""
    sent = 0
    with suppress(ConnectionError):
        for _ in range(times):
            writer.write(chunk)
            await writer.drain()
            sent += len(chunk)
    return sent


async def trickle(writer: asyncio.StreamWriter) -> None:
    """Send a byte now and then until the other side closes."""
    with suppress(ConnectionError):
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.02)


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
    app = Held()
    async with serving(app, head=0.05, body=0.05, idle=0.05) as connect:
        reader, writer = await connect()
        writer.write(GET)
        await asyncio.sleep(0.3)
        app.go.set()
        assert (await one_answer(reader)).endswith(b"done")


@pytest.mark.parametrize(
    "pipelined", [b"GET / HTTP/1.1\r\nho", HEAD + b"content-length: 5\r\n\r\nab"]
)
async def test_a_late_next_request_does_not_end_the_answer_under_way(pipelined: bytes) -> None:
    app = Held()
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


@pytest.mark.attack("Q-06")
async def test_above_the_cap_the_connection_that_has_waited_longest_is_closed() -> None:
    app = Held()
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
            assert (await one_answer(reader)).endswith(b"done"), "whoever is answered stays"
        newest[1].write(GET)
        assert (await one_answer(newest[0])).endswith(b"done")


@pytest.mark.attack("Q-06")
async def test_above_the_cap_a_new_connection_is_closed_if_all_others_are_answered() -> None:
    app = Held()
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
