"""The provider's signing keys (RFC 7517).

A key set decides who may sign in, so it comes from the configured or discovered address only: what
a token's header names (`jku`, `x5u`, `jwk`, `x5c`) is ignored.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK, PyJWKSet
from jwt.exceptions import PyJWTError

from productive_contract.clock import Clock, system_clock
from productive_gateway.upstream.cached_document import CachedDocument
from productive_gateway.upstream.errors import UpstreamRefused

MAX_KEYS: Final = 50
MIN_BITS: Final = 2048
ALGORITHM: Final = "RS256"

Fetch = Callable[[], Awaitable[dict[str, Any]]]


def cached_keys(fetch: Fetch, *, clock: Clock = system_clock) -> CachedDocument[PyJWKSet]:
    """Return the key set that `fetch` brings; `newer` is for an unknown key id."""

    async def load() -> PyJWKSet:
        return read_keys(await fetch())

    # A key set is replaced as a whole: one that is broken for a while must not sign people out.
    return CachedDocument(load, "jwks", clock=clock, keep_if_refused=True)


def read_keys(document: dict[str, Any]) -> PyJWKSet:
    """Return the keys of a key set that can verify RS256; the others are ignored.

    Raises:
        UpstreamRefused: it holds no such key, or more than fifty.
    """
    listed = document.get("keys")
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise _refused("jwks_malformed")
    usable = [dict(key) | {"alg": ALGORITHM} for key in listed if _verifies(key)]
    try:
        return PyJWKSet(usable)
    except PyJWTError as error:
        raise _refused("jwks_no_usable_key") from error


def _verifies(key: Any) -> bool:
    """Whether it is a public RSA key of 2048 bits or more, meant for RS256 signatures.

    A symmetric key (`oct`) in the set would let everybody who reads it sign, and an encryption key
    is not meant to sign anything (RFC 8725 3.1, RFC 7517 4.2).
    """
    if not isinstance(key, dict) or key.get("kty") != "RSA" or "d" in key:
        return False
    if key.get("use", "sig") != "sig" or key.get("alg", ALGORITHM) != ALGORITHM:
        return False
    operations = key.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return False
    if not isinstance(key.get("kid", ""), str):
        return False
    try:
        public = PyJWK(key, ALGORITHM).key
    except (PyJWTError, ValueError, TypeError, KeyError):
        return False
    return isinstance(public, RSAPublicKey) and public.key_size >= MIN_BITS


def _refused(reason: str) -> UpstreamRefused:
    return UpstreamRefused(
        "The sign-in provider publishes no key that can be used. Ask its administrator for an "
        "RS256 signing key.",
        reason=reason,
    )
