"""Taking away what is over: expired grants, those of people who are gone, and too many of one.

Every replica sweeps, at random times and without a leader: each removal has uid and version as
preconditions, so two sweepers do nothing twice and a grant that was renewed meanwhile stays. A
sweep acts on complete lists only, and never without a complete view of the people.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from productive_contract.clock import Clock, Entropy, system_clock, system_entropy
from productive_contract.names import LABEL_USER_UID
from productive_gateway.errors import Unavailable
from productive_gateway.grants.config import SKEW, GrantConfig
from productive_gateway.grants.ending import put_to_end
from productive_gateway.grants.errors import Conflict, Expired, Missing
from productive_gateway.grants.grant import Cause, Grant, State, ended
from productive_gateway.grants.record import Tampered, decode
from productive_gateway.grants.store import GrantStore, Kind, Record
from productive_gateway.observability.audit import Event, audit
from productive_gateway.observability.metrics import SWEPT
from productive_gateway.people.snapshot import People
from productive_gateway.sealing.errors import UnknownKey
from productive_gateway.sealing.keys import KeyRing, Keys

ORPHAN_AFTER: Final = 600.0
"""Seconds that a person must be absent from complete views before their grants are taken."""
INTERVAL: Final = (300.0, 900.0)
"""Seconds between two sweeps, drawn anew each time."""
PACE: Final = 0.02
"""Seconds between two removals: the API server has other things to do."""


@dataclass(frozen=True, slots=True)
class _Doomed:
    """A record to take away."""

    record: Record
    grant: Grant | None
    cause: Cause


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
        entropy: Entropy = system_entropy,
        pace: float = PACE,
    ) -> None:
        """Sweep `store`; `pace` is the seconds between two removals."""
        self._store = store
        self._people = people
        self._keys = keys
        self._config = config
        self._clock = clock
        self._entropy = entropy
        self._pace = pace
        self._absent_since: dict[str, float] = {}

    async def run(self) -> None:
        """Sweep for ever at random times; ends only by being cancelled."""
        shortest, longest = INTERVAL
        while True:
            fraction = int.from_bytes(self._entropy(2)) / 65536
            await asyncio.sleep(shortest + (longest - shortest) * fraction)
            try:
                await self.sweep()
            except Unavailable:
                continue  # the next sweep starts from a new list

    async def sweep(self) -> int:
        """Sweep once; return how many records were taken away.

        Raises:
            Unavailable: people, keys or store are away; nothing is judged by half a view.
        """
        present = self._view()
        ring = self._keys.ring()
        try:
            doomed = await self._judge(present, ring)
        except Expired as error:
            raise Unavailable(
                "The list of grants changed while it was read; the next sweep reads it anew.",
                reason="grants_list_expired",
            ) from error
        taken = 0
        for one in doomed:
            taken += await self._take(one, ring)
            await asyncio.sleep(self._pace)
        return taken

    def _view(self) -> frozenset[str]:
        try:
            return frozenset(self._people.snapshot().by_uid)
        except Unavailable:
            # What was absent before a hole in the view has not been absent all the time.
            self._absent_since.clear()
            raise

    async def _judge(self, present: frozenset[str], ring: KeyRing) -> list[_Doomed]:
        doomed: list[_Doomed] = []
        # Of those that stay only a name is kept: there may be many thousands.
        kept: dict[str, list[tuple[float, str]]] = defaultdict(list)
        seen: set[str] = set()
        async for page in self._store.pages(Kind.GRANT):
            for record in page.records:
                grant = _read(record, ring)
                uid = record.labels.get(LABEL_USER_UID, "") if grant is None else grant.user_uid
                seen.add(uid)
                cause = self._cause(record, grant, ring, orphan=self._orphan(uid, present))
                if cause is not None:
                    doomed.append(_Doomed(record, grant, cause))
                elif grant is not None and grant.state is not State.GONE:
                    kept[uid].append((grant.last_used, grant.name))
            await asyncio.sleep(0)  # thousands of records must not hold up requests
        async for page in self._store.pages(Kind.SUBJECT):
            for record in page.records:
                uid = record.labels.get(LABEL_USER_UID, "")
                seen.add(uid)
                if self._orphan(uid, present):
                    doomed.append(_Doomed(record, None, Cause.ORPHAN))
        for uid in self._absent_since.keys() - (seen - present):
            del self._absent_since[uid]
        return doomed + await self._over_cap(kept, ring)

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
            # Nobody's word but the store's own time: it cannot be of use after a grant's life.
            over = now > record.created + self._config.absolute_life + SKEW
            return Cause.EXPIRED if over else None
        if now > grant.end(self._config) + SKEW:
            return Cause.EXPIRED
        return Cause.OLD_EPOCH if grant.epoch < ring.epoch else None

    async def _over_cap(
        self, kept: dict[str, list[tuple[float, str]]], ring: KeyRing
    ) -> list[_Doomed]:
        doomed: list[_Doomed] = []
        for ones in kept.values():
            excess = max(len(ones) - self._config.per_person, 0)
            for last_used, name in sorted(ones)[:excess]:
                record = await self._store.get(name)
                grant = None if record is None else _read(record, ring)
                # Used since it was listed: it is not the oldest any more.
                if record is not None and grant is not None and grant.last_used == last_used:
                    doomed.append(_Doomed(record, grant, Cause.OVER_CAP))
        return doomed

    async def _take(self, one: _Doomed, ring: KeyRing) -> int:
        now = self._clock()
        try:
            if one.grant is None or one.grant.state is State.GONE:
                await self._store.delete(one.record)
            else:
                gone = ended(one.grant, one.cause, now=now)
                await put_to_end(self._store, one.record, gone, ring, now=now)
        except (Conflict, Missing):
            return 0  # renewed, or another replica was first
        SWEPT.labels(cause=one.cause.value).inc()
        if one.grant is not None and one.grant.state is State.ACTIVE:
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
