"""Why a sealed text or a key ring is not accepted.

SealError
 ├─ UnknownKey   sealed with a key that is not in this ring
 └─ BrokenSeal   not sealed by us for this purpose, or changed since
KeyRingError     a key ring or key that must not be used; `str()` says what to do
"""

from __future__ import annotations


class SealError(Exception):
    """The text cannot be opened. It is never shown: callers report an error of their own."""


class UnknownKey(SealError):
    """The key is retired, from another ring, or newer than this ring."""

    def __init__(self, kid: str) -> None:
        super().__init__(f"key {kid} is not in the ring")
        self.kid = kid


class BrokenSeal(SealError):
    """The text is malformed, changed, or sealed for another purpose or another binding."""


class KeyRingError(ValueError):
    """The keys cannot be used; `str()` says what to do and never quotes a key."""
