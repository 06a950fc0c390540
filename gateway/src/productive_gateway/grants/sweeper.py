"""Removes what is over: expired grants, those of people who are gone, and too many of one person.

Every replica sweeps, at random times and without a leader: each removal has uid and version as
preconditions, so two sweepers do nothing twice and a grant that was renewed meanwhile stays. A
sweep acts on complete lists only, and never without a complete view of the people.

Since when a person is absent is stored in a label of their subject binding: written once when they
are first found absent, removed when they are back. So it survives restarts, every replica goes by
the same time, and an administrator sees it in the namespace. It needs no MAC: somebody who can edit
it can delete the grants as well.

A ledger is removed when nothing was written to it for a day. That includes the ledgers of absent
people, who cannot write; where room is short theirs are removed at once.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from productive_contract.clock import Chance, Clock, system_chance, system_clock
from productive_contract.names import LABEL_ABSENT_SINCE, LABEL_USER_UID
from productive_gateway.errors import Unavailable
from productive_gateway.grants.commit import end
from productive_gateway.grants.config import DAY, SKEW, GrantConfig
from productive_gateway.grants.errors import Changed, Missing
from productive_gateway.grants.grant import Cause, Grant, GrantState, ended
from productive_gateway.grants.ledger import without_content, written_at
from productive_gateway.grants.record import Record, RecordKind, Tampered, decode
from productive_gateway.grants.store import GrantStore
from productive_gateway.observability.audit import Event, audit
from productive_gateway.observability.metrics import GRANTS_STORED, SWEPT
from productive_gateway.people.snapshot import People
from productive_gateway.sealing.errors import UnknownKey
from productive_gateway.sealing.keys import KeyRing, Keys

ORPHAN_AFTER: Final = DAY
"""Seconds that a person must be absent from complete views before their grants are removed. They
are refused at once; this is for a mapping that lost people by mistake, as by a wrong namespace."""
LEDGER_IDLE: Final = DAY
"""Seconds without a write after which a ledger is removed; all that is in it expires sooner."""
CROWDED: Final = 0.8
"""Part of the store's capacity from which on absent people are not waited for."""
INTERVAL: Final = (300.0, 900.0)
"""Seconds between two sweeps: from, to. Each pause is random."""
PACE: Final = 0.02
"""Seconds between two writes, to spare the API server."""

_STAMP: Final = "%Y%m%dT%H%M%SZ"
"""A time as a label's value may be written."""


@dataclass(frozen=True, slots=True)
class _Removal:
    """A record to remove."""

    record: Record
    grant: Grant | None
    cause: Cause


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is remembered of a grant's record: there may be many thousands."""

    user_uid: str
    name: str
    removal: _Removal | None = None
    last_used: float | None = None
    """Of a grant that counts towards the cap of its person."""


