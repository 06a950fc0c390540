"""ID tokens, genuine and forged.

The compact form is assembled here, not by a library: libraries refuse to make most of what an
attacker would send.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

from productive_dev.idp.faults import TokenFault
from productive_dev.idp.keys import rsa_key

_NO_FAULT: Final = TokenFault()
_DIGESTS: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


def id_token(
    claims: Mapping[str, Any], key: RSAKey, *, client_secret: str, fault: TokenFault | None = None
) -> str:
    """Return a signed token with the claims, altered by the fault if there is one."""
    fault = fault or _NO_FAULT
    if fault.raw is not None:
        return fault.raw
    header = {"alg": fault.alg, "typ": "JWT", "kid": key.kid, **fault.header}
    header = {name: value for name, value in header.items() if name not in fault.remove_header}
    signed = f"{_encoded(_json(header))}.{_encoded(_payload(claims, fault))}"
    signature = _signature(signed.encode(), key, client_secret, fault)
    return ".".join((signed, _encoded(signature), *("AAAA" for _ in range(fault.extra_parts))))


def at_hash(access_token: str) -> str:
    """Return the access token's hash (OpenID Connect Core 3.1.3.6)."""
    return _encoded(hashlib.sha256(access_token.encode()).digest()[:16])


def public_pem(key: RSAKey) -> bytes:
    """Return the public key as PEM, which a confused verifier uses as an HMAC secret."""
    return key.as_pem(private=False)


def _payload(claims: Mapping[str, Any], fault: TokenFault) -> bytes:
    merged = {**claims, **fault.claims}
    kept = {name: value for name, value in merged.items() if name not in fault.remove_claims}
    literals = [f"{json.dumps(name)}:{text}" for name, text in fault.literal_claims.items()]
    if not literals:
        return _json(kept)
    return ("{" + ",".join([_json(kept).decode()[1:-1], *literals]).lstrip(",") + "}").encode()


def _signature(signed: bytes, key: RSAKey, client_secret: str, fault: TokenFault) -> bytes:
    if fault.signature == "empty" or fault.alg.lower() == "none":
        return b""
    made = _sign(signed, key, client_secret, fault)
    return bytes([made[0] ^ 1]) + made[1:] if fault.signature == "broken" else made


def _sign(signed: bytes, key: RSAKey, client_secret: str, fault: TokenFault) -> bytes:
    if fault.alg in _DIGESTS:
        secret = public_pem(key) if fault.key == "public-pem" else client_secret.encode()
        return hmac.digest(secret, signed, _DIGESTS[fault.alg])
    algorithm = JWSRegistry(algorithms=[fault.alg]).get_alg(fault.alg)
    if fault.alg.startswith("ES"):
        return algorithm.sign(signed, ECKey.generate_key("P-256"))
    return algorithm.sign(signed, rsa_key("other") if fault.key == "other" else key)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
