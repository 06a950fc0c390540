"""Connections that are used again, the last one first."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from productive_gateway.outbound.connections import KEEP_ALIVE, ReusedConnections


class Connection(httpx.AsyncBaseTransport):
    """A connection that fails, or answers with its own number."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.fails = False
        self.closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.fails:
            raise httpx.ReadError("cut", request=request)
        return httpx.Response(200, stream=httpx.ByteStream(str(self.number).encode()))

    async def aclose(self) -> None:
        self.closed = True


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
        await response.aclose()
    # The one that came back last is used first.
    assert (await connections.http.get("http://productive.test/")).text == "2"
    assert len(connections.made) == 3


async def test_failed_request_loses_no_connection() -> None:
    connections = Connections()
    await connections.http.get("http://productive.test/")
    connections.made[0].fails = True
    for _ in range(3):
        with pytest.raises(httpx.ReadError):
            await connections.http.get("http://productive.test/")
    connections.made[0].fails = False
    await connections.http.get("http://productive.test/")
    assert len(connections.made) == 1


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
