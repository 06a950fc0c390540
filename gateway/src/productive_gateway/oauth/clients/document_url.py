"""A client_id that is the address of a document about the client: which addresses may be one.

Pure. Client ID Metadata Documents (draft-ietf-oauth-client-id-metadata-document-00) 3, and narrower
than it: one spelling of each address, so that no two parsers see two hosts in one of them, and no
name that only means something inside a network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from productive_gateway.oauth.clients.uri_syntax import (
    MAX_LENGTH,
    are_dns_labels,
    has_dot_segment,
    has_uri_characters,
)

SCHEME: Final = "https://"


class DocumentUrlError(ValueError):
    """No document is fetched from there; `str()` says why."""


@dataclass(frozen=True, slots=True)
class DocumentUrl:
    """The address of a document, and its parts."""

    text: str
    host: str
    target: str
    """Path and query."""


_URL = re.compile(
    r"https://(?P<host>[a-z0-9.-]{1,253})(?::443)?(?P<path>/[^?#]*)(?P<query>\?[^#]*)?"
)
_TOP_LABEL = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""It begins with a letter: 10.1, 127.0.0.1 and 1.0x7f are addresses to many resolvers."""
_INNER: Final = frozenset({"arpa", "internal", "local", "localhost", "onion", "svc"})
"""Last labels of names that are not in the public DNS (RFC 6761, RFC 6762, RFC 7686, RFC 8375), and
of a Service without the domain of its cluster; `cluster.local` is below `local`."""


def is_document_id(client_id: str) -> bool:
    """Whether a client_id is meant as the address of a document."""
    return client_id.startswith(SCHEME)


def parse_document_url(text: str) -> DocumentUrl:
    """Parse the address of a document.

    Raises:
        DocumentUrlError: no document is fetched from such an address.
    """
    if len(text) > MAX_LENGTH:
        raise DocumentUrlError(f"it must have at most {MAX_LENGTH} characters")
    if not has_uri_characters(text):
        raise DocumentUrlError("it must be written in the characters of RFC 3986")
    match = _URL.fullmatch(text)
    if match is None:
        raise DocumentUrlError(
            "it must be https://, a host in lower case, port 443, and a path, without user name "
            "and fragment"
        )
    path = match["path"]
    if path == "/" or has_dot_segment(path):
        raise DocumentUrlError("it must have a path, without . and ..")
    _check_host(match["host"])
    return DocumentUrl(text, match["host"], path + (match["query"] or ""))


def _check_host(host: str) -> None:
    labels = host.split(".")
    if len(labels) < 2 or not are_dns_labels(labels):
        raise DocumentUrlError("it must name a host as the public DNS does")
    if not _TOP_LABEL.fullmatch(labels[-1]) or labels[-1] in _INNER:
        raise DocumentUrlError("it must name a host of the public DNS, not an address")
