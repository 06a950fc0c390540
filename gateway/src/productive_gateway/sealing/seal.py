"""Sealing and authenticating: AES-256-GCM and HMAC-SHA-256 under keys derived per purpose.

A sealed text is `<kid>.<base64url of nonce, ciphertext, tag>`. Purpose and binding are additional
data of the cipher: a text sealed for one purpose or resource opens for no other. The nonce is
random (NIST SP 800-38D 8.2.2: up to 2^32 seals per key, about 130 years at one a second).
"""

from __future__ import annotations

import base64
import binascii
import hmac
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from productive_contract.clock import Entropy, system_entropy
from productive_gateway.sealing.errors import BrokenSeal, SealError
from productive_gateway.sealing.keys import KEY_BYTES, Key, KeyRing, Keys, with_known_key
from productive_gateway.sealing.purposes import Purpose

_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16


def seal(
    ring: KeyRing,
    purpose: Purpose,
    payload: bytes,
    *,
    bound: bytes = b"",
    entropy: Entropy = system_entropy,
) -> str:
    """Encrypt and authenticate `payload` with the current key.

    Args:
        ring: its current key seals.
        purpose: what the text is for; only the same purpose opens it.
        payload: any bytes.
        bound: what else must be the same when the text is opened, such as the resource.
        entropy: source of the nonce.
    """
    key = ring.sealing_key()
    nonce = entropy(_NONCE_BYTES)
    sealed = _cipher(key.secret, purpose).encrypt(nonce, payload, _additional(purpose, bound))
    return f"{key.kid}.{encode_text(nonce + sealed)}"


def unseal(ring: KeyRing, purpose: Purpose, text: str, *, bound: bytes = b"") -> bytes:
    """Return the payload of a sealed text.

    Raises:
        UnknownKey: the key that the text names is not in the ring.
        BrokenSeal: malformed, changed, or sealed for another purpose or binding.
    """
    kid, _, body = text.partition(".")
    raw = decode_text(body)
    if len(raw) < _NONCE_BYTES + _TAG_BYTES:
        raise BrokenSeal("too short")
    key = ring.require(kid)
    try:
        return _cipher(key.secret, purpose).decrypt(
            raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _additional(purpose, bound)
        )
    except InvalidTag as error:
        raise BrokenSeal("the tag is wrong") from error


async def opened(keys: Keys, purpose: Purpose, text: str, *, bound: bytes = b"") -> bytes | None:
    """Return the payload of a sealed text with keys that may have changed; None if it is not ours.

    Args:
        keys: the current ones are tried, and fresh ones if they lack the text's key.
        purpose: as sealed.
        text: of the seal.
        bound: as sealed.

    Raises:
        Unavailable: the key ring cannot be read.
    """
    try:
        return await with_known_key(keys, lambda ring: unseal(ring, purpose, text, bound=bound))
    except SealError:
        return None


def seal_kid(text: str) -> str:
    """Return the id of the key that a sealed text names."""
    return text.partition(".")[0]


def mac(ring_or_key: KeyRing | Key, purpose: Purpose, data: bytes) -> bytes:
    """Return HMAC-SHA-256 of `data`, with a ring's current key or with the given key.

    Compare the result through `hmac.compare_digest` only.
    """
    key = ring_or_key.sealing_key() if isinstance(ring_or_key, KeyRing) else ring_or_key
    return hmac.digest(_derived(key.secret, purpose, b"mac"), data, "sha256")


def frame(*parts: bytes) -> bytes:
    """Join parts, each after its length, so that no other parts give the same bytes."""
    return b"".join(len(part).to_bytes(4) + part for part in parts)


def encode_text(raw: bytes) -> str:
    """Write bytes as base64url without padding (RFC 4648 5)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_text(text: str) -> bytes:
    """Read base64url without padding, in its one canonical form.

    The last character can carry bits without meaning; a text that differs there is refused, so that
    every change of a token breaks it.

    Raises:
        BrokenSeal: it is not canonical base64url.
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise BrokenSeal("not base64url") from error
    if encode_text(raw) != text:
        raise BrokenSeal("not canonical base64url")
    return raw


def _additional(purpose: Purpose, bound: bytes) -> bytes:
    # No purpose contains a NUL, so the two parts are unambiguous.
    return purpose.encode() + b"\0" + bound


# Derivation costs more than sealing; rings are few and small, so derived keys are cached.
@lru_cache(maxsize=512)
def _derived(secret: bytes, purpose: Purpose, use: bytes) -> bytes:
    info = b"productive-mcp/1/" + use + b"/" + purpose.encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(secret)


@lru_cache(maxsize=256)
def _cipher(secret: bytes, purpose: Purpose) -> AESGCM:
    return AESGCM(_derived(secret, purpose, b"seal"))