@dataclass(frozen=True, slots=True)
class _Binding:
    """What is remembered of a person's subject binding."""

    user_uid: str
    absent_since: float | None
    record: Record | None
    """None if nothing about it can have to change."""


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
        present = self._people.snapshot().all_uids()
        ring = self._keys.ring()
        bindings = await self._store.list(
            RecordKind.SUBJECT, partial(self._see_binding, present=present)
        )
        orphans = frozenset(one.user_uid for one in bindings if self._due(one, present))
        seen = await self._store.list(
            RecordKind.GRANT, partial(self._see_grant, orphans=orphans, ring=ring)
        )
        ledgers = await self._store.list(RecordKind.LEDGER, without_content)
        removals = [one.removal for one in seen if one.removal is not None]
        stored = len(bindings) + len(seen) + len(ledgers)
        GRANTS_STORED.set(stored)
        if crowded := self._crowded(stored):
            everybody = {one.user_uid for one in bindings} | {one.user_uid for one in seen}
            orphans = frozenset(everybody - present)
            removals = await self._orphaned(seen, orphans, ring) + removals
        for ledger in ledgers:
            absent = crowded and ledger.labels.get(LABEL_USER_UID) not in present
            if not ledger.deleting and (absent or self._idle(ledger)):
                cause = Cause.ORPHAN if absent else Cause.EXPIRED
                removals.append(_Removal(ledger, None, cause))
        removals += await self._over_cap(seen, ring)
        removed = 0
        for one in removals:
            removed += await self._remove(one, ring)
            await self._pause(PACE)
        return removed + await self._update_bindings(bindings, present, orphans, ring)

    def _see_binding(self, record: Record, present: frozenset[str]) -> _Binding:
        uid, stamp = record.labels.get(LABEL_USER_UID, ""), record.labels.get(LABEL_ABSENT_SINCE)
        if record.deleting or (uid in present and stamp is None):
            return _Binding(uid, None, None)
        return _Binding(uid, None if stamp is None else self._time(stamp), record)

    def _see_grant(self, record: Record, orphans: frozenset[str], ring: KeyRing) -> _Seen:
        grant = _read(record, ring)
        uid = record.labels.get(LABEL_USER_UID, "") if grant is None else grant.user_uid
        if record.deleting:
            return _Seen(uid, record.name)
        cause = Cause.ORPHAN if uid in orphans else self._cause(record, grant, ring)
        if cause is not None:
            return _Seen(uid, record.name, removal=_Removal(record, grant, cause))
        if grant is None or grant.state is GrantState.GONE:
            return _Seen(uid, record.name)
        return _Seen(uid, record.name, last_used=grant.last_used)

    def _time(self, stamp: str) -> float | None:
        try:
            moment = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC).timestamp()
        except ValueError:
            return None
        # Only an edited one is of the future.
        return moment if moment <= self._clock() + SKEW else None

    def _due(self, binding: _Binding, present: frozenset[str]) -> bool:
        since = binding.absent_since
        if binding.user_uid in present or since is None:
            return False
        return self._clock() - since >= ORPHAN_AFTER

    def _crowded(self, stored: int) -> bool:
        capacity = self._store.capacity
        # More than fits is stored when the capacity was raised since it was learnt.
        return capacity is not None and CROWDED * capacity <= stored <= capacity

    def _idle(self, ledger: Record) -> bool:
        return self._clock() - written_at(ledger) > LEDGER_IDLE + SKEW

    def _cause(self, record: Record, grant: Grant | None, ring: KeyRing) -> Cause | None:
        now = self._clock()
        if grant is None:
            # Only the store's own time can be trusted: past the longest life of a grant it is
            # useless. Before, it may be a good one, renewed with a key that came a moment ago.
            over = now > record.created + self._config.longest_life + SKEW
            return Cause.EXPIRED if over else None
        if now > grant.end(self._config) + SKEW:
            return Cause.EXPIRED
        return Cause.OLD_EPOCH if grant.epoch < ring.epoch else None

    async def _orphaned(
        self, seen: list[_Seen], orphans: frozenset[str], ring: KeyRing
    ) -> list[_Removal]:
        removals: list[_Removal] = []
        for one in seen:
            if one.user_uid in orphans and one.last_used is not None:
                record = await self._store.get(one.name)
                if record is not None:
                    removals.append(_Removal(record, _read(record, ring), Cause.ORPHAN))
        return removals

    async def _over_cap(self, seen: list[_Seen], ring: KeyRing) -> list[_Removal]:
        by_person: dict[str, list[tuple[float, str]]] = defaultdict(list)
        for one in seen:
            if one.last_used is not None:
                by_person[one.user_uid].append((one.last_used, one.name))
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

    async def _update_bindings(
        self,
        bindings: list[_Binding],
        present: frozenset[str],
        orphans: frozenset[str],
        ring: KeyRing,
    ) -> int:
        """Store since when people are absent, and remove the bindings of orphans."""
        removed = 0
        for one in bindings:
            if one.record is None:
                continue
            if one.user_uid in orphans:
                removed += await self._remove(_Removal(one.record, None, Cause.ORPHAN), ring)
            elif one.user_uid in present or one.absent_since is None:
                await self._mark(one.record, absent=one.user_uid not in present)
            else:
                continue
            await self._pause(PACE)
        return removed

    async def _mark(self, binding: Record, *, absent: bool) -> None:
        labels = {name: v for name, v in binding.labels.items() if name != LABEL_ABSENT_SINCE}
        if absent:
            labels[LABEL_ABSENT_SINCE] = datetime.fromtimestamp(self._clock(), UTC).strftime(_STAMP)
        with suppress(Changed, Missing):  # another replica was first
            await self._store.update(replace(binding, labels=labels))

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
        reason = _audited_reason(one)
        if one.grant is not None and reason is not None:
            audit(
                Event.GRANT_ENDED,
                reason=reason,
                user=one.grant.user,
                grant=one.grant.name,
                client=one.grant.client_label,
            )
        return 1


def _audited_reason(one: _Removal) -> str | None:
    """Return the reason for an audit line; None if there is nothing to audit.

    The gateway that ends a grant audits it. What an administrator's command ended is audited by
    the replica whose removal succeeds, so that there is one line, whatever their number.
    """
    if one.grant is None:
        return None
    if one.grant.state is GrantState.ACTIVE:
        return one.cause.value
    by_command = one.grant.ended_cause == Cause.ADMINISTRATOR.value
    return Cause.ADMINISTRATOR.value if by_command else None


def _read(record: Record, ring: KeyRing) -> Grant | None:
    try:
        return decode(record, ring)
    except (Tampered, UnknownKey):
        return None
