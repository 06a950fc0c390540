"""The provider's signing keys, fetched rarely and kept through its bad hours.

RFC 7517. A key set decides who may sign in, so it comes from the configured or discovered address
only: what a token's header names (`jku`, `x5u`, `jwk`, `x5c`) is never looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK, PyJWKSet
from jwt.exceptions import PyJWTError

from productive_contract.clock import Clock, system_clock
from productive_gateway.upstream.errors import UpstreamRefused, UpstreamUnavailable

FRESH: Final = 3600.0
STALE: Final = 24 * 3600.0
"""Seconds for which old keys still serve while new ones cannot be had."""
COOL_DOWN: Final = 30.0
"""Seconds between two fetches for a key id that is not known, whoever asks for it."""
MAX_KEYS: Final = 50
MIN_BITS: Final = 2048
ALGORITHM: Final = "RS256"

Fetch = Callable[[], Awaitable[dict[str, Any]]]


class Jwks:
    """The key set in use; one fetch at a time."""

    def __init__(self, fetch: Fetch, *, clock: Clock = system_clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = asyncio.Lock()
        self._keys: PyJWKSet | None = None
        self._fetched = float("-inf")
        self._tried = float("-inf")

    async def keys(self) -> PyJWKSet:
        """Return a key set that was fetched within the hour, or an older one if that fails.

        Raises:
            UpstreamUnavailable: no key set can be had, and none younger than a day is at hand.
        """
        if self._keys is not None and self._clock() - self._fetched < FRESH:
            return self._keys
        async with self._lock:
            # Whoever waited for the lock finds what the one before fetched, or that it failed just
            # now: a provider in trouble is not asked once per person.
            now = self._clock()
            if self._keys is not None and (
                now - self._fetched < FRESH or now - self._tried < COOL_DOWN
            ):
                return self._usable(now)
            return await self._load(now)

    async def newer(self) -> PyJWKSet:
        """Return a key set fetched for the sake of an unknown key id, at most one in 30 s.

        Raises:
            UpstreamUnavailable: as for `keys`.
        """
        async with self._lock:
            now = self._clock()
            if self._keys is not None and now - self._tried < COOL_DOWN:
                return self._usable(now)
            return await self._load(now)

    async def _load(self, now: float) -> PyJWKSet:
        self._tried = now
        try:
            keys = read_keys(await self._fetch())
        except (UpstreamUnavailable, UpstreamRefused) as error:
            if self._keys is None:
                raise UpstreamUnavailable(str(error), reason=error.reason) from error
            return self._usable(now)
        self._keys, self._fetched = keys, now
        return keys

    def _usable(self, now: float) -> PyJWKSet:
        if self._keys is None or now - self._fetched >= STALE:
            raise UpstreamUnavailable(
                "The sign-in provider's keys cannot be read; try again soon.", reason="jwks_stale"
            )
        return self._keys


def read_keys(document: dict[str, Any]) -> PyJWKSet:
    """Take the keys out of a key set that can verify RS256; the others are passed over.

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

    A symmetric key (`oct`) in the set would turn everybody who reads it into a signer, and an
    encryption key was never meant to vouch for anything (RFC 8725 3.1, RFC 7517 4.2).
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
        "The sign-in provider publishes no key that can be used; ask its administrator for an "
        "RS256 signing key.",
        reason=reason,
    )
