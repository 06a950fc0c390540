"""An ASGI application behind TLS, in the test process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from harness.certificates import Authority
from harness.grantkit import eventually


@dataclass(frozen=True, slots=True)
class HttpsServer:
    """A running server."""

    port: int
    bundle: Path
    """PEM file of the authority that issued its certificate."""


@asynccontextmanager
async def https_server(
    app: ASGIApp, folder: Path, *, hosts: Sequence[str]
) -> AsyncIterator[HttpsServer]:
    """Serve under these names, for the time of the block."""
    authority = Authority("Acme CA")
    pair = authority.server(hosts[0], hosts=hosts)
    bundle, certificate, key = (folder / name for name in ("ca.pem", "tls.pem", "tls.key"))
    bundle.write_bytes(authority.certificate)
    certificate.write_bytes(pair.certificate)
    key.write_bytes(pair.key)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            ws="none",
            ssl_certfile=certificate,
            ssl_keyfile=str(key),
        )
    )
    # Not `serve`, which would take the signals of the test's process.
    running = asyncio.create_task(server._serve([listener]))
    await eventually(lambda: server.started, what="it serves")
    try:
        yield HttpsServer(listener.getsockname()[1], bundle)
    finally:
        server.should_exit = True
        await running
