"""The watch of the mapping Secret: whoever changes or deletes it gets it repaired at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

import structlog

from productive_operator.clock import Chance, system_chance
from productive_operator.cluster.errors import ApiError
from productive_operator.view import StoredMapping

PAUSE_SECONDS: Final = 5.0

_log = structlog.get_logger("mapping_watch")


class WatchesMapping(Protocol):
    """Where the mapping is watched: `cluster.objects.ClusterObjects`."""

    def watch_mapping(self) -> AsyncIterator[StoredMapping | None]:
        """Yield the mapping as it is, then each change, until an error."""
        ...


async def watch_mapping(
    cluster: WatchesMapping,
    is_expected: Callable[[StoredMapping | None], bool],
    nudge: Callable[[str], None],
    *,
    pause: float = PAUSE_SECONDS,
    chance: Chance = system_chance,
) -> None:
    """Ask for a pass whenever the mapping is not as expected, until cancelled.

    A watch that fails is begun again after a few seconds; meanwhile the resync repairs.
    """
    while True:
        try:
            async for stored in cluster.watch_mapping():
                if not is_expected(stored):
                    nudge("mapping")
        except ApiError as error:
            _log.info("watch.failed", why=str(error))
            await asyncio.sleep(pause * (0.5 + 0.5 * chance()))
