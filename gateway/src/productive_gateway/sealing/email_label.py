"""What stands for an e-mail address in audit lines that do not name it.

A plain hash would not hide an address, since a reader of the lines can hash a list of colleagues.
So it is an HMAC under the key ring: the same address has the same label until the current key is
replaced, and only who has the ring can tell whose it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from productive_gateway.errors import Unavailable
from productive_gateway.observability.audit import DescribeEmail, EmailStyle, in_full, left_out
from productive_gateway.sealing.keys import Keys
from productive_gateway.sealing.purposes import Purpose
from productive_gateway.sealing.seal import mac

DIGITS: Final = 16
"""Hex digits: two of 100,000 addresses share them once in 3 billion rings."""


def email_description(style: EmailStyle, keys: Keys) -> DescribeEmail:
    """Return how audit lines name people's addresses.

    Args:
        style: as the administrator chose it.
        keys: make the labels.
    """
    match style:
        case EmailStyle.FULL:
            return in_full
        case EmailStyle.NONE:
            return left_out
        case EmailStyle.HASHED:
            return partial(_hashed, keys)


def _hashed(keys: Keys, email: str) -> Mapping[str, str]:
    """Return the label of an address; nothing while there are no keys."""
    try:
        ring = keys.last_ring()
    except Unavailable:
        return {}
    return {"email_hash": mac(ring, Purpose.AUDIT_EMAIL, email.encode()).hex()[:DIGITS]}
