"""Long pure work in slices, so that an event loop can serve others between them.

The work is a generator that yields after each slice and returns its result. A thread would not do:
under one interpreter lock it takes turns of milliseconds with the loop, for as long as it runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import TypeVar

Result = TypeVar("Result")
Slices = Generator[None, None, Result]
"""Yields after each slice; returns the result."""


def at_once(work: Slices[Result]) -> Result:
    """Do the work without a pause, and return its result."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: Result = end.value
            return result


async def in_turns(work: Slices[Result]) -> Result:
    """Do the work, letting the event loop run others after each slice; return its result."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: Result = end.value
            return result
        await asyncio.sleep(0)
