"""Refresh tokens as generations of a ratchet.

The next generation's secret is an HMAC of the presented one, so every replica that is shown
generation n computes the same n+1: repeated and parallel refreshes meet on one token without
anything extra being stored. The code's secret is generation 0.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from productive_gateway.grants.grant import Grant, State
from productive_gateway.sealing.keys import Key, KeyRing
from productive_gateway.sealing.purposes import Purpose
from productive_gateway.sealing.seal import frame, mac


def current_secret(grant: Grant, previous: bytes, ring: KeyRing) -> bytes:
    """Return the secret of the current generation, given the one before.

    Raises:
        UnknownKey: `ring` lacks the key that made it.
    """
    key = ring.require(grant.ratchet_kid)
    return successor(key, previous, grant.salt, grant.generation)


def successor(key: Key, secret: bytes, salt: bytes, generation: int) -> bytes:
    """Return the secret of `generation`, made from the secret of the generation before.

    A reader of the store has no secret to begin with, a thief of a token has no key.
    """
    return mac(key, Purpose.RATCHET, frame(secret, salt, generation.to_bytes(8)))


def digest(secret: bytes) -> str:
    """Return SHA-256 of a secret, in hex: the form in which it is stored."""
    return hashlib.sha256(secret).hexdigest()


def next_generation(
    grant: Grant, secret: bytes, ring: KeyRing, *, attempt: str, now: float
) -> Grant:
    """Return the grant one generation on, made with the current key of `ring`."""
    key, generation = ring.sealing_key(), grant.generation + 1
    return replace(
        grant,
        state=State.ACTIVE,
        attempt=attempt,
        generation=generation,
        refresh_hash=digest(successor(key, secret, grant.salt, generation)),
        ratchet_kid=key.kid,
        rotated_at=now,
    )
