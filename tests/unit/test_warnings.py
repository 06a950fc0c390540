"""A test that leaves a connection open fails: see `filterwarnings` in pyproject.toml."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from harness.certificates import Authority
from harness.eventloop import TestLoop

CONFIGURATION = Path(__file__).resolve().parents[2] / "pyproject.toml"
PEER = "import asyncio, socket\npeer = socket.create_server(('127.0.0.1', 0))\n"
LEFT_OPEN = """
async def test_connects():
    await asyncio.open_connection(*peer.getsockname())
"""
CLOSED = """
async def test_connects():
    _, writer = await asyncio.open_connection(*peer.getsockname())
    writer.close()
    await writer.wait_closed()
"""


@pytest.mark.parametrize(
    ("test", "passes"),
    [(LEFT_OPEN, False), (CLOSED, True)],
    ids=["left open", "closed"],
)
def test_connection_that_a_test_leaves_open_fails_the_run(
    tmp_path: Path, test: str, passes: bool
) -> None:
    file = tmp_path / "test_connection.py"
    file.write_text(f"{PEER}{test}\ndef test_closes():\n    peer.close()\n")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", f"--config-file={CONFIGURATION}"),
            *(f"--rootdir={tmp_path}", "-p", "no:cacheprovider", "-p", "no:randomly", file),
        ],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode == 0) == passes, done.stdout
    assert ("ResourceWarning: unclosed" in done.stdout + done.stderr) != passes


@pytest.mark.parametrize(("closes", "leaks"), [(True, False), (False, True)])
def test_only_a_tls_connection_that_nobody_closed_is_a_leak(
    tmp_path: Path, closes: bool, leaks: bool
) -> None:
    async def connect() -> None:
        _, writer = await asyncio.open_connection(
            *address, ssl=ssl.create_default_context(cafile=ca), server_hostname="localhost"
        )
        if closes:
            writer.close()

    with peer_without_farewell(tmp_path) as (address, ca):
        loop = TestLoop()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loop.run_until_complete(connect())
            loop.close()
            gc.collect()
    told = [str(one.message) for one in caught if issubclass(one.category, ResourceWarning)]
    assert bool(told) == leaks, told


@contextmanager
def peer_without_farewell(folder: Path) -> Iterator[tuple[tuple[str, int], Path]]:
    """Accept one TLS connection and never answer on it; yield address and authority."""
    authority = Authority("Peer CA")
    pair = authority.server("localhost", hosts=["localhost"])
    bundle, certificate, key = (folder / name for name in ("ca.pem", "tls.pem", "tls.key"))
    bundle.write_bytes(authority.certificate)
    certificate.write_bytes(pair.certificate)
    key.write_bytes(pair.key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    ended = threading.Event()

    def serve() -> None:
        accepted, _ = listener.accept()
        with context.wrap_socket(accepted, server_side=True):
            ended.wait()

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        server = threading.Thread(target=serve)
        server.start()
        try:
            yield listener.getsockname(), bundle
        finally:
            ended.set()
            server.join()
