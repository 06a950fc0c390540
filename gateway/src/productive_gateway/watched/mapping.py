"""The mapping of the cluster: one Secret that the operator publishes.

The watched object is the truth, even when its revision is lower than before (a mapping that was
created again, or restored from a backup); the mount may only raise the revision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Unpack

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
from productive_gateway.watched.source import SecretSource
from productive_gateway.watched.watched_secret import (
    Absent,
    Data,
    LastGood,
    Malformed,
    WatchOptions,
)
from productive_kube.client import KubeClient

_log = structlog.get_logger(__name__)


class LastGoodMapping(LastGood[Snapshot]):
    """The mapping in use: the last one that could be read, whatever is published now."""

    def __init__(self) -> None:
        super().__init__(
            "mapping",
            self._snapshot_of,
            alarm=MAPPING_BROKEN,
            on_use=self._used,
            absent_at_first=True,
        )
        self._followers: list[Callable[[Snapshot], None]] = []
        self._prepared: tuple[Data, Snapshot] | None = None

    async def prepare(self, data: Data) -> None:
        """Decode the data ahead, in slices: ten thousand people take a tenth of a second or more.

        Data that cannot be decoded are left to `take`, which reports them.
        """
        if data and data != self._data:
            with suppress(MappingError):
                self._prepared = data, Snapshot.of(await in_turns(decoding(data)))

    def follow(self, follower: Callable[[Snapshot], None]) -> None:
        """Call a function with the present mapping, and with each that comes into use."""
        self._followers.append(follower)
        if self.value is not None:
            follower(self.value)

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

    def _used(self, snapshot: Snapshot) -> None:
        _report(snapshot)
        for follower in self._followers:
            follower(snapshot)

    def _clear(self) -> None:
        # One faulty entry hides no other, least of all a removal; the alarm is raised all the same.
        if self.value is not None and self.value.faults:
            faults = "; ".join(self.value.faults)
            self.reject(Malformed(f"the mapping is used without its faulty entries: {faults}"))
        else:
            super()._clear()


class MappingSource(SecretSource[Snapshot]):
    """Follows the mapping Secret; implements `People`."""

    def __init__(
        self, client: KubeClient, namespace: str, name: str, **options: Unpack[WatchOptions]
    ) -> None:
        """Read the mount, if there is one; `run` does the rest.

        Args:
            client: the API server.
            namespace: of the mapping Secret.
            name: of the mapping Secret.
            options: see `WatchOptions`.
        """
        self._mapping = LastGoodMapping()
        super().__init__(
            client,
            namespace,
            name,
            self._mapping,
            title="The list of people",
            supersedes=lambda mounted, present: mounted.revision > present.revision,
            **options,
        )

    def follow(self, follower: Callable[[Snapshot], None]) -> None:
        """Call a function with the present mapping, and with each that comes into use."""
        self._mapping.follow(follower)

    def snapshot(self) -> Snapshot:
        """Return the last good view; one from the mount proves nobody's absence.

        Raises:
            Unavailable: no mapping could be read yet, or it has not been confirmed for too long.
        """
        snapshot = self._mapping.snapshot()
        self._check_age()
        return snapshot if self._secret.confirmed else replace(snapshot, proves_absence=False)


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
