"""Metadata of the authorization server (RFC 8414) and of the protected resource (RFC 9728).

They name only what exists: clients rely on every name in these documents.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from productive_gateway.oauth.clients.client import AuthMethod, ClientKind
from productive_gateway.oauth.clients.client_metadata import GRANT_TYPES
from productive_gateway.oauth.config import OAuthConfig
from productive_gateway.people.scopes import ALL

SERVER_PATH = "/.well-known/oauth-authorization-server"
OPENID_PATH = "/.well-known/openid-configuration"
RESOURCE_PATH = "/.well-known/oauth-protected-resource"


def server_metadata(config: OAuthConfig, kinds: frozenset[ClientKind]) -> dict[str, Any]:
    """Return the authorization server metadata (RFC 8414 2).

    Args:
        config: has the addresses.
        kinds: of clients that may connect.
    """
    base = config.public_url
    # A client with a metadata document has no secret.
    only_public = kinds <= {ClientKind.METADATA_DOCUMENT}
    methods = [AuthMethod.NONE.value] if only_public else [method.value for method in AuthMethod]
    metadata: dict[str, Any] = {
        "issuer": config.issuer,
        "authorization_endpoint": f"{base}/authorize",
        "token_endpoint": f"{base}/token",
        "revocation_endpoint": f"{base}/revoke",
        "scopes_supported": list(ALL),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "protected_resources": [config.resource],
    }
    if ClientKind.REGISTERED in kinds:
        metadata["registration_endpoint"] = f"{base}/register"
    if ClientKind.METADATA_DOCUMENT in kinds:
        metadata["client_id_metadata_document_supported"] = True
    return metadata


def resource_metadata(config: OAuthConfig) -> dict[str, Any]:
    """Return the protected resource metadata (RFC 9728 2)."""
    return {
        "resource": config.resource,
        "authorization_servers": [config.issuer],
        "scopes_supported": list(ALL),
        "bearer_methods_supported": ["header"],
        "resource_name": "Productive",
    }


def resource_metadata_url(config: OAuthConfig) -> str:
    """Return the URL that a 401 of the MCP endpoint names (RFC 9728 3.1: inserted after the host).

    Under a path prefix it stays below the prefix, because an ingress forwards nothing else; clients
    take the URL from the challenge and do not build it.
    """
    path = urlsplit(config.resource).path.removeprefix(urlsplit(config.public_url).path)
    return f"{config.public_url}{RESOURCE_PATH}{path}"


def server_paths(config: OAuthConfig) -> tuple[str, ...]:
    """Return the paths of the server metadata: plain, and before a prefix (RFC 8414 3.1)."""
    prefix = urlsplit(config.public_url).path
    plain = (SERVER_PATH, OPENID_PATH)
    return (*plain, *(f"{path}{prefix}" for path in plain if prefix))


def resource_paths(config: OAuthConfig) -> tuple[str, ...]:
    """Return the paths of the resource metadata: the root, and those with the endpoint's path."""
    full = urlsplit(config.resource).path
    inner = full.removeprefix(urlsplit(config.public_url).path)
    return tuple(
        dict.fromkeys((RESOURCE_PATH, f"{RESOURCE_PATH}{inner}", f"{RESOURCE_PATH}{full}"))
    )
