"""The mapping without a cluster: USER_MAPPING as JSON text, a file, or a mounted folder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from productive_contract.names import MAPPING_KEY, MAPPING_KEY_GZIP
from productive_contract.secret import Secret
from productive_gateway.people.snapshot import Snapshot
from productive_gateway.watched.mapping import LastGoodMapping
from productive_gateway.watched.polled import polled
from productive_gateway.watched.watched_secret import POLL_SECONDS


class LocalMapping:
    """Implements `People`: reads a file again when it changes, and keeps the last good mapping."""

    def __init__(self, setting: Secret | Path) -> None:
        """Read the mapping once.

        Args:
            setting: the document itself (version 1 or the Worker's), or the path of a file that
                holds one, or of a folder that a mapping Secret is mounted to.
        """
        self._good = LastGoodMapping()
        compressed = isinstance(setting, Path) and setting.suffix == ".gz"
        self._origin = polled(setting, MAPPING_KEY_GZIP if compressed else MAPPING_KEY)
        self.poll()

    @property
    def problem(self) -> str | None:
        """What is wrong with the mapping as it is now; None while that one is in use."""
        return self._good.problem

    def follow(self, follower: Callable[[Snapshot], None]) -> None:
        """Call a function with the present mapping, and with each that comes into use."""
        self._good.follow(follower)

    def snapshot(self) -> Snapshot:
        """Return the last good complete view.

        Raises:
            Unavailable: no mapping could be read yet.
        """
        return self._good.snapshot()

    async def run(self) -> None:
        """Follow the file until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            data = self._origin.poll()
            if data is not None:
                await self._good.prepare(data)
                self._good.take(data)

    def poll(self) -> None:
        """Read the mapping again if it changed."""
        data = self._origin.poll()
        if data is not None:
            self._good.take(data)
