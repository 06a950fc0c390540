"""The texts that clients hold: authorization codes, access tokens and refresh tokens.

Their prefixes let secret scanners find leaks. All three are bound to the canonical resource. Codes
and access tokens are seals. A refresh token carries a MAC in place of a seal, because every replica
must write the same successor byte for byte; it holds nothing that needs hiding but its own secret.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass, field
from typing import Final

from productive_contract.clock import Entropy
from productive_gateway.grants.naming import NAME_BYTES, pack_name, unpack_name
from productive_gateway.sealing.errors import BrokenSeal
from productive_gateway.sealing.keys import Key, KeyRing
from productive_gateway.sealing.purposes import Purpose
from productive_gateway.sealing.seal import decode_text, encode_text, frame, mac, seal, unseal

CODE_PREFIX: Final = "pmcp_ac_"
ACCESS_PREFIX: Final = "pmcp_at_"
REFRESH_PREFIX: Final = "pmcp_rt_"
SECRET_BYTES: Final = 32
MAX_TEXT: Final = 1024
"""Characters of the longest text that is looked at."""

_ACCESS: Final = struct.Struct(f">{NAME_BYTES}sIIQQ")
_REFRESH: Final = struct.Struct(f">{NAME_BYTES}sI{SECRET_BYTES}s")
_MAC_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Code:
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


def write_code(ring: KeyRing, code: Code, resource: str, entropy: Entropy) -> str:
    """Seal a code."""
    payload = unpack_name(code.grant) + code.secret
    bound = resource.encode()
    return CODE_PREFIX + seal(ring, Purpose.CODE, payload, bound=bound, entropy=entropy)


def read_code(ring: KeyRing, text: str, resource: str) -> Code:
    """Open a code.

    Raises:
        UnknownKey: sealed with a key that the ring does not hold.
        BrokenSeal: it is no code of this resource.
    """
    payload = unseal(ring, Purpose.CODE, _body(text, CODE_PREFIX), bound=resource.encode())
    if len(payload) != NAME_BYTES + SECRET_BYTES:
        raise BrokenSeal("not a code")
    return Code(pack_name(payload[:NAME_BYTES]), payload[NAME_BYTES:])


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
    """Open an access token; whether it has expired is the caller's to see.

    Raises:
        UnknownKey: sealed with a key that the ring does not hold.
        BrokenSeal: it is no access token of this resource.
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
        UnknownKey: written with a key that the ring does not hold.
        BrokenSeal: it is no refresh token of this resource.
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
