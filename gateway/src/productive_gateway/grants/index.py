"""The watched view of all grants: what /mcp reads without asking anybody.

Filled by a list, kept by a watch in windows of about ten seconds, so that a half-open connection is
noticed. Four rules make it safe:

- What is not in it is not therefore revoked: an unknown grant of a genuine token is asked for once,
  and only the API server's "not found" (or a record that says gone) is a tombstone. A list never
  makes tombstones from absence.
- Tombstones are final. Names are never used twice, so a grant that comes back is a forgery.
- A window of the watch that told nothing proves nothing until the store's version was compared: a
  server whose etcd was restored waits in silence for the version that we ask from.
- While the watch is broken each grant is asked for anew every ten seconds; while the API server is
  away as well, grants serve for `max_staleness` after they were last known to be good.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from productive_contract.clock import Clock, Entropy
from productive_gateway.errors import InvalidToken, Unavailable
from productive_gateway.grants.config import GrantConfig
from productive_gateway.grants.errors import Expired
from productive_gateway.grants.grant import Grant, State
from productive_gateway.grants.opening import opened
from productive_gateway.grants.record import Tampered, decode, key_of
from productive_gateway.grants.store import GrantStore, Kind, Record
from productive_gateway.observability.audit import Event, audit
from productive_gateway.observability.metrics import GRANTS, WATCH_HEALTHY
from productive_gateway.sealing.errors import UnknownKey
from productive_gateway.sealing.keys import Keys

WINDOW: Final = 10.0
"""Seconds of one watch."""
LATE: Final = 2.0
"""Seconds that a window may end late before its connection counts as dead."""
ASKED_FOR: Final = 10.0
"""Seconds for which the answer about one grant is used while the watch is broken."""
ASK_BUDGET: Final = 2.0
"""Seconds to ask about one grant."""
ASK_AGAIN: Final = 2.0
"""Seconds without asking after the API server was found away."""
_PAUSES: Final = (0.2, 5.0)
"""Seconds between two attempts to watch: from, doubling, to."""


class Standing(StrEnum):
    """What the index knows of a grant."""

    LIVE = "active"
    PENDING = "pending"
    TAMPERED = "tampered"
    FOREIGN = "foreign"
    """Authenticated with a key that this replica does not know (yet)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What /mcp needs of one grant, and no more: there may be many."""

    standing: Standing
    version: int
    checked: float
    """When it was read or seen in the watch."""
    kid: str
    user_uid: str = ""
    client: str = ""
    scopes: frozenset[str] = frozenset()
    auth_time: float = 0.0


class GrantIndex:
    """All grants, as of a moment ago."""

    def __init__(
        self, store: GrantStore, keys: Keys, config: GrantConfig, *, clock: Clock, entropy: Entropy
    ) -> None:
        """Make an empty index; `run` fills it, and until then each grant is asked for."""
        self._store = store
        self._keys = keys
        self._config = config
        self._clock = clock
        self._entropy = entropy
        self._entries: dict[str, Entry] = {}
        self._tombstones: dict[str, float] = {}
        self._asking: dict[str, asyncio.Task[Entry | None]] = {}
        self._found_away = -math.inf
        self._clean = -math.inf
        self._version: str | None = None
        self._scopes: dict[frozenset[str], frozenset[str]] = {}

    @property
    def healthy(self) -> bool:
        """Whether the watch has shown everything up to a moment ago."""
        return self._age(self._clean) <= WINDOW + LATE

    def __len__(self) -> int:
        return len(self._entries)

    async def run(self) -> None:
        """List, then watch for ever; ends only by being cancelled or by a programming error."""
        shortest, longest = _PAUSES
        pause, time = shortest, asyncio.get_running_loop().time
        while True:
            try:
                if self._version is None:
                    self._version = await self._list()
                    self._mark_clean()
                opened = time()
                await self._watch_window(self._version)
                if time() - opened >= WINDOW / 10:
                    pause = shortest
                    continue
            except Expired:
                self._version = None
            except Unavailable:
                WATCH_HEALTHY.labels(watch="grants").set(float(self.healthy))
            # Also after a window that was closed at once: a server or proxy that only does that is
            # not asked without a break.
            await asyncio.sleep(pause * (0.5 + self._entropy(1)[0] / 256))
            pause = min(pause * 2, longest)

    async def find(self, name: str) -> Entry:
        """Return the live grant of that name; on the warm path without any I/O.

        Raises:
            InvalidToken: it is revoked, was never there, or its record is not ours.
            Unavailable: the API server is away and the grant was not seen for too long.
        """
        if name in self._tombstones:
            raise revoked("grant_gone")
        entry = self._entries.get(name)
        if entry is not None and self._trusted(entry):
            return _live(entry)
        try:
            entry = await self._ask(name)
        except Unavailable:
            if entry is None or not self._serves_stale(entry):
                raise
        if entry is None:
            raise revoked("grant_gone")
        return _live(entry)

    def note(self, record: Record) -> None:
        """Take up a record that was just read, written or seen in the watch."""
        try:
            entry = self._entry(record, decode(record, self._keys.ring()))
        except Tampered:
            entry = self._tampered(record)
        except (UnknownKey, Unavailable):
            entry = self._stranger(record, Standing.FOREIGN)
        self._take(record.name, entry)

    def bury(self, name: str) -> None:
        """Take up that a grant is gone for good."""
        self._entries.pop(name, None)
        # No access token outlives this, so nobody asks for the name after it.
        self._tombstones[name] = self._clock() + self._config.access_life + 60

    def _take(self, name: str, entry: Entry | None) -> None:
        held = self._entries.get(name)
        if entry is None:
            self.bury(name)
        elif name not in self._tombstones and (held is None or held.version <= entry.version):
            self._entries[name] = entry

    def _entry(self, record: Record, grant: Grant) -> Entry | None:
        if grant.state is State.GONE:
            return None
        return Entry(
            standing=Standing.LIVE if grant.state is State.ACTIVE else Standing.PENDING,
            version=int(record.version),
            checked=self._clock(),
            kid=sys.intern(key_of(record)),
            user_uid=sys.intern(grant.user_uid),
            client=sys.intern(grant.client_label),
            scopes=self._scopes.setdefault(grant.scopes, grant.scopes),
            auth_time=grant.auth_time,
        )

    def _tampered(self, record: Record) -> Entry:
        entry, held = self._stranger(record, Standing.TAMPERED), self._entries.get(record.name)
        if held is None or (held.standing, held.version) != (entry.standing, entry.version):
            audit(Event.RECORD_TAMPERED, grant=record.name)
        return entry

    def _stranger(self, record: Record, standing: Standing) -> Entry:
        return Entry(standing, int(record.version), self._clock(), sys.intern(key_of(record)))

    def _trusted(self, entry: Entry) -> bool:
        """Whether the entry decides without asking."""
        recent = self.healthy or self._age(entry.checked) < ASKED_FOR
        if entry.standing is Standing.TAMPERED:
            return recent
        # A pending grant has no access token yet: whoever shows one is ahead of our watch.
        known = entry.standing is Standing.LIVE and self._keys.ring().find(entry.kid) is not None
        return recent and known

    def _serves_stale(self, entry: Entry) -> bool:
        age = min(self._age(entry.checked), self._age(self._clean))
        return entry.standing is Standing.LIVE and age <= self._config.max_staleness

    def _age(self, moment: float) -> float:
        """Return the seconds since then; endless if the clock was set back meanwhile."""
        age = self._clock() - moment
        # Such a clock must not make an old view a fresh one, nor an outage one without an end.
        return age if age >= -1.0 else math.inf

    async def _ask(self, name: str) -> Entry | None:
        if self._age(self._found_away) < ASK_AGAIN:
            raise _away()
        asking = self._asking.get(name)
        if asking is None:
            asking = asyncio.create_task(self._ask_once(name))
            self._asking[name] = asking
            asking.add_done_callback(lambda task: self._asked(name, task))
        # Whoever gives up must not take the answer away from the others.
        return await asyncio.shield(asking)

    def _asked(self, name: str, task: asyncio.Task[Entry | None]) -> None:
        del self._asking[name]
        if not task.cancelled():
            task.exception()  # seen by those who waited, if anybody still does

    async def _ask_once(self, name: str) -> Entry | None:
        try:
            async with asyncio.timeout(ASK_BUDGET):
                record = await self._store.get(name)
        except (Unavailable, TimeoutError) as error:
            self._found_away = self._clock()
            raise _away() from error
        self._take(name, None if record is None else await self._read(record))
        return self._entries.get(name)

    async def _read(self, record: Record) -> Entry | None:
        try:
            return await opened(self._keys, record, lambda grant, _: self._entry(record, grant))
        except Tampered:
            return self._tampered(record)
        except UnknownKey:
            return self._stranger(record, Standing.FOREIGN)

    async def _list(self) -> str:
        version = "0"
        newest = max((entry.version for entry in self._entries.values()), default=0)
        listed: set[str] = set()
        async for page in self._store.pages(Kind.GRANT):
            version = page.version
            if int(version) < newest:
                # The store went back to before what we saw of it: its versions begin anew, and
                # what is older by number is not therefore older.
                self._entries.clear()
                newest = 0
            for record in page.records:
                listed.add(record.name)
                self.note(record)
            await asyncio.sleep(0)  # thousands of records must not hold up requests
        # Not listed means deleted, or made after the list: to be asked for when it is needed.
        for name in self._entries.keys() - listed:
            del self._entries[name]
        return version

    async def _watch_window(self, version: str) -> None:
        told = False
        try:
            async with asyncio.timeout(WINDOW + LATE):
                async for change in self._store.watch(version, seconds=WINDOW):
                    told = True
                    self._version = change.version
                    if change.record is not None and change.deleted:
                        self.bury(change.record.name)
                    elif change.record is not None:
                        self.note(change.record)
                    self._mark_clean()
                if not told and int(await self._store.version()) < int(version):
                    raise Expired
        except TimeoutError as error:
            raise _away() from error
        self._mark_clean()
        self._tidy()

    def _mark_clean(self) -> None:
        self._clean = self._clock()
        WATCH_HEALTHY.labels(watch="grants").set(1.0)

    def _tidy(self) -> None:
        now = self._clock()
        for name in [name for name, until in self._tombstones.items() if until < now]:
            del self._tombstones[name]
        counts = Counter(entry.standing for entry in self._entries.values())
        for standing in Standing:
            GRANTS.labels(state=standing.value).set(counts[standing])


def revoked(reason: str) -> InvalidToken:
    """Return the error for an access token whose grant is no more."""
    return InvalidToken(
        "This access token is not valid any more. Refresh it, or connect again and sign in.",
        reason=reason,
    )


def _live(entry: Entry) -> Entry:
    if entry.standing is Standing.LIVE:
        return entry
    raise revoked(f"grant_{entry.standing.value}")


def _away() -> Unavailable:
    return Unavailable(
        "The store of sign-ins cannot be reached just now. Try again in a moment.",
        reason="grants_away",
    )
