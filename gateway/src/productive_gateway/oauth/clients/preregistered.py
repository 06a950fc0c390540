"""Clients that the administrator names, as a JSON array of metadata in the words of RFC 7591.

    [{"client_id": "helpdesk",
      "client_name": "Helpdesk",
      "redirect_uris": ["https://helpdesk.example.com/oauth/callback"],
      "token_endpoint_auth_method": "client_secret_basic",
      "client_secret_sha256": ["…", "…"]}]

The document is read strictly and as a whole: an entry that is wrong makes all of it unusable, so
that a mistake is noticed by the person who makes it, and not later by the users of that client.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from productive_gateway.oauth.clients.client import (
    AuthMethod,
    Client,
    ClientKind,
    Registration,
    secret_digest,
)
from productive_gateway.oauth.clients.display_name import shown_name
from productive_gateway.oauth.clients.redirect_policy import Obstacle, RedirectPolicy
from productive_gateway.oauth.clients.redirect_uri import RedirectUriError, parse_redirect_uri
from productive_gateway.web.json_object import JsonError, read_array

MAX_CLIENTS: Final = 1000
MAX_URIS: Final = 10
MAX_SECRETS: Final = 2
"""The new one and the old one, while the client changes from one to the other."""
OWN_PREFIX: Final = "pmcp_"
"""Of ids and tokens that the gateway makes."""

_MEMBERS: Final = frozenset(
    {
        *("client_id", "client_name", "redirect_uris", "token_endpoint_auth_method"),
        *("client_secret", "client_secret_sha256"),
    }
)
_ID = re.compile(r"[!-~]{1,256}")
_SECRET = re.compile(r"[!-~]{32,256}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class PreregistrationError(ValueError):
    """The document cannot be used; `str()` says why, and quotes no secret."""


def decode_clients(document: bytes, policy: RedirectPolicy) -> Mapping[str, Client]:
    """Return the clients of a document by their ids.

    Args:
        document: the JSON array.
        policy: says what this server's own address is, which no client may use.

    Raises:
        PreregistrationError: it is not such an array, or one entry is wrong.
    """
    try:
        entries = read_array(document)
    except JsonError as error:
        raise PreregistrationError(f"{error}: write a list of clients in brackets") from error
    if len(entries) > MAX_CLIENTS:
        raise PreregistrationError(f"it has more than {MAX_CLIENTS} clients")
    clients: dict[str, Client] = {}
    for number, entry in enumerate(entries, 1):
        try:
            client = _client(entry, policy)
        except PreregistrationError as error:
            raise PreregistrationError(f"entry {number}: {error}") from error
        if client.client_id in clients:
            raise PreregistrationError(f"entry {number}: its client_id is that of an earlier one")
        clients[client.client_id] = client
    return MappingProxyType(clients)


def _client(entry: Any, policy: RedirectPolicy) -> Client:
    if not isinstance(entry, dict):
        raise PreregistrationError("it must be a JSON object")
    unknown = sorted(entry.keys() - _MEMBERS)
    if unknown:
        raise PreregistrationError(
            f"{_quoted(unknown[0])} is unknown; the members are {', '.join(sorted(_MEMBERS))}"
        )
    client_id = entry.get("client_id")
    if not isinstance(client_id, str) or not _ID.fullmatch(client_id):
        raise PreregistrationError("client_id must have 1 to 256 ASCII characters without spaces")
    if client_id.startswith(OWN_PREFIX):
        raise PreregistrationError(f"client_id must not begin with {OWN_PREFIX}")
    secrets = _secrets(entry)
    registration = Registration(
        name=_name(entry.get("client_name")),
        redirect_uris=_redirect_uris(entry.get("redirect_uris"), policy),
        auth_method=_auth_method(entry, confidential=bool(secrets)),
        method_chosen="token_endpoint_auth_method" in entry,
    )
    return Client(client_id, registration, secrets, ClientKind.PREREGISTERED)


def _name(given: Any) -> str:
    if not isinstance(given, str) or shown_name(given) != given:
        raise PreregistrationError(
            "client_name must have 1 to 80 characters that can be seen, in one line"
        )
    return given


def _redirect_uris(given: Any, policy: RedirectPolicy) -> tuple[str, ...]:
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_URIS:
        raise PreregistrationError(f"redirect_uris must be a list of 1 to {MAX_URIS} URIs")
    for text in given:
        if not isinstance(text, str):
            raise PreregistrationError("redirect_uris must be strings")
        try:
            uri = parse_redirect_uri(text)
        except RedirectUriError as error:
            raise PreregistrationError(f"redirect_uris: {error}") from error
        if policy.obstacle(uri) is Obstacle.OWN_ADDRESS:
            raise PreregistrationError("redirect_uris must not lead to this server itself")
    return tuple(dict.fromkeys(given))


def _auth_method(entry: dict[str, Any], *, confidential: bool) -> AuthMethod:
    # RFC 7591 2: without a method, it is Basic.
    method = entry.get("token_endpoint_auth_method", AuthMethod.BASIC.value)
    if method not in list(AuthMethod):
        raise PreregistrationError(
            f"token_endpoint_auth_method must be one of {', '.join(AuthMethod)}"
        )
    if (method == AuthMethod.NONE) is confidential:
        raise PreregistrationError(
            "it has a secret, so token_endpoint_auth_method must not be none"
            if confidential
            else "give it a client_secret_sha256 or a client_secret; without one it is a public "
            "client, and token_endpoint_auth_method must be none"
        )
    return AuthMethod(method)


def _secrets(entry: dict[str, Any]) -> tuple[bytes, ...]:
    plain, hashed = entry.get("client_secret"), entry.get("client_secret_sha256")
    if "client_secret" in entry and "client_secret_sha256" in entry:
        raise PreregistrationError("write either client_secret or client_secret_sha256")
    if "client_secret" in entry:
        return tuple(map(secret_digest, _texts(plain, "client_secret", _SECRET)))
    if "client_secret_sha256" in entry:
        return tuple(map(bytes.fromhex, _texts(hashed, "client_secret_sha256", _SHA256)))
    return ()


def _texts(given: Any, member: str, form: re.Pattern[str]) -> list[str]:
    """Return one text, or a list of two while a secret is changed."""
    texts = given if isinstance(given, list) else [given]
    if not 1 <= len(texts) <= MAX_SECRETS:
        raise PreregistrationError(f"{member} must be one secret, or a list of 1 or 2")
    if not all(isinstance(text, str) and form.fullmatch(text) for text in texts):
        raise PreregistrationError(
            "client_secret must have 32 to 256 ASCII characters without spaces, as from "
            "`openssl rand -hex 32`"
            if form is _SECRET
            else "client_secret_sha256 must have 64 hexadecimal digits in lower case, as from "
            "`printf %s SECRET | sha256sum`"
        )
    return texts


def _quoted(member: str) -> str:
    """Return the name of a member, unless it is so long that it may be a misplaced secret."""
    return member if re.fullmatch(r"[a-z_]{1,31}", member) else "a member"
