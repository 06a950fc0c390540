"""Running a command, and running it anew whenever a source changes.

The first process of a development container: source files are copied into it while it runs. It
outlives the command, since a container that starts anew has its image's sources again: whatever
ends the command, the next change gets another try.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from productive_dev.processes import end


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take, in seconds."""

    look: float = 0.5
    """Between two looks at the sources, and how long they must be quiet: files come in groups."""
    again: float = 5.0
    """Before a command that ended by itself is tried again without a change."""
    stop: float = 5.0
    """What the command has to end in when asked to."""


async def reload(
    command: Sequence[str],
    sources: Sequence[Path],
    say: Callable[[str], None],
    stop: asyncio.Event,
    pace: Pace | None = None,
) -> None:
    """Keep the command running on the newest sources until told to stop.

    Args:
        command: program and arguments.
        sources: folders to watch, with all below them.
        say: is told, in sentences, why the command starts anew.
        stop: ends the command and this.
        pace: the usual one unless given.
    """
    pace = pace or Pace()
    stopping = asyncio.ensure_future(stop.wait())
    while not stop.is_set():
        # Looked at before the start, so that a change during it is not missed.
        changed = asyncio.ensure_future(_change(sources, _state(sources), pace.look))
        process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
        ended = asyncio.ensure_future(process.wait())
        try:
            await _first(changed, ended, stopping)
            if ended.done() and not stop.is_set():
                say(f"{command[0]} ended with {process.returncode}; it starts again soon.")
                await _first(changed, stopping, seconds=pace.again)
            elif changed.done():
                say(f"The sources changed: {command[0]} starts anew.")
        finally:
            changed.cancel()
            await end(process, seconds=pace.stop)


async def _first(*parts: asyncio.Future[Any], seconds: float | None = None) -> None:
    """Return when one of several is done, or after that time."""
    await asyncio.wait(parts, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


async def _change(sources: Sequence[Path], before: object, seconds: float) -> None:
    """Return when the sources are other than before, and have been so for a moment."""
    last = before
    while True:
        await asyncio.sleep(seconds)
        now = _state(sources)
        if now == last != before:
            return
        last = now


def _state(sources: Sequence[Path]) -> object:
    """Return something that changes when a file does."""
    found = []
    for file in sorted(file for folder in sources for file in folder.rglob("*")):
        # One that is gone meanwhile is noticed at the next look.
        with contextlib.suppress(FileNotFoundError):
            status = file.stat()
            if file.is_file() and "__pycache__" not in file.parts:
                found.append((file, status.st_mtime_ns, status.st_size, status.st_ino))
    return found
