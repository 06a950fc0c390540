"""The common parts of the harness' two HTTP proxies, which change as little as possible."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}
)


HEAD_BYTES = 1 << 16
"""Longest header line that is passed on, so that the program behind can refuse it."""


def new_client(tls: ssl.SSLContext | None = None) -> aiohttp.ClientSession:
    """Return a client that adds nothing to requests and has no timeout."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=tls or True),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        max_line_size=HEAD_BYTES,
        max_field_size=HEAD_BYTES,
    )


async def start_server(
    handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
    port: int,
    tls: ssl.SSLContext | None = None,
) -> web.ServerRunner:
    """Serve on that port of 127.0.0.1 until the runner's `cleanup`."""
    server = web.Server(
        handle,
        handler_cancellation=True,
        access_log=None,
        max_line_size=HEAD_BYTES,
        max_field_size=HEAD_BYTES,
    )
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    return runner


def end_to_end(headers: Mapping[str, str], *, without: tuple[str, ...] = ()) -> CIMultiDict[str]:
    """Return the end-to-end headers (RFC 9110 section 7.6.1), in order."""
    dropped = HOP_BY_HOP.union(without)
    return CIMultiDict((n, v) for n, v in headers.items() if n.lower() not in dropped)
