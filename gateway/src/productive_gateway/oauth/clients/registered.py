"""Clients that registered themselves: everything about them is sealed into their client_id.

/register is open to everybody, so it stores nothing: a stored client would be an object that
strangers create without end, and one that is cleaned up would leave an installed program stranded.
The id is bound to the issuer (a client's credentials are per authorization server) and opens as
long as its key is in the ring; a client's secret is an HMAC of its id.
"""

from __future__ import annotations

import json
from typing import Final

from productive_contract.clock import Entropy
from productive_contract.secret import Secret
from productive_gateway.oauth.clients.client import (
    AuthMethod,
    Client,
    Registration,
    UnknownClient,
    secret_digest,
)
from productive_gateway.oauth.errors import ErrorCode, OAuthError
from productive_gateway.sealing.errors import SealError
from productive_gateway.sealing.keys import Key, KeyRing, Keys, with_known_key
from productive_gateway.sealing.purposes import Purpose
from productive_gateway.sealing.seal import encode_text, mac, seal, unseal
from productive_gateway.web.json_object import compact_json

PREFIX: Final = "pmcp_dc_"
MAX_ID: Final = 2048
"""Characters."""


def register_client(
    ring: KeyRing, registration: Registration, issuer: str, entropy: Entropy
) -> tuple[Client, Secret | None]:
    """Return a client with a client_id made from its registration, and its secret if it has one.

    Raises:
        OAuthError: the id would be longer than is allowed.
    """
    payload = [
        registration.name,
        list(registration.redirect_uris),
        registration.auth_method.value,
        registration.method_chosen,
    ]
    sealed = seal(
        ring,
        Purpose.CLIENT,
        compact_json(payload),
        bound=issuer.encode(),
        entropy=entropy,
    )
    client_id = PREFIX + sealed
    if len(client_id) > MAX_ID:
        raise OAuthError(
            ErrorCode.INVALID_CLIENT_METADATA,
            "The registration is too long. Register fewer or shorter redirect URIs.",
        )
    client_secret = _secret(client_id, registration, ring.sealing_key())
    return _client(client_id, registration, client_secret), client_secret


async def read_client_id(keys: Keys, client_id: str, issuer: str) -> Client:
    """Return the client that is sealed into a client_id.

    Raises:
        UnknownClient: it is not ours, of another issuer, changed, or its key is gone.
        Unavailable: the key ring cannot be read, so the client may be known.
    """
    sealed = client_id.removeprefix(PREFIX)
    if len(client_id) > MAX_ID or sealed == client_id or not client_id.isascii():
        raise UnknownClient

    def read(ring: KeyRing) -> Client:
        payload = unseal(ring, Purpose.CLIENT, sealed, bound=issuer.encode())
        name, redirect_uris, method, chosen = json.loads(payload)
        registration = Registration(name, tuple(redirect_uris), AuthMethod(method), bool(chosen))
        key = ring.require(sealed.partition(".")[0])
        return _client(client_id, registration, _secret(client_id, registration, key))

    try:
        return await with_known_key(keys, read)
    except SealError as error:
        raise UnknownClient from error


def _secret(client_id: str, registration: Registration, key: Key) -> Secret | None:
    if registration.auth_method is AuthMethod.NONE:
        return None
    return Secret(encode_text(mac(key, Purpose.CLIENT_SECRET, client_id.encode("ascii"))))


def _client(client_id: str, registration: Registration, secret: Secret | None) -> Client:
    secrets = () if secret is None else (secret_digest(secret.reveal()),)
    return Client(client_id, registration, secrets)
