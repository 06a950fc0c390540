"""The key ring: every key in it opens, the current one seals.

A rotation has three phases, because replicas load a changed ring at different times: the new key
is added accept-only, then made current, and the old one is removed after the longest life of
anything sealed with it. Each phase is just another ring; `rotation` decides which one comes next.

The document of the key ring Secret (`keys.json`):

    {"version": 1, "current": "<kid>", "epoch": 0,
     "keys": [{"kid": "…", "created": "2026-11-23T12:00:00Z", "secret": "<base64url, 32 bytes>"}]}

A key that was current before may have `demoted`, the time at which it stopped sealing. Readers that
do not know the field ignore it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final, Protocol, TypeVar

from productive_contract.clock import Entropy
from productive_contract.mapping import format_time, parse_time
from productive_gateway.sealing.errors import KeyRingError, UnknownKey

KEY_BYTES: Final = 32
MAX_KEYS: Final = 16
DOCUMENT_VERSION: Final = 1
MAX_EPOCH: Final = 2**32 - 1

_KID = re.compile(r"[a-z0-9]{1,16}")
_HEX_KEY = re.compile(r"[0-9a-fA-F]{64}")
_DISTINCT: Final = 16
"""Distinct bytes that a key must have: 32 random ones have fewer once in 10^15 keys."""
_SAMPLES: Final = frozenset(
    {
        # SHA-256 of nothing, and of words that manuals hash to show a sample key
        hashlib.sha256(word).digest()
        for word in (b"", b"secret", b"password", b"test", b"changeme", b"hello")
    }
)
_REMEDY: Final = (
    "restore the key ring Secret from a backup, or delete it and run `productive-gateway keys "
    "init` to make a new one (then everyone signs in again)"
)
_MAKE: Final = "make one with `openssl rand -hex 32`"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the ring; the keys for each purpose are derived from it."""

    kid: str
    secret: bytes = field(repr=False)
    created: float
    """Unix seconds; 0 if unknown."""
    demoted: float | None = None
    """When it stopped being the current key, Unix seconds; None if it never was, or unknown."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys at one moment."""

    keys: tuple[Key, ...]
    current: str
    """Id of the key that seals."""
    epoch: int = 0
    """Grants and tokens of an older epoch are invalid: raising it signs everybody out."""

    def find(self, kid: str) -> Key | None:
        """Return the key of that id, or None."""
        for key in self.keys:
            if key.kid == kid:
                return key
        return None

    def require(self, kid: str) -> Key:
        """Return the key of that id.

        Raises:
            UnknownKey: the ring does not hold it.
        """
        key = self.find(kid)
        if key is None:
            raise UnknownKey(kid)
        return key

    def sealing_key(self) -> Key:
        """Return the current key."""
        return self.require(self.current)


