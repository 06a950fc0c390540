"""Undo handles: what was done can be undone once, for 15 minutes, by the same person.

A handle is short, because a model has to repeat it. It holds when it expires, a random part, and
two tags that tell a handle of this server, and of this person, from anything else without reading
the ledger. What the handle does, its inverse, is in the ledger; to compare that with the present
state and to run it is for the undo tool.
"""

from __future__ import annotations

import hmac
import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from productive_contract.clock import Clock, Entropy, system_clock, system_entropy
from productive_contract.mapping import Person
from productive_gateway.sealing.errors import BrokenSeal
from productive_gateway.sealing.keys import Key, Keys
from productive_gateway.sealing.purposes import Purpose
from productive_gateway.sealing.seal import decode_text, encode_text, frame, mac
from productive_gateway.tools.writes.errors import LedgerUnavailable, UndoFault, UndoRefused
from productive_gateway.tools.writes.ledger import Inverse, Ledger, Ledgers

LIFE: Final = 900.0
"""Seconds for which a handle can be used."""
MAX_INVERSE: Final = 16 * 1024
"""Bytes of an inverse."""
PREFIX: Final = "undo_"
_RANDOM: Final = 10
_HEAD: Final = 4 + _RANDOM
_TAG: Final = 5
_PERSON_TAG: Final = 3
"""It only chooses a message: another person's handle is not in the ledger in any case."""
_ATTEMPT: Final = 8


@dataclass(frozen=True, slots=True)
class UndoHandle:
    """A handle as an answer shows it."""

    text: str
    expires: float
    """Unix seconds."""


class NoUndo(StrEnum):
    """Why there is no handle; the value completes "This cannot be undone with a handle: "."""

    NO_INVERSE = "there is no way back"
    TOO_LARGE = "there is too much to put back"
    NOT_KEPT = "the way back could not be stored"


class Undos:
    """Issues, keeps and redeems undo handles."""

    def __init__(
        self,
        ledgers: Ledgers,
        keys: Keys,
        *,
        clock: Clock = system_clock,
        entropy: Entropy = system_entropy,
    ) -> None:
        """Keep inverses in `ledgers`, and tag handles with `keys`."""
        self._ledgers = ledgers
        self._keys = keys
        self._clock = clock
        self._entropy = entropy

    def issue(self, person: Person) -> UndoHandle:
        """Make a handle; it does nothing until its inverse is kept."""
        expires = math.floor(self._clock() + LIFE)
        head = expires.to_bytes(4) + self._entropy(_RANDOM)
        raw = head + _tag(self._keys.ring().sealing_key(), head, person)
        return UndoHandle(PREFIX + encode_text(raw), float(expires))

    async def keep(self, person: Person, inverse: bytes | None) -> UndoHandle | NoUndo:
        """Store the inverse of what was just done, in one write, and return its handle.

        For a call that the guard does not store it for, such as an update. It never raises: what
        was done is done, and the answer says whether it can be undone.
        """
        if inverse is None:
            return NoUndo.NO_INVERSE
        if len(inverse) > MAX_INVERSE:
            return NoUndo.TOO_LARGE
        handle, attempt = self.issue(person), self._entropy(_ATTEMPT).hex()
        try:
            await self._ledgers.change(
                person, lambda ledger: (with_inverse(ledger, handle, attempt, inverse), None)
            )
        except LedgerUnavailable:
            return NoUndo.NOT_KEPT
        return handle

    async def inverse_of(self, person: Person, text: str) -> bytes:
        """Return the inverse of a handle, which is not used up by it.

        Raises:
            UndoRefused: the handle cannot be used (any more).
            LedgerUnavailable: the ledger cannot be read.
        """
        handle = self._opened(person, text.strip())

        def look(ledger: Ledger) -> tuple[Ledger, bytes]:
            return ledger, _usable(ledger, handle).operations

        return await self._ledgers.change(person, look)

    async def redeem(self, person: Person, text: str) -> bytes:
        """Use up a handle and return its inverse, in one write.

        Raises:
            UndoRefused: the handle cannot be used (any more).
            LedgerUnavailable: the ledger cannot be changed; the handle may be used up.
        """
        handle = self._opened(person, text.strip())
        attempt = self._entropy(_ATTEMPT).hex()

        def use(ledger: Ledger) -> tuple[Ledger, bytes]:
            held = _usable(ledger, handle, attempt)
            if held.used_by:
                return ledger, held.operations  # our own write, whose answer was lost
            used = {**ledger.inverses, handle.text: replace(held, used_by=attempt)}
            return replace(ledger, inverses=used), held.operations

        return await self._ledgers.change(person, use)

    def _opened(self, person: Person, text: str) -> UndoHandle:
        try:
            raw = decode_text(text.removeprefix(PREFIX))
        except (BrokenSeal, UnicodeEncodeError) as error:
            raise UndoRefused(UndoFault.UNKNOWN) from error
        head, tag = raw[:_HEAD], raw[_HEAD:]
        if len(tag) != _TAG + _PERSON_TAG or not text.startswith(PREFIX):
            raise UndoRefused(UndoFault.UNKNOWN)
        for key in self._keys.ring().keys:
            expected = _tag(key, head, person)
            if hmac.compare_digest(tag[:_TAG], expected[:_TAG]):
                break
        else:
            raise UndoRefused(UndoFault.UNKNOWN)
        if not hmac.compare_digest(tag, expected):
            raise UndoRefused(UndoFault.ANOTHER_PERSON)
        expires = float(int.from_bytes(head[:4]))
        if self._clock() >= expires:
            raise UndoRefused(UndoFault.EXPIRED)
        return UndoHandle(text, expires)


def _usable(ledger: Ledger, handle: UndoHandle, attempt: str = "") -> Inverse:
    """Return what a handle does.

    Raises:
        UndoRefused: it was dropped, or another attempt used it.
    """
    held = ledger.inverses.get(handle.text)
    if held is None:
        raise UndoRefused(UndoFault.DROPPED)
    if held.used_by not in {"", attempt}:
        raise UndoRefused(UndoFault.USED)
    return held


def with_inverse(ledger: Ledger, handle: UndoHandle, attempt: str, inverse: bytes) -> Ledger:
    """Return the ledger with the inverse of what an attempt did."""
    if handle.text in ledger.inverses:
        return ledger  # our own write, whose answer was lost
    kept = {**ledger.inverses, handle.text: Inverse(attempt, handle.expires, inverse)}
    return replace(ledger, inverses=kept)


def handle_of(ledger: Ledger, attempt: str) -> UndoHandle | None:
    """Return the handle of what an attempt did, if it can still be used."""
    for text, one in ledger.inverses.items():
        if one.attempt == attempt and not one.used_by:
            return UndoHandle(text, one.kept)
    return None


def _tag(key: Key, head: bytes, person: Person) -> bytes:
    ours = mac(key, Purpose.UNDO, frame(head))[:_TAG]
    return ours + mac(key, Purpose.UNDO, frame(head, person.uid.encode()))[:_PERSON_TAG]
