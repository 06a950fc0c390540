"""Resource indicators (RFC 8707): tokens are for the one MCP endpoint of this deployment."""

from __future__ import annotations

from collections.abc import Sequence

from productive_gateway.oauth.errors import InvalidTarget


def require_resource(given: Sequence[str], canonical: str) -> str:
    """Return the canonical resource if it is the one asked for, or none is named.

    Clients of revision 2025-03-26 name none and mean the server they talk to.

    Raises:
        InvalidTarget: another resource is named, or several.
    """
    if not given:
        return canonical
    if len(given) > 1 or not same_resource(given[0], canonical):
        raise InvalidTarget
    return canonical


def same_resource(given: str, canonical: str) -> bool:
    """Return whether `given` names the canonical resource.

    Scheme and host are compared without regard to case (RFC 3986 6.2.2.1), all else byte by byte:
    a trailing slash, a port, a fragment or user information make another resource.
    """
    scheme, separator, rest = given.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}{separator}{host.lower()}{slash}{path}" == canonical
