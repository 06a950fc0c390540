"""The watch of the mapping Secret: whoever changes or deletes it gets it repaired at once.

It also notices when etcd was restored from a backup. Versions are etcd's revisions, which fall
then; and a watch from a version that the store has not reached is no error but silence, until it is
reached again. Our own watch lists after a window without a word. Kopf's watches do not, so the
program ends, and begins again with lists.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from productive_operator.backoff import Backoff
from productive_operator.cluster.errors import ApiError
from productive_operator.view import OnMapping, StoredMapping

SHORTEST_WINDOW: Final = 1.0
"""Seconds. A window closed sooner is none: a proxy that only does that is not asked at once."""
PAUSE_FROM: Final = 1.0
PAUSE_TO: Final = 10.0
"""Seconds between a window that failed and the next: from, doubling, to."""

_log = structlog.get_logger("mapping_watch")


class StoreWentBack(Exception):
    """The cluster was restored from a backup, so that all watches have to begin anew."""


class WatchesMapping(Protocol):
    """Where the mapping is watched: `cluster.objects.ClusterObjects`.

    Both methods raise `ApiError`.
    """

    async def list_mapping(self, on_mapping: OnMapping) -> str:
        """Tell what there is; returns the version of the store."""
        ...

    async def watch_mapping(self, version: str, on_mapping: OnMapping) -> str | None:
        """Tell each change after that version for one window.

        Returns:
            The version where the next window begins; None if the server said nothing at all.
        """
        ...


class MappingWatch:
    """Asks for a pass whenever the mapping is not as expected."""

    def __init__(
        self,
        cluster: WatchesMapping,
        is_expected: Callable[[StoredMapping | None], bool],
        nudge: Callable[[str], None],
        *,
        backoff: Backoff | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare a watch; `run` does it.

        Args:
            cluster: where the mapping is.
            is_expected: whether it is as we left it.
            nudge: asks for a pass, because of a change of that kind.
            backoff: pauses after a failure.
            monotonic: seconds from any origin.
        """
        self._cluster = cluster
        self._is_expected = is_expected
        self._nudge = nudge
        self._backoff = backoff or Backoff(PAUSE_FROM, PAUSE_TO)
        self._monotonic = monotonic
        self._newest = 0

    async def run(self) -> None:
        """Watch until cancelled; failures are waited out, and meanwhile the resync repairs.

        Raises:
            StoreWentBack: the cluster's versions fell.
        """
        while True:
            try:
                version: str | None = await self._list()
                while version is not None:
                    version = await self._watch(version)
            except ApiError as error:
                _log.info("watch.failed", why=str(error))
                await asyncio.sleep(self._backoff.next())

    async def _list(self) -> str:
        version = await self._cluster.list_mapping(self._look)
        if int(version) < self._newest:
            raise StoreWentBack(
                f"the cluster went back from version {self._newest} to {version}, as by a restore "
                "of etcd: the operator ends, to be started again and to read everything anew"
            )
        self._newest = int(version)
        return version

    async def _watch(self, version: str) -> str | None:
        opened = self._monotonic()
        try:
            reached = await self._cluster.watch_mapping(version, self._look)
        finally:
            lasted = self._monotonic() - opened >= SHORTEST_WINDOW
            if lasted:
                self._backoff.reset()
        if not lasted:
            await asyncio.sleep(self._backoff.next())
        if reached is not None:
            self._newest = max(self._newest, int(reached))
        return reached

    def _look(self, stored: StoredMapping | None) -> None:
        if not self._is_expected(stored):
            self._nudge("mapping")
