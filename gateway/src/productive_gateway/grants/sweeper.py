"""Removes what is over: expired grants, those of people who are gone, and too many of one person.

Every replica sweeps, at random times and without a leader: each removal has uid and version as
preconditions, so two sweepers do nothing twice and a grant that was renewed meanwhile stays. A
sweep acts on complete lists only, and never without a complete view of the people.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from productive_contract.clock import Chance, Clock, system_chance, system_clock
from productive_contract.names import LABEL_USER_UID
from productive_gateway.errors import Unavailable
from productive_gateway.grants.commit import end
from productive_gateway.grants.config import SKEW, GrantConfig
from productive_gateway.grants.errors import Changed, Missing
from productive_gateway.grants.grant import Cause, Grant, GrantState, ended
from productive_gateway.grants.record import Record, RecordKind, Tampered, decode
from productive_gateway.grants.store import GrantStore
from productive_gateway.observability.audit import Event, audit
from productive_gateway.observability.metrics import SWEPT
from productive_gateway.people.snapshot import People
from productive_gateway.sealing.errors import UnknownKey
from productive_gateway.sealing.keys import KeyRing, Keys

ORPHAN_AFTER: Final = 600.0
"""Seconds that a person must be absent from complete views before their grants are removed."""
INTERVAL: Final = (300.0, 900.0)
"""Seconds between two sweeps, drawn anew each time."""
PACE: Final = 0.02
"""Seconds between two removals, to spare the API server."""


@dataclass(frozen=True, slots=True)
class _Removal:
    """A record to remove."""

    record: Record
    grant: Grant | None
    cause: Cause


@dataclass(frozen=True, slots=True)
class _Judged:
    """What is remembered of a record: there may be many thousands."""

    user_uid: str
    removal: _Removal | None = None
    living: tuple[float, str] | None = None
    """Last use and name of a grant that counts towards the cap of its person."""


class Sweeper:
    """Removes what is over."""

    def __init__(
        self,
        store: GrantStore,
        people: People,
        keys: Keys,
        config: GrantConfig,
        *,
        clock: Clock = system_clock,
        chance: Chance = system_chance,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Prepare to sweep `store`; `run` does it.

        Args:
            store: what is swept.
            people: who is present.
            keys: authenticate the grants.
            config: lifetimes and the cap.
            clock: Unix seconds.
            chance: spreads the sweeps of several replicas.
            pause: waits between sweeps and between removals.
        """
        self._store = store
        self._people = people
        self._keys = keys
        self._config = config
        self._clock = clock
        self._chance = chance
        self._pause = pause
        self._absent_since: dict[str, float] = {}

    async def run(self) -> None:
        """Sweep at random times until cancelled."""
        shortest, longest = INTERVAL
        while True:
            await self._pause(shortest + (longest - shortest) * self._chance())
            try:
                await self.sweep()
            except Unavailable:
                continue  # the next sweep starts from a new list

    async def sweep(self) -> int:
        """Sweep once; return how many records were removed.

        Raises:
            Unavailable: people, keys or store cannot be read; nothing is judged by half a view.
        """
        present = self._view()
        ring = self._keys.ring()
        removed = 0
        for one in await self._judge(present, ring):
            removed += await self._remove(one, ring)
            await self._pause(PACE)
        return removed

    def _view(self) -> frozenset[str]:
        try:
            return frozenset(self._people.snapshot().by_uid)
        except Unavailable:
            # Absence before a hole in the view was not absence all the time.
            self._absent_since.clear()
            raise

    async def _judge(self, present: frozenset[str], ring: KeyRing) -> list[_Removal]:
        judge_grant = partial(self._judge_grant, present=present, ring=ring)
        judge_binding = partial(self._judge_binding, present=present)
        judged = await self._store.list(RecordKind.GRANT, judge_grant)
        judged += await self._store.list(RecordKind.SUBJECT, judge_binding)
        absent = {one.user_uid for one in judged} - present
        for uid in self._absent_since.keys() - absent:
            del self._absent_since[uid]
        removals = [one.removal for one in judged if one.removal is not None]
        return removals + await self._over_cap(judged, ring)

    def _judge_grant(self, record: Record, present: frozenset[str], ring: KeyRing) -> _Judged:
        grant = _read(record, ring)
        uid = record.labels.get(LABEL_USER_UID, "") if grant is None else grant.user_uid
        cause = self._cause(record, grant, ring, orphan=self._orphan(uid, present))
        if cause is not None:
            return _Judged(uid, removal=_Removal(record, grant, cause))
        if grant is None or grant.state is GrantState.GONE:
            return _Judged(uid)
        return _Judged(uid, living=(grant.last_used, grant.name))

    def _judge_binding(self, record: Record, present: frozenset[str]) -> _Judged:
        uid = record.labels.get(LABEL_USER_UID, "")
        if self._orphan(uid, present):
            return _Judged(uid, removal=_Removal(record, None, Cause.ORPHAN))
        return _Judged(uid)

    def _orphan(self, uid: str, present: frozenset[str]) -> bool:
        if uid in present:
            return False
        since = self._absent_since.setdefault(uid, self._clock())
        return self._clock() - since >= ORPHAN_AFTER

    def _cause(
        self, record: Record, grant: Grant | None, ring: KeyRing, *, orphan: bool
    ) -> Cause | None:
        now = self._clock()
        if orphan:
            return Cause.ORPHAN
        if grant is None:
            # Only the store's own time can be trusted: past a grant's life it is useless.
            over = now > record.created + self._config.absolute_life + SKEW
            return Cause.EXPIRED if over else None
        if now > grant.end(self._config) + SKEW:
            return Cause.EXPIRED
        return Cause.OLD_EPOCH if grant.epoch < ring.epoch else None

    async def _over_cap(self, judged: list[_Judged], ring: KeyRing) -> list[_Removal]:
        by_person: dict[str, list[tuple[float, str]]] = defaultdict(list)
        for one in judged:
            if one.living is not None:
                by_person[one.user_uid].append(one.living)
        removals: list[_Removal] = []
        for living in by_person.values():
            excess = max(len(living) - self._config.per_person, 0)
            for last_used, name in sorted(living)[:excess]:
                record = await self._store.get(name)
                grant = None if record is None else _read(record, ring)
                # Used since it was listed: it is no longer the oldest.
                if record is not None and grant is not None and grant.last_used == last_used:
                    removals.append(_Removal(record, grant, Cause.OVER_CAP))
        return removals

    async def _remove(self, one: _Removal, ring: KeyRing) -> int:
        now = self._clock()
        try:
            if one.grant is None or one.grant.state is GrantState.GONE:
                await self._store.delete(one.record)
            else:
                gone = ended(one.grant, one.cause, now=now)
                await end(self._store, one.record, gone, ring, now=now)
        except (Changed, Missing):
            return 0  # renewed, or another replica was first
        SWEPT.labels(cause=one.cause.value).inc()
        if one.grant is not None and one.grant.state is GrantState.ACTIVE:
            audit(
                Event.GRANT_ENDED,
                reason=one.cause.value,
                user=one.grant.user,
                grant=one.grant.name,
                client=one.grant.client_label,
            )
        return 1


def _read(record: Record, ring: KeyRing) -> Grant | None:
    try:
        return decode(record, ring)
    except (Tampered, UnknownKey):
        return None
