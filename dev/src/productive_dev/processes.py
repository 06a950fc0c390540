"""Ending child processes."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process


async def end(process: Process, *, seconds: float) -> None:
    """End a running process: by SIGTERM first, by SIGKILL after some seconds."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(seconds):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
