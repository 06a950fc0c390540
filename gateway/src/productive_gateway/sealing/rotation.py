"""The next safe step of a key rotation, and the raising of the epoch.

A rotation takes three steps, so that no replica meets what was sealed with a key that it has not
loaded: the new key is added and seals nothing, it is made current ten minutes later, and a key that
was current is removed when nothing made with it can be alive. A client_id lives longest, 400 days.
`rotate` looks at the ring alone, so it can be repeated at any time, by anybody.

Times in a ring never go back: what is written is never earlier than the latest time in the ring. So
a clock that is behind keeps keys for too long, never too short.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from productive_contract.clock import Entropy
from productive_gateway.sealing.errors import KeyRingError
from productive_gateway.sealing.keys import (
    KEY_BYTES,
    MAX_EPOCH,
    MAX_KEYS,
    Key,
    KeyRing,
    key_id,
)

SETTLED_AFTER: Final = 600.0
"""Seconds after which every replica has loaded a new key: one that does not see the ring for five
minutes answers 503 until it does."""
KEPT_DAYS: Final = 400
"""Days for which a key that was current is kept: how long a client_id stays valid."""
KEPT_SECONDS: Final = KEPT_DAYS * 86400.0


class Role(StrEnum):
    """What a key of a ring is for."""

    CURRENT = "current"
    """It seals."""
    WAITING = "waiting"
    """It was added to become current."""
    ACCEPTED = "accept-only"
    """It was current, and opens what it sealed."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """What `rotate` decided; without a change, `ring` is the ring that was given."""

    ring: KeyRing
    added: Key | None = None
    promoted: Key | None = None
    removed: tuple[Key, ...] = ()
    waiting: Key | None = None
    """A key that is too young to be promoted."""
    full: bool = False
    """A key should be added, but the ring holds as many as a gateway reads."""


def role(ring: KeyRing, key: Key) -> Role:
    """Return what a key of the ring is for."""
    if key.kid == ring.current:
        return Role.CURRENT
    newer = key.created > ring.sealing_key().created
    return Role.WAITING if newer and key.demoted is None else Role.ACCEPTED


def promotable_at(key: Key) -> float:
    """Return from when on a waiting key may be made current, Unix seconds."""
    return key.created + SETTLED_AFTER


def removable_at(key: Key) -> float | None:
    """Return from when on an accept-only key is removed; None while it is not known."""
    return None if key.demoted is None else key.demoted + KEPT_SECONDS


def rotate(
    ring: KeyRing, *, now: float, entropy: Entropy, force: bool = False, after: float = 0.0
) -> Rotation:
    """Return the ring after the next safe step.

    Keys that nothing alive can be sealed with are removed in any case. Then the newest waiting key
    becomes current, if it is old enough; without a waiting key a new one is added.

    Args:
        ring: as it is.
        now: Unix seconds.
        entropy: where a new key comes from.
        force: promote a waiting key at any age.
        after: add a key only if the current one was made this many seconds ago.
    """
    latest = max(_latest(key) for key in ring.keys)
    stamp = float(math.ceil(max(now, latest)))
    removed = tuple(key for key in ring.keys if _useless(ring, key, now))
    # Who demoted a key by hand did not write when: from now on it is known.
    kept = tuple(
        replace(key, demoted=stamp)
        if role(ring, key) is Role.ACCEPTED and key.demoted is None
        else key
        for key in ring.keys
        if key not in removed
    )
    cleaned = replace(ring, keys=kept)
    waiting = [key for key in kept if role(ring, key) is Role.WAITING]
    ready = [key for key in waiting if force or promotable_at(key) <= now]
    if ready:
        chosen = max(ready, key=lambda key: key.created)
        keys = tuple(
            replace(key, demoted=stamp) if key.kid == ring.current else key for key in kept
        )
        promoted = replace(cleaned, keys=keys, current=chosen.kid)
        return Rotation(promoted, promoted=chosen, removed=removed)
    if waiting:
        first = min(waiting, key=lambda key: key.created)
        return Rotation(cleaned, waiting=first, removed=removed)
    if now < ring.sealing_key().created + after:
        return Rotation(cleaned, removed=removed)
    if len(kept) >= MAX_KEYS:
        return Rotation(cleaned, removed=removed, full=True)
    secret = entropy(KEY_BYTES)
    # Later than every time in the ring: this is what makes it a waiting key.
    added = Key(key_id(secret), secret, max(float(math.ceil(now)), float(math.ceil(latest)) + 1.0))
    return Rotation(replace(cleaned, keys=(*kept, added)), added=added, removed=removed)


def raise_epoch(ring: KeyRing) -> KeyRing:
    """Return the ring with the next epoch, under which no earlier sign-in is valid.

    Raises:
        KeyRingError: there is no higher epoch.
    """
    if ring.epoch >= MAX_EPOCH:
        raise KeyRingError("the epoch of the key ring is the highest there is; make a new key ring")
    return replace(ring, epoch=ring.epoch + 1)


def _latest(key: Key) -> float:
    return max(key.created, key.demoted or 0.0)


def _useless(ring: KeyRing, key: Key, now: float) -> bool:
    end = removable_at(key)
    return role(ring, key) is Role.ACCEPTED and end is not None and end <= now
