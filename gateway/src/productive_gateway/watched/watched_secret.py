"""The mapping in use: the last one that could be read, whatever is published now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import structlog

from productive_contract.mapping import MappingError, State, decode
from productive_gateway.errors import Unavailable
from productive_gateway.observability.metrics import (
    MAPPING_BROKEN,
    MAPPING_PEOPLE,
    MAPPING_REVISION,
)
from productive_gateway.people.snapshot import Snapshot
from productive_gateway.watched.alarm import Alarm
from productive_gateway.watched.changes import Changes

_log = structlog.get_logger(__name__)


class LastGood:
    """Holds one snapshot and replaces it as a whole; a bad document changes nothing but the alarm.

    Who reads the published mapping calls `take` or `missing`, which keep the alarm; what was read
    elsewhere is decoded by the caller and given to `use`.
    """

    def __init__(self) -> None:
        self.changes = Changes()
        self._alarm = Alarm("mapping", MAPPING_BROKEN)
        self._snapshot: Snapshot | None = None
        self._data: Mapping[str, bytes] | None = None

    @property
    def loaded(self) -> Snapshot | None:
        """The snapshot, or None before the first."""
        return self._snapshot

    @property
    def trouble(self) -> str | None:
        """What is wrong with the published mapping; None while it is the one in use."""
        return self._alarm.cause

    def snapshot(self) -> Snapshot:
        """Return the snapshot.

        Raises:
            Unavailable: none could be read yet.
        """
        if self._snapshot is None:
            raise Unavailable(
                "The list of people is not there yet. Try again in a moment; if it stays so, tell "
                "your administrator to look at the log of the operator.",
                reason="no_mapping",
            )
        return self._snapshot

    def take(self, data: Mapping[str, bytes]) -> None:
        """Follow the published mapping, up or down, or keep what there is and sound the alarm."""
        if not data:
            self.missing("the mapping is empty: nothing was published into it")
            return
        if data != self._data:
            try:
                snapshot = Snapshot.of(decode(data))
            except MappingError as error:
                self._alarm.sound(f"the mapping cannot be read: {error}")
                return
            self.use(snapshot, data)
        self._alarm.clear()

    def missing(self, cause: str) -> None:
        """Note that nothing is published; before the first mapping that is as it should be."""
        if self._snapshot is not None:
            self._alarm.sound(cause)

    def use(self, snapshot: Snapshot, data: Mapping[str, bytes]) -> None:
        """Put a snapshot, and the data that it was decoded from, in place of the present one."""
        self._snapshot, self._data = snapshot, data
        states = Counter(person.state for person in snapshot.by_email.values())
        for state in State:
            MAPPING_PEOPLE.labels(state=state.value).set(states[state])
        MAPPING_REVISION.set(snapshot.revision)
        _log.info("mapping.loaded", revision=snapshot.revision, people=len(snapshot.by_email))
        self.changes.announce()
