"""Reading a stored grant with keys that may have changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from productive_gateway.grants.grant import Grant
from productive_gateway.grants.record import decode
from productive_gateway.grants.store import Record
from productive_gateway.sealing.keys import KeyRing, Keys, with_known_key

T = TypeVar("T")


async def opened(keys: Keys, record: Record, use: Callable[[Grant, KeyRing], T]) -> T:
    """Apply `use` to the grant of a record, with a ring that has the keys for it.

    Raises:
        UnknownKey: not even a freshly read ring has them: retired, or of another installation.
        Tampered: the record's MAC is wrong.
        Unavailable: the ring cannot be read, so nobody can know.
    """

    def attempt(ring: KeyRing) -> T:
        return use(decode(record, ring), ring)

    return await with_known_key(keys, attempt)
