"""Resource indicators (RFC 8707): tokens are for the one MCP endpoint of this deployment."""

from __future__ import annotations

from collections.abc import Sequence

from productive_gateway.grants.errors import InvalidTarget
from productive_gateway.grants.resource import same_resource


def require_resource(given: Sequence[str], canonical: str) -> str:
    """Return the canonical resource if it is what is asked for, or nothing is said.

    Clients of 2025-03-26 say nothing and mean the server they talk to.

    Raises:
        InvalidTarget: another resource, or several.
    """
    if not given:
        return canonical
    if len(given) > 1 or not same_resource(given[0], canonical):
        raise InvalidTarget
    return canonical
