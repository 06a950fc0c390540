"""Verification of an ID token: OpenID Connect Core 3.1.3.7, RFC 7519, RFC 8725.

Pure: token, keys, expectations and time come in, claims come out. pyjwt checks the signature; the
claims are checked here, because the rules are stricter than pyjwt's (which reads the wall clock,
takes numbers written as text and lists of strange audiences) and each must be seen to hold.
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
"""Seconds since `iat`: the token was made in the exchange that just ended, so it is young."""

_JWS: Final = PyJWS()
# Headers by which a token would be something else than a plain signed one: encrypted, compressed,
# with an unencoded payload, or one that must not be read by who does not know an extension.
_FORBIDDEN_HEADERS: Final = frozenset({"crit", "b64", "enc", "zip"})


@dataclass(frozen=True, slots=True)
class Expectations:
    """What the token must say."""

    issuer: str
    client_id: str
    nonce: str = field(repr=False)
    """Derived from the transaction: a token of any other transaction is refused."""
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
        # The algorithm is ours, not the header's: neither `none`, nor HS256 under the public key
        # taken as a password, nor a stronger-looking sibling gets a say (RFC 8725 3.1).
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
    """Choose the key by `kid`; whatever else the header proposes as a key is not looked at.

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
        raise UnknownSigningKey(_SENTENCE, reason="id_token_kid_unknown")
    if len(matching) > 1:
        raise _refused("kid_ambiguous")
    return matching[0]


def _check_parties(claims: dict[str, Any], expected: Expectations) -> None:
    # The bytes must be the same: a slash or a letter's case apart is another tenant.
    if claims.get("iss") != expected.issuer:
        raise _refused("iss")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    # An audience besides us could replay the token at us, so not one stranger is trusted; a list
    # of us alone is what some providers always send.
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
    # A number only: "1e9", true and 1e400 mean different things to different readers.
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
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(
        nonce.encode("utf-8", "surrogatepass"), expected.nonce.encode()
    ):
        raise _refused("nonce")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 1 <= len(subject) <= MAX_SUBJECT:
        raise _refused("sub")
    if not subject.isprintable():
        raise _refused("sub")
    if "at_hash" in claims:
        _check_access_token(claims["at_hash"], expected.access_token)


def _check_access_token(at_hash: object, access_token: str | None) -> None:
    # It ties the access token, with which userinfo is asked, to this very sign-in.
    if not isinstance(at_hash, str) or not at_hash.isascii() or access_token is None:
        raise _refused("at_hash")
    half = hashlib.sha256(access_token.encode()).digest()[:16]
    if not hmac.compare_digest(at_hash, base64.urlsafe_b64encode(half).rstrip(b"=").decode()):
        raise _refused("at_hash")


_SENTENCE: Final = (
    "The sign-in provider's answer did not pass the checks; start again from your app, and tell "
    "the administrator if it happens twice."
)


def _refused(rule: str) -> UpstreamRefused:
    return UpstreamRefused(_SENTENCE, reason=f"id_token_{rule}")
