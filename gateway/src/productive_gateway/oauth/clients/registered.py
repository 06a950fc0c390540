"""MCP clients that registered themselves: everything about them is sealed into their client_id.

/register is open to everybody, so it stores nothing: a stored client would be an object that
strangers make without end, and one that is cleaned up would leave an installed program stranded.
The id is bound to the issuer (a client's credentials are per authorization server) and opens as
long as its key is in the ring; a client's secret is an HMAC of its id.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from productive_contract.clock import Entropy
from productive_contract.secret import Secret
from productive_gateway.grants.grant import CLIENT_PREFIX, client_hash
from productive_gateway.oauth.authorization_request import pack
from productive_gateway.oauth.clients.redirect_uri import (
    Policy,
    RedirectUri,
    RedirectUriError,
    find_registered,
    may_be_used,
    parse_redirect_uri,
)
from productive_gateway.oauth.errors import Code, Refusal
from productive_gateway.sealing.errors import SealError
from productive_gateway.sealing.keys import Key, KeyRing, Keys, with_known_key
from productive_gateway.sealing.purposes import Purpose
from productive_gateway.sealing.seal import encode_text, mac, seal, unseal

PREFIX: Final = "pmcp_dc_"
MAX_ID: Final = 2048


class AuthMethod(StrEnum):
    """How a client proves itself at the token endpoint (RFC 7591 2)."""

    NONE = "none"
    POST = "client_secret_post"
    BASIC = "client_secret_basic"


class UnknownClient(Refusal):
    """The client_id is not one of ours, or of a key that is gone."""

    def __init__(self) -> None:
        super().__init__(
            Code.INVALID_CLIENT,
            "This client is not known here. Remove the server from your app and connect it again.",
        )


@dataclass(frozen=True, slots=True)
class Registration:
    """What a client says about itself; checked, but not believed."""

    name: str
    redirect_uris: tuple[str, ...]
    auth_method: AuthMethod
    method_chosen: bool
    """Whether it named the method; if not, a secret is taken in the header and in the body."""


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client."""

    client_id: str
    registration: Registration
    key: Key
    """Which sealed the id."""

    @property
    def label(self) -> str:
        """Hash prefix, for audit lines: the same as in the labels of its grants."""
        return client_label(self.client_id)

    @property
    def secret(self) -> Secret | None:
        """The client's secret; None of a public client."""
        if self.registration.auth_method is AuthMethod.NONE:
            return None
        return Secret(
            encode_text(mac(self.key, Purpose.CLIENT_SECRET, self.client_id.encode("ascii")))
        )

    def holds(self, secret: str) -> bool:
        """Whether that is its secret."""
        own = self.secret
        return own is not None and hmac.compare_digest(
            own.reveal().encode(), secret.encode("utf-8", "surrogatepass")
        )

    def redirect(self, given: str) -> RedirectUri | None:
        """Return the redirect URI taken apart if it is registered."""
        return find_registered(self.registration.redirect_uris, given)

    def usable(self, policy: Policy) -> bool:
        """Whether it still has a redirect URI that the policy allows."""
        return usable(self.registration.redirect_uris, policy)


def client_label(client_id: str) -> str:
    """Return the hash prefix of a client_id."""
    return client_hash(client_id)[:CLIENT_PREFIX]


def usable(redirect_uris: tuple[str, ...], policy: Policy) -> bool:
    """Whether a code could be sent to one of these."""
    try:
        return any(may_be_used(parse_redirect_uri(text), policy) for text in redirect_uris)
    except RedirectUriError:
        return False


def register_client(
    ring: KeyRing, registration: Registration, issuer: str, entropy: Entropy
) -> Client:
    """Make a client_id of a registration.

    Raises:
        Refusal: the id would be longer than is allowed.
    """
    payload = pack(
        [
            registration.name,
            list(registration.redirect_uris),
            registration.auth_method.value,
            registration.method_chosen,
        ]
    )
    sealed = seal(ring, Purpose.CLIENT, payload, bound=issuer.encode(), entropy=entropy)
    client_id = PREFIX + sealed
    if len(client_id) > MAX_ID:
        raise Refusal(
            Code.INVALID_CLIENT_METADATA,
            "The registration is too long. Register fewer or shorter redirect URIs.",
        )
    return Client(client_id, registration, ring.sealing_key())


async def find_client(keys: Keys, client_id: str, issuer: str) -> Client:
    """Open a client_id.

    Raises:
        UnknownClient: it is not ours, of another issuer, or changed.
        Unavailable: the key ring cannot be read, so nobody can know.
    """
    sealed = client_id.removeprefix(PREFIX)
    if len(client_id) > MAX_ID or sealed == client_id or not client_id.isascii():
        raise UnknownClient

    def read(ring: KeyRing) -> Client:
        payload = unseal(ring, Purpose.CLIENT, sealed, bound=issuer.encode())
        name, redirect_uris, method, chosen = json.loads(payload)
        registration = Registration(name, tuple(redirect_uris), AuthMethod(method), bool(chosen))
        return Client(client_id, registration, ring.require(sealed.partition(".")[0]))

    try:
        return await with_known_key(keys, read)
    except SealError as error:
        raise UnknownClient from error
