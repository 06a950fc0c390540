"""The resource parameter (RFC 8707) against the one resource there is."""

from __future__ import annotations


def same_resource(given: str, canonical: str) -> bool:
    """Whether `given` names the canonical resource.

    Scheme and host are compared without regard to case (RFC 3986 6.2.2.1), all else byte by byte:
    a trailing slash, a port, a fragment or user information make another resource.
    """
    scheme, separator, rest = given.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}{separator}{host.lower()}{slash}{path}" == canonical
