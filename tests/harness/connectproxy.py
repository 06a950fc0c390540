"""An outgoing HTTP proxy that notes what it is asked and opens tunnels (RFC 9110 section 9.3.6).

`python -m harness.connectproxy ADDRESS:PORT` (in `tests/`) is one that prints the requests.
"""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

from harness.processes import free_port


class ConnectProxy:
    """What the proxy was asked, head by head."""

    def __init__(
        self,
        *,
        address: str = "",
        target: int | None = None,
        credentials: str | None = None,
        show: Callable[[str], object] | None = None,
    ) -> None:
        """Make a proxy.

        Args:
            address: `host:port` where it listens; empty is a free port of the loopback address.
            target: port of this machine that every tunnel leads to, wherever it was to lead.
            credentials: `user:password` that the proxy wants.
            show: gets the first line of each head as it comes.
        """
        self.address = address or f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.address}"
        self.heads: list[str] = []
        self._target = target
        self._credentials = credentials
        self._show = show
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def requests(self) -> list[str]:
        """The first lines of the heads."""
        return [head.splitlines()[0] for head in self.heads]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ConnectProxy]:
        """Serve for the time of the block."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        server = await asyncio.start_server(self._accept, host, int(port))
        try:
            yield self
        finally:
            server.close()
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)
            await server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            if self._show is not None:
                self._show(head.splitlines()[0])
            method, target, _ = head.split(" ", 2)
            if method != "CONNECT":
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                return
            if not self._authorized(head):
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                return
            if self._target is not None:
                target = f"127.0.0.1:{self._target}"
            host, _, port = target.rpartition(":")
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_pass(reader, far_writer), _pass(far_reader, writer))
        except asyncio.IncompleteReadError:
            # A probe connects and asks nothing.
            pass
        finally:
            await _closed(writer)

    def _authorized(self, head: str) -> bool:
        if self._credentials is None:
            return True
        pair = base64.b64encode(self._credentials.encode()).decode()
        return f"proxy-authorization: basic {pair}".lower() in head.lower()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on until either side ends."""
    try:
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        await _closed(writer)


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def _serve_and_print(address: str) -> None:
    async with ConnectProxy(address=address, show=partial(print, flush=True)).running():
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve_and_print(sys.argv[1]))
