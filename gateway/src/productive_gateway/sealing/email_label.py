"""What stands for an e-mail address in audit lines that do not name it.

A plain hash would not hide an address, since whoever reads the lines can hash a list of colleagues.
So it is an HMAC under the key ring: the same address has the same label until the current key is
replaced, and only who has the ring can tell whose it is.
"""

from __future__ import annotations

from typing import Final

from productive_gateway.errors import Unavailable
from productive_gateway.sealing.keys import Keys
from productive_gateway.sealing.purposes import Purpose
from productive_gateway.sealing.seal import mac

DIGITS: Final = 16
"""Hex digits: two of 100,000 addresses share them once in 3 billion rings."""


def email_label(keys: Keys, email: str) -> str | None:
    """Return the label of an address; None while there are no keys."""
    try:
        ring = keys.last_ring()
    except Unavailable:
        return None
    return mac(ring, Purpose.AUDIT_EMAIL, email.encode()).hex()[:DIGITS]
