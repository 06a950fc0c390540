"""The mapping of the cluster: one Secret, watched by name, and the kubelet's mount of it.

The watched object is the truth, also when its revision is lower than before (a mapping made anew,
or restored from a backup). The mount is a minute late, so it decides only before the first answer
of the API server and while that is away, and then only upwards.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from productive_contract.mapping import MappingError, decode
from productive_gateway.errors import Unavailable
from productive_gateway.people.snapshot import Snapshot
from productive_gateway.watched.changes import Changes
from productive_gateway.watched.watched_secret import LastGood
from productive_kube.mount import Mount
from productive_kube.reflector import WINDOW_SECONDS, NamedSecret, Watchable

_log = structlog.get_logger(__name__)

MAX_STALENESS: Final = 300.0
"""Seconds that a mapping is acted on after it was last known to be the published one."""
_POLL_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Candidate:
    """What the mount held last, and when it began to."""

    snapshot: Snapshot
    data: Mapping[str, bytes]
    since: float


class MappingSource:
    """Implements `People`."""

    def __init__(
        self,
        api: Watchable,
        namespace: str,
        name: str,
        *,
        mount: Path | None = None,
        max_staleness: float = MAX_STALENESS,
        window: int = WINDOW_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the mount, if there is one; `run` does the rest.

        Args:
            api: the API server.
            namespace: of the mapping Secret.
            name: of the mapping Secret.
            mount: folder that the kubelet mounts the same Secret to.
            max_staleness: seconds, see MAX_STALENESS.
            window: seconds of one watch.
            monotonic: seconds from any origin.
        """
        self._good = LastGood()
        self._mount = None if mount is None else Mount(mount)
        self._max_staleness = max_staleness
        self._monotonic = monotonic
        self._candidate: _Candidate | None = None
        self._mount_confirmed: float | None = None
        self._watch = NamedSecret(
            api,
            namespace,
            name,
            self._on_object,
            label="mapping",
            window=window,
            monotonic=monotonic,
        )
        self.poll_mount()

    @property
    def changes(self) -> Changes:
        """Announces each snapshot that is put in place."""
        return self._good.changes

    @property
    def healthy(self) -> bool:
        """Whether the watch is."""
        return self._watch.healthy

    @property
    def trouble(self) -> str | None:
        """What is wrong with the published mapping; None while it is the one in use."""
        return self._good.trouble

    def snapshot(self) -> Snapshot:
        """Return the last good complete view.

        Raises:
            Unavailable: no mapping could be read yet, or it is too stale to be acted on.
        """
        snapshot = self._good.snapshot()
        if self._age() > self._max_staleness:
            raise Unavailable(
                "The list of people could not be confirmed for some minutes, so nobody can be let "
                "in safely. Try again in a minute; if it stays so, tell your administrator that "
                "the gateway cannot reach the Kubernetes API.",
                reason="mapping_stale",
                retry_after=30,
            )
        return snapshot

    async def run(self) -> None:
        """Follow the Secret until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch.run())
            if self._mount is not None:
                group.create_task(self._poll())

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            self.poll_mount()

    def poll_mount(self) -> None:
        """Look at the mount once, and let it decide if it is its turn."""
        mounted = None if self._mount is None else self._mount.poll()
        if mounted is not None and mounted.data:
            try:
                snapshot = Snapshot.of(decode(mounted.data))
            except MappingError as error:
                # The alarm is about the published Secret, which the watch reads.
                _log.warning("mapping.mount_unreadable", cause=str(error))
            else:
                self._candidate = _Candidate(snapshot, mounted.data, self._monotonic())
        if self._candidate is not None and self._is_newer(self._candidate):
            self._good.use(self._candidate.snapshot, self._candidate.data)
            self._mount_confirmed = self._candidate.since

    def _is_newer(self, candidate: _Candidate) -> bool:
        present = self._good.loaded
        if present is None:
            return True
        if self._watch.healthy or candidate.snapshot.revision <= present.revision:
            return False
        # What the watch confirmed after the mount got this version has overtaken it: after a
        # restore the mount still shows the higher revision of before for a minute.
        confirmed = self._watch.confirmed
        return confirmed is None or candidate.since > confirmed

    def _on_object(self, data: dict[str, bytes] | None, _version: str) -> None:
        if data is None:
            self._good.missing("the mapping Secret does not exist")
        else:
            self._good.take(data)

    def _age(self) -> float:
        """Return for how long nothing has confirmed the snapshot.

        A mount that does not change confirms nothing: the kubelet, too, may be cut off.
        """
        moments = (self._watch.confirmed, self._mount_confirmed)
        return self._monotonic() - max(m for m in moments if m is not None)
