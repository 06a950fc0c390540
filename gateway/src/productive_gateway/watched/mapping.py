"""The mapping of the cluster: one Secret that the operator publishes.

The watched object is the truth, even when its revision is lower than before (a mapping that was
made anew, or restored from a backup); the mount may only raise the revision.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from productive_contract.mapping import MappingError, State, decode, decoding
from productive_contract.slices import in_turns
from productive_gateway.errors import Unavailable
from productive_gateway.observability.metrics import (
    MAPPING_BROKEN,
    MAPPING_PEOPLE,
    MAPPING_REVISION,
)
from productive_gateway.people.snapshot import Snapshot
from productive_gateway.watched.watched_secret import (
    Absent,
    Data,
    LastGood,
    Malformed,
    WatchedSecret,
)
from productive_kube.client import KubeClient
from productive_kube.reflector import WINDOW_SECONDS

_log = structlog.get_logger(__name__)

MAX_STALENESS: Final = 300.0
"""How many seconds a mapping is used after it was last known to be the published one."""


class LastGoodMapping(LastGood[Snapshot]):
    """The mapping in use: the last one that could be read, whatever is published now."""

    def __init__(self) -> None:
        super().__init__(
            "mapping", self._snapshot_of, alarm=MAPPING_BROKEN, on_use=_report, absent_at_first=True
        )
        self._prepared: tuple[Data, Snapshot] | None = None

    async def prepare(self, data: Data) -> None:
        """Decode the data ahead, in slices: ten thousand people take a tenth of a second or more.

        Data that cannot be decoded are left to `take`, which reports them.
        """
        if data and data != self._data:
            with suppress(MappingError):
                self._prepared = data, Snapshot.of(await in_turns(decoding(data)))

    def snapshot(self) -> Snapshot:
        """Return the last good complete view.

        Raises:
            Unavailable: no mapping could be read yet.
        """
        if self.value is None:
            raise Unavailable(
                "The list of people is not available yet. Try again in a moment; if that does not "
                "help, ask your administrator to look at the log of the operator.",
                reason="no_mapping",
            )
        return self.value

    def _snapshot_of(self, data: Data) -> Snapshot:
        prepared = self._prepared
        if prepared is None or prepared[0] != data:
            return _parse(data)
        self._prepared = None
        return prepared[1]

    def _clear(self) -> None:
        # One faulty entry hides no other, least of all a removal; the alarm is raised all the same.
        if self.value is not None and self.value.faults:
            faults = "; ".join(self.value.faults)
            self.reject(Malformed(f"the mapping is used without its faulty entries: {faults}"))
        else:
            super()._clear()


class MappingSource:
    """Follows the mapping Secret; implements `People`."""

    def __init__(
        self,
        client: KubeClient,
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
            client: the API server.
            namespace: of the mapping Secret.
            name: of the mapping Secret.
            mount: folder that the kubelet mounts the same Secret to.
            max_staleness: seconds, see MAX_STALENESS.
            window: seconds of one watch.
            monotonic: seconds from any origin.
        """
        self._good = LastGoodMapping()
        self._max_staleness = max_staleness
        self._secret = WatchedSecret(
            client,
            namespace,
            name,
            self._good,
            mount=mount,
            supersedes=lambda mounted, present: mounted.revision > present.revision,
            window=window,
            monotonic=monotonic,
        )

    @property
    def healthy(self) -> bool:
        """Whether the watch is healthy."""
        return self._secret.healthy

    @property
    def problem(self) -> str | None:
        """What is wrong with the published mapping; None while that one is in use."""
        return self._good.problem

    def snapshot(self) -> Snapshot:
        """Return the last good view; one from the mount proves nobody's absence.

        Raises:
            Unavailable: no mapping could be read yet, or it has not been confirmed for too long.
        """
        snapshot = self._good.snapshot()
        if self._secret.age > self._max_staleness:
            raise Unavailable(
                "The list of people could not be confirmed for some minutes, so nobody can be let "
                "in safely. Try again in a minute; if that does not help, tell your administrator "
                "that the gateway cannot reach the Kubernetes API.",
                reason="mapping_stale",
                retry_after=30,
            )
        return snapshot if self._secret.confirmed else replace(snapshot, proves_absence=False)

    async def run(self) -> None:
        """Follow the Secret until cancelled."""
        await self._secret.run()

    def poll_mount(self) -> None:
        """Poll the mount once, and use what it holds if it may decide now."""
        self._secret.poll_mount()


def _parse(data: Data) -> Snapshot:
    if not data:
        raise Absent("the mapping is empty: nothing was published into it")
    try:
        return Snapshot.of(decode(data))
    except MappingError as error:
        raise Malformed(f"the mapping cannot be read: {error}") from error


def _report(snapshot: Snapshot) -> None:
    states = Counter(person.state for person in snapshot.by_email.values())
    for state in State:
        MAPPING_PEOPLE.labels(state=state.value).set(states[state])
    MAPPING_REVISION.set(snapshot.revision)
    _log.info("mapping.loaded", revision=snapshot.revision, people=len(snapshot.by_email))
