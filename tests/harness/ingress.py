"""A proxy in front of the gateways, like an ingress controller: each request goes to the next one.

It distributes requests, not connections, so consecutive requests of a client always reach different
replicas. Like an ingress, it skips a replica that refuses connections.
"""

from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import aiohttp
from aiohttp import web
from yarl import URL

from harness.background import BackgroundLoop
from harness.forwarding import end_to_end, new_client, start_server
from harness.processes import free_port


@dataclass(frozen=True, slots=True)
class Served:
    """One request and the number of the replica that answered it."""

    method: str
    path: str
    replica: int
    status: int


class Ingress:
    """A round-robin HTTP proxy over replicas on 127.0.0.1."""

    def __init__(self, replicas: Sequence[int], *, port: int | None = None) -> None:
        self.port = port or free_port()
        self.replicas = list(replicas)
        self.served: list[Served] = []
        self._turn = itertools.count()
        self._pinned: int | None = None
        self._lock = threading.Lock()
        self._background = BackgroundLoop("ingress")
        self._background.run(self._start())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._background.run(self._end())
        self._background.close()

    def pin(self, replica: int | None) -> None:
        """Send every request to the replica of this number; None distributes them again."""
        self._pinned = replica

    async def _start(self) -> None:
        self._client = new_client()
        self._runner = await start_server(self._handle, self.port)

    async def _end(self) -> None:
        await self._runner.cleanup()
        await self._client.close()

    def _order(self) -> list[int]:
        if self._pinned is not None:
            return [self._pinned]
        first = next(self._turn)
        count = len(self.replicas)
        return [(first + step) % count for step in range(count)]

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read()
        for replica in self._order():
            try:
                return await self._forward(request, body, replica)
            except aiohttp.ClientConnectorError:
                continue
        return web.Response(status=503, text="no replica can be connected to")

    async def _forward(
        self, request: web.BaseRequest, body: bytes, replica: int
    ) -> web.StreamResponse:
        url = f"http://127.0.0.1:{self.replicas[replica]}{request.raw_path}"
        async with self._client.request(
            request.method,
            URL(url, encoded=True),
            headers=end_to_end(request.headers, without=("content-length",)),
            data=io.BytesIO(body) if body else None,
            allow_redirects=False,
        ) as answer:
            with self._lock:
                self.served.append(Served(request.method, request.path, replica, answer.status))
            response = web.StreamResponse(status=answer.status, headers=end_to_end(answer.headers))
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
        await response.write_eof()
        return response
