"""What clients hold: authorization codes, access tokens and refresh tokens, as texts.

Their prefixes let secret scanners find leaks. All three are bound to the canonical resource. Codes
and access tokens are seals. A refresh token carries a MAC in place of a seal, because every replica
must write the same successor byte for byte; it holds nothing to hide but its own secret.

The secrets of refresh tokens are the generations of a ratchet: the next one is an HMAC of the one
that is presented, so every replica that is shown generation n computes the same n+1, and repeated
and parallel refreshes converge on one token without anything extra being stored. The code's secret
is generation 0.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
from dataclasses import dataclass, field
from typing import Final

from productive_contract.clock import Entropy
from productive_gateway.sealing.errors import BrokenSeal
from productive_gateway.sealing.keys import Key, KeyRing
from productive_gateway.sealing.purposes import Purpose
from productive_gateway.sealing.seal import decode_text, encode_text, frame, mac, seal, unseal

CODE_PREFIX: Final = "pmcp_ac_"
ACCESS_PREFIX: Final = "pmcp_at_"
REFRESH_PREFIX: Final = "pmcp_rt_"
SECRET_BYTES: Final = 32
MAX_TEXT: Final = 1024
"""Characters of the longest text that is read."""

_NAME_BYTES: Final = 16
_ACCESS: Final = struct.Struct(f">{_NAME_BYTES}sIIQQ")
_REFRESH: Final = struct.Struct(f">{_NAME_BYTES}sI{SECRET_BYTES}s")
_MAC_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """An authorization code."""

    grant: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A reference to a grant, good until `expires`."""

    grant: str
    generation: int
    epoch: int
    issued: int
    expires: int
    """Unix seconds."""
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """One generation of a grant's ratchet."""

    grant: str
    generation: int
    secret: bytes = field(repr=False)


def grant_name(transaction: bytes) -> str:
    """Return the name of the grant that a transaction makes: always the same one."""
    return pack_name(hashlib.sha256(transaction).digest()[:_NAME_BYTES])


def pack_name(raw: bytes) -> str:
    """Write 16 bytes as an object name: `g-` and 26 characters that every cluster accepts."""
    return "g-" + base64.b32encode(raw).decode().rstrip("=").lower()


def unpack_name(name: str) -> bytes:
    """Return the 16 bytes of a grant's name."""
    return base64.b32decode(name.removeprefix("g-").upper() + "======")


def successor(key: Key, secret: bytes, salt: bytes, generation: int) -> bytes:
    """Return the secret of `generation`, made from the secret of the generation before.

    A reader of the store has no secret to begin with, a thief of a token has no key.
    """
    return mac(key, Purpose.RATCHET, frame(secret, salt, generation.to_bytes(8)))


def digest(secret: bytes) -> str:
    """Return SHA-256 of a secret, in hex: the form in which it is stored."""
    return hashlib.sha256(secret).hexdigest()


def write_code(ring: KeyRing, code: AuthorizationCode, resource: str, entropy: Entropy) -> str:
    """Seal a code."""
    payload = unpack_name(code.grant) + code.secret
    bound = resource.encode()
    return CODE_PREFIX + seal(ring, Purpose.CODE, payload, bound=bound, entropy=entropy)


def read_code(ring: KeyRing, text: str, resource: str) -> AuthorizationCode:
    """Open a code.

    Raises:
        UnknownKey: it is sealed with a key that the ring does not hold.
        BrokenSeal: it is not a code of this resource.
    """
    payload = unseal(ring, Purpose.CODE, _body(text, CODE_PREFIX), bound=resource.encode())
    if len(payload) != _NAME_BYTES + SECRET_BYTES:
        raise BrokenSeal("not a code")
    return AuthorizationCode(pack_name(payload[:_NAME_BYTES]), payload[_NAME_BYTES:])


def write_access(ring: KeyRing, token: AccessToken, resource: str, entropy: Entropy) -> str:
    """Seal an access token."""
    payload = (
        _ACCESS.pack(
            unpack_name(token.grant), token.generation, token.epoch, token.issued, token.expires
        )
        + " ".join(sorted(token.scopes)).encode()
    )
    bound = resource.encode()
    return ACCESS_PREFIX + seal(ring, Purpose.ACCESS, payload, bound=bound, entropy=entropy)


def read_access(ring: KeyRing, text: str, resource: str) -> AccessToken:
    """Open an access token; the caller decides whether it has expired.

    Raises:
        UnknownKey: it is sealed with a key that the ring does not hold.
        BrokenSeal: it is not an access token of this resource.
    """
    payload = unseal(ring, Purpose.ACCESS, _body(text, ACCESS_PREFIX), bound=resource.encode())
    if len(payload) < _ACCESS.size:
        raise BrokenSeal("not an access token")
    raw, generation, epoch, issued, expires = _ACCESS.unpack_from(payload)
    scopes = frozenset(payload[_ACCESS.size :].decode().split())
    return AccessToken(pack_name(raw), generation, epoch, issued, expires, scopes)


def write_refresh(key: Key, token: RefreshToken, resource: str) -> str:
    """Write a refresh token: the same text for the same token and key."""
    payload = _REFRESH.pack(unpack_name(token.grant), token.generation, token.secret)
    return f"{REFRESH_PREFIX}{key.kid}.{encode_text(payload + _tag(key, payload, resource))}"


def read_refresh(ring: KeyRing, text: str, resource: str) -> RefreshToken:
    """Read a refresh token.

    Raises:
        UnknownKey: it is written with a key that the ring does not hold.
        BrokenSeal: it is not a refresh token of this resource.
    """
    kid, _, body = _body(text, REFRESH_PREFIX).partition(".")
    raw = decode_text(body)
    if len(raw) != _REFRESH.size + _MAC_BYTES:
        raise BrokenSeal("not a refresh token")
    payload, tag = raw[: _REFRESH.size], raw[_REFRESH.size :]
    if not hmac.compare_digest(tag, _tag(ring.require(kid), payload, resource)):
        raise BrokenSeal("the MAC is wrong")
    name, generation, secret = _REFRESH.unpack(payload)
    return RefreshToken(pack_name(name), generation, secret)


def _tag(key: Key, payload: bytes, resource: str) -> bytes:
    return mac(key, Purpose.REFRESH, frame(payload, resource.encode()))[:_MAC_BYTES]


def _body(text: str, prefix: str) -> str:
    if not text.startswith(prefix) or len(text) > MAX_TEXT:
        raise BrokenSeal("of another kind")
    return text.removeprefix(prefix)