class Keys(Protocol):
    """Provides the current key ring."""

    def ring(self) -> KeyRing:
        """Return the current ring.

        Raises:
            Unavailable: none has been read yet, or it was not confirmed for too long.
        """
        ...

    def last_ring(self) -> KeyRing:
        """Return the last ring that was read, however old.

        It is for reading what is stored, never for letting somebody in.

        Raises:
            Unavailable: none has been read yet.
        """
        ...

    async def fresh(self) -> KeyRing:
        """Read the ring again now (rate-limited) and return it.

        Raises:
            Unavailable: it cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class FixedKeys:
    """Keys from a setting, which do not change while the program runs."""

    value: KeyRing

    def ring(self) -> KeyRing:
        """Return the ring."""
        return self.value

    def last_ring(self) -> KeyRing:
        """Return the ring."""
        return self.value

    async def fresh(self) -> KeyRing:
        """Return the ring; there is never a newer one."""
        return self.value


async def with_known_key(keys: Keys, use: Callable[[KeyRing], T]) -> T:
    """Apply `use` to the current ring, and once more to a fresh one if it lacks the key.

    Raises:
        UnknownKey: a freshly read ring does not hold the key either: it is retired or foreign.
        Unavailable: there is no ring, or it cannot be read afresh, so the key may exist.
    """
    try:
        return use(keys.ring())
    except UnknownKey:
        return use(await keys.fresh())


def key_id(secret: bytes) -> str:
    """Return the id that is derived from the key itself, the same on every replica."""
    digest = hashlib.sha256(b"productive-mcp key id\0" + secret).digest()
    return base64.b32encode(digest[:5]).decode().lower()


def new_ring(now: float, entropy: Entropy) -> KeyRing:
    """Make a ring of one new key."""
    secret = entropy(KEY_BYTES)
    key = Key(key_id(secret), secret, float(int(now)))
    return KeyRing((key,), key.kid)


def encode_ring(ring: KeyRing) -> bytes:
    """Write the document of the key ring Secret."""
    document = {
        "version": DOCUMENT_VERSION,
        "current": ring.current,
        "epoch": ring.epoch,
        "keys": [
            {
                "kid": key.kid,
                "created": _time(key.created),
                **({} if key.demoted is None else {"demoted": _time(key.demoted)}),
                "secret": base64.urlsafe_b64encode(key.secret).rstrip(b"=").decode(),
            }
            for key in ring.keys
        ],
    }
    return json.dumps(document, indent=1).encode()


def parse_ring(document: bytes) -> KeyRing:
    """Read the document of the key ring Secret.

    Raises:
        KeyRingError: it is malformed, has no current key, or holds a weak key.
    """
    try:
        value = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise KeyRingError(f"the key ring is not JSON; {_REMEDY}") from error
    if not isinstance(value, dict) or value.get("version") != DOCUMENT_VERSION:
        raise KeyRingError(f"the version of the key ring is not known to this program; {_REMEDY}")
    entries, epoch = value.get("keys"), value.get("epoch", 0)
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_KEYS:
        raise KeyRingError(f"the key ring must hold 1 to {MAX_KEYS} keys; {_REMEDY}")
    if not isinstance(epoch, int) or isinstance(epoch, bool) or not 0 <= epoch <= MAX_EPOCH:
        raise KeyRingError("the epoch of the key ring must be a whole number from 0 on; correct it")
    keys = tuple(_parse_key(entry) for entry in entries)
    if len({key.kid for key in keys}) != len(keys):
        raise KeyRingError("two keys of the key ring have the same kid; give each its own")
    current = value.get("current")
    if not any(key.kid == current for key in keys):
        raise KeyRingError("current of the key ring names none of its keys; write the kid of one")
    return KeyRing(keys, str(current), epoch)


def ring_of_cookie_key(current: str, previous: Sequence[str] = ()) -> KeyRing:
    """Make a ring of COOKIE_ENCRYPTION_KEY and the keys of COOKIE_ENCRYPTION_KEY_PREVIOUS.

    Raises:
        KeyRingError: one of them is not 64 hexadecimal digits, or weak.
    """
    keys = [_of_hex(current, "COOKIE_ENCRYPTION_KEY")]
    keys += [_of_hex(text, "COOKIE_ENCRYPTION_KEY_PREVIOUS") for text in previous]
    # A repeated key is harmless: the ring holds it once.
    unique = {key.kid: key for key in keys}
    if len(unique) > MAX_KEYS:
        raise KeyRingError(
            f"COOKIE_ENCRYPTION_KEY_PREVIOUS holds more than {MAX_KEYS - 1} keys; remove old ones"
        )
    return KeyRing(tuple(unique.values()), keys[0].kid)


def _of_hex(text: str, variable: str) -> Key:
    if not _HEX_KEY.fullmatch(text):
        raise KeyRingError(f"a key in {variable} must be 64 hexadecimal digits (32 bytes); {_MAKE}")
    secret = bytes.fromhex(text)
    weakness = _weakness(secret)
    if weakness:
        raise KeyRingError(f"a key in {variable} {weakness}; {_MAKE}")
    return Key(key_id(secret), secret, 0.0)


def _parse_key(entry: Any) -> Key:
    if not isinstance(entry, dict):
        raise KeyRingError(f"a key of the key ring is not a JSON object; {_REMEDY}")
    kid, secret_text, created_text = (entry.get(name) for name in ("kid", "secret", "created"))
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise KeyRingError("a kid of the key ring must be 1 to 16 of a-z and 0-9; rename it")
    try:
        secret = base64.b64decode(_padded(str(secret_text)), altchars=b"-_", validate=True)
        created = parse_time(str(created_text)).timestamp()
        demoted = parse_time(str(entry["demoted"])).timestamp() if "demoted" in entry else None
    except (ValueError, binascii.Error) as error:
        raise KeyRingError(
            f"key {kid} of the key ring needs secret (base64url) and created (a time); demoted, if "
            f"there is one, is a time too; {_REMEDY}"
        ) from error
    weakness = _weakness(secret)
    if weakness:
        raise KeyRingError(f"key {kid} of the key ring {weakness}; {_REMEDY}")
    return Key(kid, secret, created, demoted)


def _time(moment: float) -> str:
    return format_time(datetime.fromtimestamp(moment, UTC))


def _padded(text: str) -> bytes:
    raw = text.encode("ascii").rstrip(b"=")
    return raw + b"=" * (-len(raw) % 4)


def _weakness(secret: bytes) -> str | None:
    if len(secret) != KEY_BYTES:
        return f"is not {KEY_BYTES} bytes long"
    if not any(secret):
        return "is all zero"
    if len(set(secret)) < _DISTINCT:
        return "repeats itself and is not random"
    if len({(b - a) % 256 for a, b in pairwise(secret)}) == 1:
        return "counts up and is not random"
    if secret in _SAMPLES:
        return "is a sample value from a manual"
    return None
