"""Remembers what sealed texts hold, so that the same text is not decrypted at every request.

Opening a seal always gives the same value, so nothing is decided here: whether what was read is
still good (its end, its epoch, its grant, its person) is for the caller to check every time.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from productive_gateway.sealing.keys import KeyRing

MOST: Final = 4096
"""Texts that are remembered; the one that was not used for longest is forgotten first."""

T = TypeVar("T")


class SealMemo(Generic[T]):
    """What texts hold under the present ring; those of another ring are forgotten."""

    def __init__(self, read: Callable[[KeyRing, str], T], *, most: int = MOST) -> None:
        """Remember what a function reads.

        Args:
            read: opens a text; what it raises is raised each time, and never remembered.
            most: how many texts to remember.
        """
        self._read = read
        self._most = most
        self._ring: KeyRing | None = None
        self._known: OrderedDict[bytes, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def read(self, ring: KeyRing, text: str) -> T:
        """Return what a text holds; raises what the function raises."""
        if ring is not self._ring:
            # A key that left the ring opens nothing more.
            self._known.clear()
            self._ring = ring
        # The text itself is a credential; memory need not hold it.
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        if digest in self._known:
            self._known.move_to_end(digest)
            return self._known[digest]
        value = self._known[digest] = self._read(ring, text)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return value
