"""What the servers beside ours are made of: installed once, into the cache folder."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from harness import npm
from harness.cache import cache_folder, locked
from harness.golang import uv

HERE = Path(__file__).parent
WORKER = HERE / "worker"
_FASTMCP = HERE / "servers" / "fastmcp-requirements.txt"


def fastmcp_python() -> Path:
    """Return the Python of an environment with FastMCP, which our lock file does not have."""
    digest = hashlib.sha256(_FASTMCP.read_bytes()).hexdigest()[:16]
    folder = cache_folder() / f"fastmcp-{digest}"
    with locked(folder.with_suffix(".lock")):
        if not (folder / "installed").exists():
            _uv("venv", "--quiet", "--clear", folder)
            _uv("pip", "install", "--quiet", "--python", folder, "--requirements", _FASTMCP)
            (folder / "installed").touch()
    return folder / "bin" / "python"


def worker_command() -> tuple[Path, Path]:
    """Return Node and the script that runs the Worker."""
    npm.script("worker.mjs", WORKER)
    return npm.program("node", WORKER), npm.script("run.mjs", WORKER)


def _uv(*arguments: str | Path) -> None:
    cache = f"--cache-dir={cache_folder() / 'uv'}"
    subprocess.run([uv(), cache, *arguments], check=True)
