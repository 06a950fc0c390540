"""Ledgers: one small record per person, for what their tool calls are writing.

A ledger is content of somebody else (`tools.writes`): here it is sealed, bound to its person, and
changed by compare-and-swap like everything in the namespace. It is short-lived: what was not
written to for a day holds nothing that still matters, and the sweeper removes it.

A ledger that cannot be opened counts as none. Anyone who can edit one can delete it as well, and it
must not keep its person from writing until somebody repairs it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar
from weakref import WeakValueDictionary

from productive_contract.clock import Clock, system_clock
from productive_contract.mapping import Person
from productive_gateway.errors import Unavailable
from productive_gateway.grants.errors import Changed, Exists, Missing
from productive_gateway.grants.record import Record, RecordKind, person_labels
from productive_gateway.grants.retry_budget import RetryBudget, RetryLimits
from productive_gateway.grants.store import GrantStore
from productive_gateway.observability.audit import Event, audit
from productive_gateway.sealing.errors import BrokenSeal, UnknownKey
from productive_gateway.sealing.keys import Keys, with_known_key
from productive_gateway.sealing.purposes import Purpose
from productive_gateway.sealing.seal import seal, unseal

_CONTENT: Final = "content"
_WRITTEN: Final = "written"

LIMITS: Final = RetryLimits()

T = TypeVar("T")


def ledger_name(user_uid: str) -> str:
    """Return the name of a person's ledger."""
    return f"ledger-{user_uid}"


def written_at(record: Record) -> float:
    """Return when a ledger was last written, in Unix seconds.

    It is in clear and without a MAC: anyone who can edit it can delete the ledger as well.
    """
    try:
        return float(record.data[_WRITTEN])
    except (KeyError, ValueError):
        return record.created


def without_content(record: Record) -> Record:
    """Return a ledger as a sweep remembers it: there may be one of each person."""
    return replace(record, data={n: v for n, v in record.data.items() if n == _WRITTEN})


class PersonLedgers:
    """The ledgers of all people, over the store of grants."""

    def __init__(
        self,
        store: GrantStore,
        keys: Keys,
        *,
        clock: Clock = system_clock,
        limits: RetryLimits = LIMITS,
    ) -> None:
        """Keep ledgers in `store`, sealed with `keys`."""
        self._store = store
        self._keys = keys
        self._clock = clock
        self._limits = limits
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def swap(
        self, person: Person, decide: Callable[[bytes | None], tuple[bytes | None, T]]
    ) -> T:
        """Read a person's ledger, decide, and store what was decided, unless it changed meanwhile.

        Args:
            person: whose ledger it is.
            decide: from the present content (None: there is none) to the new content (None: leave
                it as it is) and an answer. It is called again when another write came first, and
                when the answer to our own write was lost, so it must recognise its own work.

        Returns:
            What `decide` answered last.

        Raises:
            StoreFull: there is no room for another ledger.
            Unavailable: store or keys cannot be reached or are too slow; the change may be made.
        """
        budget = RetryBudget(self._limits)
        # The calls of one process take turns, each within its own time: otherwise they would
        # refuse each other's writes at the API server.
        lock = self._locks.setdefault(person.uid, asyncio.Lock())
        await budget.call(lock.acquire())
        try:
            return await self._swap(person, decide, budget)
        finally:
            lock.release()

    async def _swap(
        self,
        person: Person,
        decide: Callable[[bytes | None], tuple[bytes | None, T]],
        budget: RetryBudget,
    ) -> T:
        name = ledger_name(person.uid)
        while True:
            try:
                record = await budget.call(self._store.get(name))
                held = None if record is None else await budget.call(self._open(record))
                content, answer = decide(held)
                if content is None:
                    return answer
                budget.begin_write()
                await budget.call(self._write(person, record, content))
            except (Exists, Changed, Missing):
                await budget.conflict()
            except Unavailable as error:
                await budget.failure(error)
            else:
                return answer

    async def _open(self, record: Record) -> bytes | None:
        text = record.data.get(_CONTENT, b"").decode("ascii", "replace")
        bound = record.name.encode()
        try:
            return await with_known_key(
                self._keys, lambda ring: unseal(ring, Purpose.LEDGER, text, bound=bound)
            )
        except BrokenSeal:
            audit(Event.RECORD_TAMPERED, grant=record.name)
        except UnknownKey:
            pass  # of a key ring that is retired, so everything in it has expired
        return None

    async def _write(self, person: Person, replacing: Record | None, content: bytes) -> None:
        name = ledger_name(person.uid)
        sealed = seal(self._keys.ring(), Purpose.LEDGER, content, bound=name.encode())
        data = {_CONTENT: sealed.encode(), _WRITTEN: str(int(self._clock())).encode()}
        labels = person_labels(person.uid, person.user)
        if replacing is None:
            await self._store.create(Record(RecordKind.LEDGER, name, labels, data))
        else:
            labels = {**replacing.labels, **labels}
            await self._store.update(replace(replacing, labels=labels, data=data))
