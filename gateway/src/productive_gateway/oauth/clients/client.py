"""What is known of an MCP client, wherever it comes from."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from productive_gateway.grants.grant import CLIENT_PREFIX, client_hash
from productive_gateway.oauth.clients.redirect_policy import Obstacle, RedirectPolicy
from productive_gateway.oauth.clients.redirect_uri import (
    RedirectKind,
    RedirectUri,
    RedirectUriError,
    find_registered,
    parse_redirect_uri,
)
from productive_gateway.oauth.errors import ErrorCode, OAuthError


class AuthMethod(StrEnum):
    """How a client proves itself at the token endpoint (RFC 7591 2)."""

    NONE = "none"
    POST = "client_secret_post"
    BASIC = "client_secret_basic"


class ClientKind(StrEnum):
    """Where what is known of a client comes from."""

    REGISTERED = "registered"
    """It registered itself (RFC 7591)."""
    METADATA_DOCUMENT = "metadata_document"
    """Its client_id is the address of a document about it (Client ID Metadata Documents)."""
    PREREGISTERED = "preregistered"
    """The administrator named it."""


ALL_KINDS: Final = frozenset(ClientKind)


class UnknownClient(OAuthError):
    """No client has this client_id."""

    def __init__(self) -> None:
        super().__init__(
            ErrorCode.INVALID_CLIENT,
            "This client is not known here. Remove the server from your app and connect it again.",
        )


@dataclass(frozen=True, slots=True)
class Registration:
    """What a client says about itself: checked for form, but not to be believed."""

    name: str
    redirect_uris: tuple[str, ...]
    auth_method: AuthMethod
    method_chosen: bool
    """Whether it named the method; if not, a secret is accepted in the header and in the body."""

    def obstacles(self, policy: RedirectPolicy) -> frozenset[Obstacle]:
        """Return why no code may be sent to any of its redirect URIs; nothing if one may be used.

        Raises:
            RedirectUriError: one of them may not even be registered.
        """
        found = [policy.obstacle(parse_redirect_uri(uri)) for uri in self.redirect_uris]
        obstacles = frozenset(one for one in found if one is not None)
        return frozenset() if None in found else obstacles


@dataclass(frozen=True, slots=True)
class Client:
    """A client that is known here."""

    client_id: str
    registration: Registration
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    """SHA-256 of each secret that it may use: none of a public client, and two during a change."""
    kind: ClientKind = ClientKind.REGISTERED

    @property
    def label(self) -> str:
        """Hash prefix, for audit lines: the same as in the labels of its grants."""
        return client_label(self.client_id)

    @property
    def described_by(self) -> str | None:
        """The host whose document describes it, proven by TLS; None of other kinds of clients."""
        if self.kind is not ClientKind.METADATA_DOCUMENT:
            return None
        return urlsplit(self.client_id).hostname

    @property
    def loopback_only(self) -> bool:
        """Whether all its redirect URIs lead to programs on the person's own machine."""
        return all(
            parse_redirect_uri(uri).kind is RedirectKind.LOOPBACK
            for uri in self.registration.redirect_uris
        )

    def holds(self, secret: str) -> bool:
        """Whether that is one of its secrets."""
        presented = secret_digest(secret)
        return any(hmac.compare_digest(presented, own) for own in self.secrets)

    def redirect(self, given: str) -> RedirectUri | None:
        """Return the redirect URI, parsed, if it is registered."""
        return find_registered(self.registration.redirect_uris, given)

    def obstacle(self, uri: RedirectUri, policy: RedirectPolicy) -> Obstacle | None:
        """Return why no code may be sent to this redirect URI of the client; None if it may.

        The redirect URIs of a pre-registered client need no other permission: the author of the
        policy named them, too.
        """
        obstacle = policy.obstacle(uri)
        named = self.kind is ClientKind.PREREGISTERED
        return obstacle if obstacle is Obstacle.OWN_ADDRESS or not named else None

    def usable(self, policy: RedirectPolicy) -> bool:
        """Whether a code may be sent to at least one of its redirect URIs."""
        try:
            uris = [parse_redirect_uri(text) for text in self.registration.redirect_uris]
        except RedirectUriError:
            return False
        return any(self.obstacle(uri, policy) is None for uri in uris)


def client_label(client_id: str) -> str:
    """Return the hash prefix of a client_id."""
    return client_hash(client_id)[:CLIENT_PREFIX]


def secret_digest(secret: str) -> bytes:
    """Return SHA-256 of a client's secret, which is random and long, so that this hides it."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
