"""The project's cache folder, for what is slow to build and the same for every checkout."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """Return `$PRODUCTIVE_MCP_CACHE`, or `productive-mcp` in the user's cache folder."""
    chosen = os.environ.get("PRODUCTIVE_MCP_CACHE")
    if chosen:
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / "productive-mcp"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file during the block; it is released if the process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
