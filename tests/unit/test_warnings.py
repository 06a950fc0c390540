"""A test that leaves a connection open fails: see `filterwarnings` in pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
