"""Measures how late the event loop is: every request of this replica waits as long."""

from __future__ import annotations

import asyncio
from typing import Final

from productive_gateway.observability.metrics import EVENT_LOOP_LAG

SECONDS: Final = 0.5


async def watch_event_loop() -> None:
    """Observe the lag twice a second, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + SECONDS
        await asyncio.sleep(SECONDS)
        EVENT_LOOP_LAG.observe(max(0.0, loop.time() - due))
