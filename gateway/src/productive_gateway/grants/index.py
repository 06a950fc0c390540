"""The watched view of all grants: what /mcp reads without asking the API server.

A reflector fills it from a list and keeps it by a watch in short windows, so that a half-open
connection is noticed. Four rules make it safe:

- A grant that it does not hold is not therefore revoked: an unknown grant of a genuine token is
  asked for once, and only the API server's "not found" (or a record that says gone) is a tombstone.
  A list never makes tombstones from absence.
- Tombstones are final. Names are never used twice, so a grant that comes back is a forgery.
- A silent window of the watch proves nothing until the store's version was compared: a server whose
  etcd was restored waits in silence for the version that we ask from. Once the versions fell, all
  entries are rebuilt from the list: what is older by number is not therefore older.
- While the watch is broken each grant is read again every ten seconds; while the API server
  cannot be reached either, grants serve for `max_staleness` after they were last confirmed.
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Final

from productive_gateway.errors import Unavailable
from productive_gateway.grants.config import GrantConfig
from productive_gateway.grants.errors import TokenFault, invalid_token
from productive_gateway.grants.grant import Grant, GrantState
from productive_gateway.grants.record import Record, Tampered, decode, key_of, read
from productive_gateway.grants.store import GrantStore
from productive_gateway.observability.audit import Event, audit
from productive_gateway.observability.metrics import GRANTS, WATCH_HEALTHY
from productive_gateway.sealing.errors import UnknownKey
from productive_gateway.sealing.keys import Keys
from productive_kube.backoff import Backoff
from productive_kube.client import Listed
from productive_kube.collection import Change
from productive_kube.reflector import WINDOW_SECONDS, Reflector

ANSWER_SECONDS: Final = 10.0
"""How long the answer about one grant is used while the watch is broken."""
ASK_BUDGET: Final = 2.0
"""Seconds to ask about one grant."""
ASK_AGAIN: Final = 2.0
"""Seconds without asking after the API server could not be reached."""
_TOMBSTONE_SLACK: Final = 60.0


class Known(Enum):
    """What the index knows of a grant; the value is its label in the metric."""

    LIVE = "active"
    PENDING = "pending"
    TAMPERED = "tampered"
    FOREIGN = "foreign"
    """Authenticated with a key that this replica does not know (yet)."""


_FAULTS: Final = {
    Known.PENDING: TokenFault.GRANT_PENDING,
    Known.TAMPERED: TokenFault.GRANT_TAMPERED,
    Known.FOREIGN: TokenFault.GRANT_FOREIGN,
}


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """What /mcp needs of one grant, and no more: there may be many."""

    known: Known
    version: int
    checked: float
    """When it was read or seen in the watch, on the index's clock."""
    kid: str
    user_uid: str = ""
    client: str = ""
    scopes: frozenset[str] = frozenset()
    auth_time: float = 0.0


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was seen of one grant; without an entry it is over."""

    name: str
    entry: IndexEntry | None


class GrantIndex:
    """All grants, as of a moment ago; the sink of its own reflector."""

    def __init__(
        self,
        store: GrantStore,
        keys: Keys,
        config: GrantConfig,
        *,
        window: int = WINDOW_SECONDS,
        backoff: Backoff | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make an empty index; `run` fills it, and until then each grant is asked for.

        Args:
            store: where the grants are.
            keys: authenticate them.
            config: lifetimes and the bound of staleness.
            window: seconds of one watch.
            backoff: pauses after a failure of the watch.
            monotonic: seconds from any origin.
        """
        self._store = store
        self._keys = keys
        self._config = config
        self._monotonic = monotonic
        self._entries: dict[str, IndexEntry] = {}
        self._tombstones: dict[str, float] = {}
        self._asking: dict[str, asyncio.Task[IndexEntry | None]] = {}
        self._unreachable_at = -math.inf
        self._scopes: dict[frozenset[str], frozenset[str]] = {}
        self._counts: Counter[Known] = Counter()
        self._reflector: Reflector[Sighting] = Reflector(
            store.grants(self._sighting),
            self,
            label="grants",
            window=window,
            backoff=backoff,
            monotonic=monotonic,
        )
        WATCH_HEALTHY.labels(watch="grants").set_function(lambda: float(self.healthy))
        for known in Known:
            count = partial(self._counts.__getitem__, known)
            GRANTS.labels(state=known.value).set_function(count)

    @property
    def healthy(self) -> bool:
        """Whether the watch has shown everything up to a moment ago."""
        return self._reflector.healthy

    def __len__(self) -> int:
        return len(self._entries)

    async def run(self) -> None:
        """Follow the store until cancelled."""
        await self._reflector.run()

    async def find(self, name: str) -> IndexEntry:
        """Return the live grant of that name; on the warm path without any I/O.

        Raises:
            InvalidToken: it is revoked, never existed, or its record is not ours.
            Unavailable: the API server cannot be reached and the grant was not confirmed for too
                long.
        """
        if name in self._tombstones:
            raise invalid_token(TokenFault.GRANT_GONE)
        entry = self._entries.get(name)
        if entry is not None and self._trusted(entry):
            return _live(entry)
        try:
            entry = await self._ask(name)
        except Unavailable:
            if entry is None or not self._serves_stale(entry):
                raise
        return _live(entry)

    def note(self, record: Record) -> None:
        """Note a record that was just read or written."""
        self._take(self._sighting(record))

    def mark_gone(self, name: str) -> None:
        """Note that a grant is gone for good."""
        self._drop(name)
        now = self._monotonic()
        # No access token outlives this, so nobody asks for the name after it.
        self._tombstones.pop(name, None)
        self._tombstones[name] = now + self._config.access_life + _TOMBSTONE_SLACK
        # They are in the order of their ends.
        while (oldest := next(iter(self._tombstones))) and self._tombstones[oldest] < now:
            del self._tombstones[oldest]

    def replace(self, listed: Listed[Sighting], *, fell: bool) -> None:
        """Take up a complete list."""
        # Our own writes and reads may have been ahead of the watch.
        reached = int(listed.version)
        if fell or any(entry.version > reached for entry in self._entries.values()):
            self._entries.clear()
            self._counts.clear()
        names = set()
        for sighting in listed.items:
            names.add(sighting.name)
            self._take(sighting)
        # What is not listed was deleted, or made after the list: it is asked for when needed.
        for name in self._entries.keys() - names:
            self._drop(name)

    def apply(self, change: Change[Sighting]) -> None:
        """Take up one event of the watch."""
        if change.item is None:
            return
        if change.deleted:
            self.mark_gone(change.item.name)
        else:
            self._take(change.item)

    def _take(self, sighting: Sighting) -> None:
        name, entry = sighting.name, sighting.entry
        if entry is None:
            self.mark_gone(name)
            return
        held = self._entries.get(name)
        if entry.known is Known.TAMPERED and (
            held is None or (held.known, held.version) != (entry.known, entry.version)
        ):
            audit(Event.RECORD_TAMPERED, grant=name)
        if name in self._tombstones or (held is not None and held.version > entry.version):
            return
        self._drop(name)
        self._entries[name] = entry
        self._counts[entry.known] += 1

    def _drop(self, name: str) -> None:
        held = self._entries.pop(name, None)
        if held is not None:
            self._counts[held.known] -= 1

    def _sighting(self, record: Record) -> Sighting:
        try:
            # After an outage the list of grants may be back before the key ring is confirmed. An
            # entry lets nobody in by itself: `find` also asks for the current ring.
            return self._opened(record, decode(record, self._keys.last_ring()))
        except Tampered:
            return self._unopened(record, Known.TAMPERED)
        except (UnknownKey, Unavailable):
            return self._unopened(record, Known.FOREIGN)

    async def _read(self, record: Record) -> Sighting:
        """As `_sighting`, with a freshly read ring if the one in use lacks the key."""
        try:
            grant, _ = await read(record, self._keys)
        except Tampered:
            return self._unopened(record, Known.TAMPERED)
        except UnknownKey:
            return self._unopened(record, Known.FOREIGN)
        return self._opened(record, grant)

    def _opened(self, record: Record, grant: Grant) -> Sighting:
        if grant.state is GrantState.GONE:
            return Sighting(record.name, None)
        entry = IndexEntry(
            known=Known.LIVE if grant.state is GrantState.ACTIVE else Known.PENDING,
            version=int(record.version),
            checked=self._monotonic(),
            kid=sys.intern(key_of(record)),
            user_uid=sys.intern(grant.user_uid),
            client=sys.intern(grant.client_label),
            scopes=self._scopes.setdefault(grant.scopes, grant.scopes),
            auth_time=grant.auth_time,
        )
        return Sighting(record.name, entry)

    def _unopened(self, record: Record, known: Known) -> Sighting:
        kid = sys.intern(key_of(record))
        entry = IndexEntry(known, int(record.version), self._monotonic(), kid)
        return Sighting(record.name, entry)

    def _trusted(self, entry: IndexEntry) -> bool:
        """Whether the entry decides without asking."""
        recent = self.healthy or self._monotonic() - entry.checked < ANSWER_SECONDS
        if entry.known is Known.TAMPERED:
            return recent
        # A pending grant has no access token yet. If one is presented, our watch is behind.
        known = entry.known is Known.LIVE and self._keys.ring().find(entry.kid) is not None
        return recent and known

    def _serves_stale(self, entry: IndexEntry) -> bool:
        age = min(self._monotonic() - entry.checked, self._reflector.age)
        return entry.known is Known.LIVE and age <= self._config.max_staleness

    async def _ask(self, name: str) -> IndexEntry | None:
        if self._monotonic() - self._unreachable_at < ASK_AGAIN:
            raise _unreachable()
        asking = self._asking.get(name)
        if asking is None:
            asking = asyncio.create_task(self._ask_once(name))
            self._asking[name] = asking
            asking.add_done_callback(lambda task: self._asked(name, task))
        # Others may wait for the same answer, so the cancellation of one must not cancel it.
        return await asyncio.shield(asking)

    def _asked(self, name: str, task: asyncio.Task[IndexEntry | None]) -> None:
        del self._asking[name]
        if not task.cancelled():
            task.exception()  # those who waited have seen it, if anybody still does

    async def _ask_once(self, name: str) -> IndexEntry | None:
        try:
            async with asyncio.timeout(ASK_BUDGET):
                record = await self._store.get(name)
        except (Unavailable, TimeoutError) as error:
            self._unreachable_at = self._monotonic()
            raise _unreachable() from error
        if record is None:
            self.mark_gone(name)
        else:
            self._take(await self._read(record))
        return self._entries.get(name)


def _live(entry: IndexEntry | None) -> IndexEntry:
    if entry is None:
        raise invalid_token(TokenFault.GRANT_GONE)
    if entry.known is Known.LIVE:
        return entry
    raise invalid_token(_FAULTS[entry.known])


def _unreachable() -> Unavailable:
    return Unavailable(
        "The store of sign-ins cannot be reached at the moment. Try again shortly.",
        reason="grants_away",
    )
