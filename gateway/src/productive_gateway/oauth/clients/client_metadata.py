"""Client metadata (RFC 7591 2), as far as they are the same in a registration and in a document.

No URL in them is fetched, and what is not needed is ignored: pages about the client, logos, key
sets and software statements.
"""

from __future__ import annotations

from typing import Any, Final

from productive_gateway.oauth.clients.redirect_uri import (
    RedirectKind,
    RedirectUriError,
    parse_redirect_uri,
)
from productive_gateway.oauth.errors import ErrorCode, OAuthError

GRANT_TYPES: Final = ("authorization_code", "refresh_token")
_FORBIDDEN_GRANTS: Final = frozenset({"implicit", "password"})
_PRIVATE_PARTS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def given_members(document: dict[str, Any]) -> dict[str, Any]:
    """Return the members of client metadata; a null one is as if left out (RFC 7592 2.2)."""
    return {name: value for name, value in document.items() if value is not None}


def read_redirect_uris(document: dict[str, Any], *, limit: int) -> tuple[str, ...]:
    """Return the redirect URIs, each once.

    Raises:
        OAuthError: there is none, there are more than `limit`, or one of them is not allowed.
    """
    given = document.get("redirect_uris")
    if not isinstance(given, list) or not 1 <= len(given) <= limit:
        raise wrong_uri(f"redirect_uris must be a list of 1 to {limit} URIs.")
    if not all(isinstance(uri, str) for uri in given):
        raise wrong_uri("redirect_uris must be strings.")
    try:
        kinds = {parse_redirect_uri(uri).kind for uri in given}
    except RedirectUriError as error:
        raise wrong_uri(f"One of redirect_uris is not allowed: {error}.") from error
    application = document.get("application_type")
    if application not in (None, "web", "native"):
        raise wrong("application_type must be web or native.")
    if application == "web" and kinds != {RedirectKind.WEB}:
        # OpenID Connect Registration 2. Clients that omit the type are exempt: many programs do.
        raise wrong_uri("A web application must have https redirect_uris only.")
    return tuple(dict.fromkeys(given))


def check_flows(document: dict[str, Any]) -> None:
    """Check that the client uses codes, and no flow that OAuth 2.1 removed.

    Raises:
        OAuthError: it does not.
    """
    grants = document.get("grant_types", ["authorization_code"])
    if not isinstance(grants, list) or "authorization_code" not in grants:
        raise wrong("grant_types must include authorization_code.")
    if any(not isinstance(grant, str) or grant in _FORBIDDEN_GRANTS for grant in grants):
        raise wrong("grant_types must be among " + " and ".join(GRANT_TYPES) + ".")
    # Others (device_code out of habit) are left out, as RFC 7591 2 allows.
    if document.get("response_types", ["code"]) != ["code"]:
        raise wrong("response_types must be code alone.")


def has_private_key(document: dict[str, Any]) -> bool:
    """Whether the key set in the metadata holds a private or a symmetric key."""
    jwks = document.get("jwks")
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list):
        return False
    return any(isinstance(key, dict) and not _PRIVATE_PARTS.isdisjoint(key) for key in keys)


def wrong(message: str) -> OAuthError:
    """Return the error of metadata that cannot be used (RFC 7591 3.2.2)."""
    return OAuthError(ErrorCode.INVALID_CLIENT_METADATA, message)


def wrong_uri(message: str) -> OAuthError:
    """Return the error of redirect URIs that cannot be used (RFC 7591 3.2.2)."""
    return OAuthError(ErrorCode.INVALID_REDIRECT_URI, message)
