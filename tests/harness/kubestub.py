"""A server in the API server's place, for tests of clients without a control plane."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from harness.certificates import KeyPair
from harness.forwarding import start_server
from harness.processes import free_port

TOKEN = "token-of-the-stub"

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, pair: KeyPair | None = None) -> AsyncIterator[str]:
    """Serve for the time of the block, with TLS if there is a certificate; yields the URL."""
    port = free_port()
    runner = await start_server(handler, port, pair.server_tls() if pair else None)
    try:
        yield f"{'https' if pair else 'http'}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


def write_kubeconfig(
    folder: Path,
    server: object,
    *,
    authority: bytes | None = None,
    namespace: str | None = None,
    cluster: dict[str, object] | None = None,
) -> Path:
    """Write a kubeconfig for that server; `cluster` are further fields about it."""
    described = {"server": server, **(cluster or {})}
    if authority is not None:
        described["certificate-authority-data"] = base64.b64encode(authority).decode()
    context = {"cluster": "k", "user": "u"} | ({"namespace": namespace} if namespace else {})
    document = {
        "current-context": "c",
        "clusters": [{"name": "k", "cluster": described}],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
        "contexts": [{"name": "c", "context": context}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(document))
    return path
