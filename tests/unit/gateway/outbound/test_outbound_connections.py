"""Connections that are used again, the last one first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import anyio
import httpx
import pytest

from productive_gateway.outbound.connections import KEEP_ALIVE, ReusedConnections

# A connection that is used by two at once is waited for in vain.
pytestmark = pytest.mark.timeout(20)


class Connection(httpx.AsyncBaseTransport):
    """A connection that fails, waits, or answers with its own number."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.fails = False
        self.closed = False
        self.waits = asyncio.Event()
        """Cleared: it answers no more."""
        self.waits.set()
        self.closing = asyncio.Event()
        self.closing.set()
        """Cleared: it takes time to close."""
        self.close_fails = False
        self.asked = asyncio.Event()
        self.read = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.fails:
            raise httpx.ReadError("cut", request=request)
        if not self.waits.is_set():
            self.asked.set()
            await self.waits.wait()
        return httpx.Response(200, stream=Waiting(self))

    async def aclose(self) -> None:
        if not self.closing.is_set():
            await asyncio.sleep(0)
        self.closed = True
        if self.close_fails:
            raise httpx.CloseError("cut")


class Waiting(httpx.AsyncByteStream):
    """The number of a connection, as soon as that does not wait."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._connection.read.set()
        await self._connection.waits.wait()
        yield str(self._connection.number).encode()

    async def aclose(self) -> None:
        if self._connection.fails:
            raise httpx.ReadError("cut")


class Connections:
    """A transport over such connections, with a clock that a test moves."""

    def __init__(self) -> None:
        self.made: list[Connection] = []
        self.now = 0.0
        self.transport = ReusedConnections(self._make, monotonic=lambda: self.now)
        self.http = httpx.AsyncClient(transport=self.transport, trust_env=False)

    def _make(self) -> Connection:
        self.made.append(Connection(len(self.made)))
        return self.made[-1]

    async def open(self) -> httpx.Response:
        request = self.http.build_request("GET", "http://productive.test/")
        return await self.http.send(request, stream=True)


async def test_requests_one_after_the_other_share_a_connection() -> None:
    connections = Connections()
    answers = [(await connections.http.get("http://productive.test/")).text for _ in range(3)]
    assert answers == ["0", "0", "0"]


async def test_connection_is_not_shared_while_a_response_is_read() -> None:
    connections = Connections()
    responses = [await connections.open() for _ in range(3)]
    assert len(connections.made) == 3
    for response in responses:
        await response.aclose()
    # The one that came back last is used first.
    assert (await connections.http.get("http://productive.test/")).text == "2"
    assert len(connections.made) == 3


async def test_connection_whose_body_is_closed_twice_still_serves_one_request_at_a_time() -> None:
    connections = Connections()
    request = connections.http.build_request("GET", "http://productive.test/")
    response = await connections.transport.handle_async_request(request)
    assert isinstance(response.stream, httpx.AsyncByteStream)
    await response.stream.aclose()
    await response.stream.aclose()
    for _ in range(2):
        await connections.open()
    assert len(connections.made) == 2


async def test_connection_of_a_failed_request_is_closed_and_not_used_again() -> None:
    connections = Connections()
    await connections.http.get("http://productive.test/")
    connections.made[0].fails = True
    with pytest.raises(httpx.ReadError):
        await connections.http.get("http://productive.test/")
    assert (await connections.http.get("http://productive.test/")).text == "1"
    assert [one.closed for one in connections.made] == [True, False]


async def test_connection_of_a_cancelled_request_is_closed_and_not_used_again() -> None:
    connections = Connections()
    await connections.http.get("http://productive.test/")
    connections.made[0].waits.clear()
    request = asyncio.create_task(connections.http.get("http://productive.test/"))
    await connections.made[0].asked.wait()
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    assert (await connections.http.get("http://productive.test/")).text == "1"
    assert [one.closed for one in connections.made] == [True, False]


async def test_connection_whose_body_was_cancelled_is_closed_and_not_used_again() -> None:
    connections = Connections()
    response = await connections.open()
    connections.made[0].waits.clear()
    reading = asyncio.create_task(response.aread())
    await connections.made[0].read.wait()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert (await connections.http.get("http://productive.test/")).text == "1"
    assert [one.closed for one in connections.made] == [True, False]


async def test_connections_that_a_busier_time_left_behind_are_closed() -> None:
    connections = Connections()
    for response in await asyncio.gather(*(connections.open() for _ in range(3))):
        await response.aclose()
    connections.now = KEEP_ALIVE + 1
    for _ in range(3):
        await connections.http.get("http://productive.test/")
    assert [one.closed for one in connections.made] == [True, True, False]


async def test_idle_connections_close_with_the_client() -> None:
    connections = Connections()
    for response in [await connections.open(), await connections.open()]:
        await response.aclose()
    await connections.http.aclose()
    assert all(one.closed for one in connections.made)


async def test_cancelled_request_waits_until_its_connection_is_closed() -> None:
    connections = Connections()
    await connections.http.get("http://productive.test/")
    connections.made[0].waits.clear()
    connections.made[0].closing.clear()
    with anyio.CancelScope() as scope:

        async def cancel() -> None:
            await connections.made[0].asked.wait()
            scope.cancel()

        cancelling = asyncio.create_task(cancel())
        await connections.http.get("http://productive.test/")
    await cancelling
    assert scope.cancelled_caught
    assert connections.made[0].closed


async def test_connection_whose_response_cannot_be_closed_is_not_used_again() -> None:
    connections = Connections()
    response = await connections.open()
    connections.made[0].fails = True
    with pytest.raises(httpx.ReadError):
        await response.aclose()
    connections.made[0].fails = False
    assert (await connections.http.get("http://productive.test/")).text == "1"
    assert [one.closed for one in connections.made] == [True, False]


async def test_failure_of_a_request_is_reported_although_its_connection_closes_badly() -> None:
    connections = Connections()
    await connections.http.get("http://productive.test/")
    connections.made[0].fails = connections.made[0].close_fails = True
    with pytest.raises(httpx.ReadError):
        await connections.http.get("http://productive.test/")
