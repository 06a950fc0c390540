"""The syntax that redirect URIs and addresses of client documents share: narrower than RFC 3986.

Pure. One spelling, one meaning: no browser, server or library may read such a URI in another way
than we do.
"""

from __future__ import annotations

import re
from typing import Final

MAX_LENGTH: Final = 512
"""Characters: an approved request has to fit into a cookie."""

_TEXT = re.compile(r"[!#-;=?-\[\]_a-z~]+")
r"""RFC 3986 2: no space, control, quote, `<>\^{}|`, backtick, and nothing outside ASCII."""
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_DOT_SEGMENT = re.compile(r"(?:^|/)(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)


def has_uri_characters(text: str) -> bool:
    """Whether it consists of the characters of RFC 3986 2, with complete percent escapes."""
    return _TEXT.fullmatch(text) is not None and _BROKEN_ESCAPE.search(text) is None


def are_dns_labels(labels: list[str]) -> bool:
    """Whether each is a label of a DNS name, in lower case (RFC 1123 2.1)."""
    return all(map(_LABEL.fullmatch, labels))


def has_dot_segment(path: str) -> bool:
    """Whether a segment is `.` or `..`, escaped or not: resolving it would change the path."""
    return _DOT_SEGMENT.search(path) is not None
