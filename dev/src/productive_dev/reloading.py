"""Runs a command and restarts it whenever a source file changes.

This is the first process of a development container, into which changed source files are copied.
It outlives the command: a restarted container would have the sources of its image again. Whatever
ends the command, the next change starts it once more.
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
class Intervals:
    """How often the reloader looks, and how long it waits, in seconds."""

    look: float = 0.5
    """Between two looks at the sources. Files change in groups: none may change for this long."""
    again: float = 5.0
    """Before a command that ended by itself is started again without a change."""
    stop: float = 5.0
    """Between SIGTERM and SIGKILL."""


async def reload(
    command: Sequence[str],
    sources: Sequence[Path],
    say: Callable[[str], None],
    stop: asyncio.Event,
    intervals: Intervals | None = None,
) -> None:
    """Keep the command running on the newest sources until `stop` is set.

    Args:
        command: program and arguments.
        sources: folders to watch, with everything below them.
        say: receives a message each time the command is restarted.
        stop: ends the command, then this function.
        intervals: how often to look and how long to wait; tests shorten them.
    """
    intervals = intervals or Intervals()
    stopping = asyncio.ensure_future(stop.wait())
    while not stop.is_set():
        # Read the state before the start, so that a change during it is not missed.
        changed = asyncio.ensure_future(_change(sources, _state(sources), intervals.look))
        process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
        ended = asyncio.ensure_future(process.wait())
        try:
            await _first(changed, ended, stopping)
            if ended.done() and not stop.is_set():
                say(f"{command[0]} ended with {process.returncode}; restarting it soon.")
                await _first(changed, stopping, seconds=intervals.again)
            elif changed.done():
                say(f"The sources changed: restarting {command[0]}.")
        finally:
            changed.cancel()
            await end(process, seconds=intervals.stop)


async def _first(*parts: asyncio.Future[Any], seconds: float | None = None) -> None:
    """Return when one of several is done, or when the time is up."""
    await asyncio.wait(parts, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


async def _change(sources: Sequence[Path], before: object, seconds: float) -> None:
    """Return when the sources differ from `before` and have not changed for a moment."""
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
        # The next look notices a file that was deleted in the meantime.
        with contextlib.suppress(FileNotFoundError):
            status = file.stat()
            if file.is_file() and "__pycache__" not in file.parts:
                found.append((file, status.st_mtime_ns, status.st_size, status.st_ino))
    return found
