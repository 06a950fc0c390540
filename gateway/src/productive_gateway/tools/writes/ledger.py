"""The content of a person's ledger: what is being written, was written, can be undone, is used up.

A value, with the rules of its size and its expiry. `Ledgers` changes it in the store.
Intended writes are in it as HMACs under a key of the ledger's own, so that no rotation of the key
ring hides one; the store seals the whole.
"""

from __future__ import annotations

import base64
import hmac
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, TypeVar

from productive_contract.clock import Clock, Entropy, system_clock, system_entropy
from productive_contract.mapping import Person
from productive_gateway.errors import Unavailable
from productive_gateway.tools.writes.errors import LedgerUnavailable

MAX_BYTES: Final = 64 * 1024
"""Of the content; sealed and in base64 it takes about 1.8 times as much in etcd."""
_KEY_BYTES: Final = 32
_DIGEST_BYTES: Final = 16

T = TypeVar("T")


class LedgerStore(Protocol):
    """The port to where ledgers are kept."""

    async def swap(
        self, person: Person, decide: Callable[[bytes | None], tuple[bytes | None, T]]
    ) -> T:
        """Change a person's ledger by compare-and-swap and return what `decide` answered last.

        `decide` gets the content (None: there is none) and returns the new one (None: leave it).
        It is called again after a conflict and after a lost answer.

        Raises:
            Unavailable: it cannot be changed now; the change may have been made.
        """
        ...


@dataclass(frozen=True, slots=True)
class Write:
    """One intended write."""

    attempt: str
    """The call that does it; a call recognises its own by it."""
    since: float
    """When it was first intended: what it creates is not older."""
    lease: float
    """Until when only that call may do it."""
    kept: float
    """Until when it is remembered."""
    result: str | None = None
    """What was created; None while nobody knows."""


@dataclass(frozen=True, slots=True)
class Inverse:
    """What an undo handle does."""

    attempt: str
    """The call that it undoes."""
    kept: float
    operations: bytes = field(repr=False)
    used_by: str = ""
    """The attempt that redeemed the handle."""


@dataclass(frozen=True, slots=True)
class Used:
    """A confirmation token that cannot be used again."""

    attempt: str
    kept: float


@dataclass(frozen=True, slots=True)
class Ledger:
    """The content of one person's ledger."""

    key: bytes = field(repr=False)
    writes: Mapping[str, Write] = field(default_factory=dict)
    """By the HMAC of what is written."""
    inverses: Mapping[str, Inverse] = field(default_factory=dict)
    """By undo handle."""
    used: Mapping[str, Used] = field(default_factory=dict)
    """By the nonce of a confirmation token."""

    def digest(self, intent: bytes) -> str:
        """Return the name of an intended write in this ledger."""
        return _text(hmac.digest(self.key, intent, "sha256")[:_DIGEST_BYTES])

    def pruned(self, now: float) -> Ledger:
        """Return the ledger without what has expired."""
        return Ledger(
            self.key,
            {name: one for name, one in self.writes.items() if one.kept > now},
            {name: one for name, one in self.inverses.items() if one.kept > now},
            {name: one for name, one in self.used.items() if one.kept > now},
        )

    def lighter(self, excess: int) -> Ledger | None:
        """Return the ledger without about so many bytes that can be spared; None if none can.

        Results and inverses are a comfort, and those that expire first go first. What is being
        written and what is used up stays.
        """
        writes, inverses = dict(self.writes), dict(self.inverses)
        spared = [
            (one.kept, "write", name, len(one.result))
            for name, one in writes.items()
            if one.result is not None
        ]
        spared += [
            (one.kept, "inverse", name, len(one.operations)) for name, one in inverses.items()
        ]
        if not spared:
            return None
        for _, kind, name, size in sorted(spared):
            if excess <= 0:
                break
            del (writes if kind == "write" else inverses)[name]
            excess -= size + len(name)
        return replace(self, writes=writes, inverses=inverses)


class _Full(Exception):
    """The ledger has no room for more before something in it expires."""

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


class Ledgers:
    """Changes the ledgers of people."""

    def __init__(
        self, store: LedgerStore, *, clock: Clock = system_clock, entropy: Entropy = system_entropy
    ) -> None:
        """Keep them in `store`; `entropy` makes the key of a new one."""
        self._store = store
        self._clock = clock
        self._entropy = entropy

    async def change(self, person: Person, change: Callable[[Ledger], tuple[Ledger, T]]) -> T:
        """Change a person's ledger and return the answer of `change`.

        Args:
            person: whose ledger it is.
            change: pure; from the present ledger to the new one and an answer. The same ledger
                means that nothing is stored. It is called again after a conflict and after a lost
                answer, so it must recognise what it did before. What it raises comes through.

        Raises:
            LedgerUnavailable: it cannot be changed now, or has no room; it may have been changed.
        """
        try:
            return await self._store.swap(person, lambda content: self._decide(content, change))
        except Unavailable as error:
            raise LedgerUnavailable(error.retry_after) from error
        except _Full as error:
            raise LedgerUnavailable(error.retry_after) from error

    def _decide(
        self, content: bytes | None, change: Callable[[Ledger], tuple[Ledger, T]]
    ) -> tuple[bytes | None, T]:
        now = self._clock()
        held = decode(content) if content else Ledger(self._entropy(_KEY_BYTES))
        before = held.pruned(now)
        after, answer = change(before)
        return (None if after is before else _fitted(after, now)), answer


def encode(ledger: Ledger) -> bytes:
    """Write a ledger's content."""
    document = {
        "key": _text(ledger.key),
        "writes": {
            name: [one.attempt, one.since, one.lease, one.kept, one.result]
            for name, one in ledger.writes.items()
        },
        "inverses": {
            name: [one.attempt, one.kept, _text(one.operations), one.used_by]
            for name, one in ledger.inverses.items()
        },
        "used": {name: [one.attempt, one.kept] for name, one in ledger.used.items()},
    }
    return json.dumps(document, separators=(",", ":")).encode()


def decode(content: bytes) -> Ledger:
    """Read a ledger's content, which is authentic."""
    document: dict[str, Any] = json.loads(content)
    return Ledger(
        _bytes(document["key"]),
        {name: Write(*values) for name, values in document["writes"].items()},
        {
            name: Inverse(attempt, kept, _bytes(operations), used_by)
            for name, (attempt, kept, operations, used_by) in document["inverses"].items()
        },
        {name: Used(*values) for name, values in document["used"].items()},
    )


def _fitted(ledger: Ledger, now: float) -> bytes:
    content = encode(ledger)
    while len(content) > MAX_BYTES:
        smaller = ledger.lighter(len(content) - MAX_BYTES)
        if smaller is None:
            kept = [one.kept for one in ledger.writes.values()]
            first = min(kept + [one.kept for one in ledger.used.values()])
            raise _Full(max(math.ceil(first - now), 1))
        ledger, content = smaller, encode(smaller)
    return content


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
