"""Verification of an ID token: OpenID Connect Core 3.1.3.7, RFC 7519, RFC 8725.

Pure: token, keys, expectations and time are arguments, claims are the result. pyjwt checks the
signature. The claims are checked here, because the rules are stricter than pyjwt's (which reads the
wall clock, accepts numbers written as text and lists with foreign audiences).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import math
from dataclasses import dataclass, field
from typing import Any, Final

from jwt import PyJWK, PyJWKSet, PyJWS
from jwt.exceptions import PyJWTError

from productive_gateway.upstream.errors import UnknownSigningKey, UpstreamRefused
from productive_gateway.upstream.jwks import ALGORITHM
from productive_gateway.web.json_object import JsonError, read_object

MAX_LENGTH: Final = 16 * 1024
MAX_KID: Final = 256
MAX_SUBJECT: Final = 255
SKEW: Final = 60.0
"""Seconds by which the provider's clock may differ from ours."""
MAX_AGE: Final = 600.0
"""Seconds since `iat`: the token comes from the exchange that just ended, so it is young."""

_JWS: Final = PyJWS()
# Headers that make a token something else than a plain signed one: encrypted, compressed, with an
# unencoded payload, or with an extension that a reader must understand.
_FORBIDDEN_HEADERS: Final = frozenset({"crit", "b64", "enc", "zip"})


@dataclass(frozen=True, slots=True)
class Expectations:
    """What the token must contain."""

    issuer: str
    client_id: str
    nonce: str | None = field(repr=False)
    """Derived from the transaction: a token of any other transaction is refused. None for the token
    of a refresh, which need not have one (OpenID Connect Core 12.2)."""
    access_token: str | None = field(default=None, repr=False)
    """For `at_hash`."""


def verify(token: object, keys: PyJWKSet, expected: Expectations, *, now: float) -> dict[str, Any]:
    """Return the claims of a genuine ID token that was made for this transaction.

    Args:
        token: what the token endpoint sent as `id_token`.
        keys: the provider's RS256 keys.
        expected: issuer, client and nonce.
        now: Unix seconds.

    Raises:
        UnknownSigningKey: it names a key that is not among `keys`.
        UpstreamRefused: it breaks a rule; `reason` says which.
    """
    if not isinstance(token, str) or not token.isascii():
        raise _refused("missing")
    if len(token) > MAX_LENGTH:
        raise _refused("too_long")
    parts = token.split(".")
    if len(parts) != 3 or not all(parts):
        # Four or five parts are a JWE or a nested token; an empty signature is `alg: none`.
        raise _refused("form")
    header = _object(parts[0])
    key = _key(header, keys)
    try:
        # The algorithm is ours, not the header's: not `none`, not HS256 with the public key as the
        # password, not a stronger-looking sibling (RFC 8725 3.1).
        _JWS.decode(
            token, key, algorithms=[ALGORITHM], options={"enforce_minimum_key_length": True}
        )
    except PyJWTError as error:
        raise _refused("signature") from error
    claims = _object(parts[1])
    _check_parties(claims, expected)
    _check_times(claims, now)
    _check_binding(claims, expected)
    return claims


def _object(part: str) -> dict[str, Any]:
    try:
        raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
        return read_object(raw)
    except (ValueError, binascii.Error, JsonError) as error:
        raise _refused("encoding") from error


def _key(header: dict[str, Any], keys: PyJWKSet) -> PyJWK:
    """Choose the key by `kid`; whatever else the header proposes as a key is ignored.

    `jku`, `jwk`, `x5u` and `x5c` let the author of a token bring the key that proves it: they are
    ignored and nothing is fetched.
    """
    if header.get("alg") != ALGORITHM:
        raise _refused("alg")
    if not _FORBIDDEN_HEADERS.isdisjoint(header):
        raise _refused("header")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.upper() != "JWT" or "cty" in header:
        # Another type is another kind of token (an access token, a logout token): RFC 8725 3.11.
        raise _refused("typ")
    if "kid" not in header:
        if len(keys.keys) != 1:
            raise _refused("kid_missing")
        return keys.keys[0]
    kid = header["kid"]
    if not isinstance(kid, str) or len(kid) > MAX_KID:
        raise _refused("kid_form")
    matching = [key for key in keys.keys if key.key_id == kid]
    if not matching:
        raise UnknownSigningKey(_MESSAGE, reason="id_token_kid_unknown")
    if len(matching) > 1:
        raise _refused("kid_ambiguous")
    return matching[0]


def _check_parties(claims: dict[str, Any], expected: Expectations) -> None:
    # Byte for byte: a slash or the case of a letter makes another tenant.
    if claims.get("iss") != expected.issuer:
        raise _refused("iss")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    # Another audience could replay the token here, so no other is accepted; some providers always
    # send a list, with our client alone.
    if not audiences or any(one != expected.client_id for one in audiences):
        raise _refused("aud")
    if claims.get("azp", expected.client_id) != expected.client_id:
        raise _refused("azp")


def _check_times(claims: dict[str, Any], now: float) -> None:
    expires, issued = _time(claims, "exp"), _time(claims, "iat")
    if now >= expires + SKEW:
        raise _refused("exp")
    if issued > now + SKEW:
        raise _refused("iat_future")
    if issued < now - MAX_AGE - SKEW:
        raise _refused("iat_old")
    if "nbf" in claims and _time(claims, "nbf") > now + SKEW:
        raise _refused("nbf")


def _time(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    # Numbers only: readers disagree about "1e9", true and 1e400.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refused(name)
    try:
        seconds = float(value)
    except OverflowError as error:
        raise _refused(name) from error
    if not math.isfinite(seconds):
        raise _refused(name)
    return seconds


def _check_binding(claims: dict[str, Any], expected: Expectations) -> None:
    if expected.nonce is not None:
        _check_nonce(claims.get("nonce"), expected.nonce)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 1 <= len(subject) <= MAX_SUBJECT:
        raise _refused("sub")
    if not subject.isprintable():
        raise _refused("sub")
    if "at_hash" in claims:
        _check_access_token(claims["at_hash"], expected.access_token)


def _check_nonce(nonce: object, expected: str) -> None:
    if not isinstance(nonce, str) or not hmac.compare_digest(
        nonce.encode("utf-8", "surrogatepass"), expected.encode()
    ):
        raise _refused("nonce")


def _check_access_token(at_hash: object, access_token: str | None) -> None:
    # It binds the access token, which is used for userinfo, to this very sign-in.
    if not isinstance(at_hash, str) or not at_hash.isascii() or access_token is None:
        raise _refused("at_hash")
    half = hashlib.sha256(access_token.encode()).digest()[:16]
    if not hmac.compare_digest(at_hash, base64.urlsafe_b64encode(half).rstrip(b"=").decode()):
        raise _refused("at_hash")


_MESSAGE: Final = (
    "The sign-in provider's answer did not pass the checks. Start again from your app, and tell "
    "the administrator if it happens twice."
)


def _refused(rule: str) -> UpstreamRefused:
    return UpstreamRefused(_MESSAGE, reason=f"id_token_{rule}")
