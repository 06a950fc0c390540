"""What a person is at the provider for: the request that they approved, or a page of their own.

It is sealed into a cookie of the browser that approved it, which is set only after the approval.
Nothing is stored, any replica can finish it, and a link to the provider that was approved in one
browser is of no use in another (CVE-2026-27124). Each of the two has a cookie and a seal of its
own, so neither can be finished as the other. `state` is the transaction's random id; PKCE
verifier and nonce are derived from that id, so they are stored nowhere and cannot be those of
another transaction.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from typing import Final

from productive_contract.clock import Entropy
from productive_gateway.grants.config import TRANSACTION_LIFE
from productive_gateway.oauth.authorization_request import (
    AuthorizationRequest,
    decode_request,
    encode_request,
)
from productive_gateway.oauth.cookies import MAX_VALUE, CookieKind
from productive_gateway.sealing.errors import BrokenSeal, SealError
from productive_gateway.sealing.keys import Key, KeyRing, Keys, with_known_key
from productive_gateway.sealing.purposes import Purpose
from productive_gateway.sealing.seal import decode_text, encode_text, mac, seal, unseal
from productive_gateway.upstream.code_flow import SignInSecrets
from productive_gateway.web.json_object import compact_json

ID_BYTES: Final = 16
PURPOSES: Final = {
    CookieKind.TRANSACTION: Purpose.TRANSACTION,
    CookieKind.PERSON_SIGN_IN: Purpose.PERSON_SIGN_IN,
}
"""The cookies that a transaction can be in, with what each is sealed for."""
_SEAL_OVERHEAD: Final = 64
"""Bytes of key id, nonce and tag, rounded up."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One pass from an approval to /callback."""

    id: bytes = field(repr=False)
    request: AuthorizationRequest | None
    """What a client asks for; None when the person signs in for a page of their own."""
    begun: float
    """Unix seconds of the approval."""
    secrets: SignInSecrets = field(repr=False)

    def expired(self, now: float) -> bool:
        """Whether it took too long."""
        return now >= self.begun + TRANSACTION_LIFE


def write_state(transaction: bytes) -> str:
    """Return the `state` that goes to the provider."""
    return encode_text(transaction)


def read_state(state: str | None) -> bytes | None:
    """Return the transaction's id, or None if the text is not a state of ours."""
    if state is None or len(state) > 64:
        return None
    try:
        transaction = decode_text(state)
    except BrokenSeal:
        return None
    return transaction if len(transaction) == ID_BYTES else None


def fits(request: AuthorizationRequest) -> bool:
    """Whether the sealed request will fit into its cookie."""
    return (len(_payload(request, 0.0)) + _SEAL_OVERHEAD) * 4 // 3 <= MAX_VALUE


def open_transaction(
    ring: KeyRing,
    transaction: bytes,
    request: AuthorizationRequest | None,
    now: float,
    entropy: Entropy,
) -> tuple[str, SignInSecrets]:
    """Return the sealed cookie of a transaction, and its secrets.

    Args:
        ring: its current key seals.
        transaction: id of the transaction.
        request: what the person approved; None for a page of their own.
        now: Unix seconds.
        entropy: source of the nonce.
    """
    purpose = Purpose.PERSON_SIGN_IN if request is None else Purpose.TRANSACTION
    payload = _payload(request, now)
    sealed = seal(ring, purpose, payload, bound=transaction, entropy=entropy)
    return sealed, _secrets(ring.sealing_key(), transaction)


async def find_transaction(
    keys: Keys, kind: CookieKind, transaction: bytes, sealed: str
) -> Transaction | None:
    """Open a cookie; None if it is not the one of this transaction.

    Args:
        keys: open it.
        kind: of the cookie, TRANSACTION or PERSON_SIGN_IN.
        transaction: id of the transaction.
        sealed: value of the cookie.

    Raises:
        Unavailable: the key ring cannot be read.
    """

    def read(ring: KeyRing) -> Transaction:
        payload = unseal(ring, PURPOSES[kind], sealed, bound=transaction)
        # The key that sealed the cookie also made the secrets: a rotation in between changes
        # neither (the current key may be another by now).
        key = ring.require(sealed.partition(".")[0])
        begun, values = json.loads(zlib.decompress(payload))
        request = None if values is None else decode_request(values)
        return Transaction(transaction, request, float(begun), _secrets(key, transaction))

    try:
        return await with_known_key(keys, read)
    except SealError:
        return None


def _payload(request: AuthorizationRequest | None, now: float) -> bytes:
    # A client id is base64 of random bytes: compression wins back the quarter that sealing adds.
    values = None if request is None else encode_request(request)
    return zlib.compress(compact_json([int(now), values]), 9)


def _secrets(key: Key, transaction: bytes) -> SignInSecrets:
    return SignInSecrets(
        verifier=encode_text(mac(key, Purpose.VERIFIER, transaction)),
        nonce=encode_text(mac(key, Purpose.NONCE, transaction)),
    )
