"""What a client may write into `scope` (RFC 6749 3.3), and what the consent page says about it."""

from __future__ import annotations

import re
from typing import Final

from productive_gateway.oauth.errors import ErrorCode, OAuthError
from productive_gateway.people.scopes import ALL, READ, WRITE

WORDS: Final = {
    READ: "See what you can see in Productive: projects, tasks, people, time, bookings, documents",
    WRITE: "Create and change what you can change in Productive, such as tasks and time entries",
}
"""What each scope lets a client do, in the words of the consent page."""

_SCOPE = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*")
_MAX_LENGTH: Final = 1000


def parse_scope(text: str | None) -> frozenset[str] | None:
    """Return the known scopes that are named; None if there are none.

    Unknown ones, such as `openid` or `offline_access` out of habit, are ignored (RFC 6749 3.3): the
    consent page and the token answer name what is given.

    Raises:
        OAuthError: the text is malformed.
    """
    if text is None:
        return None
    if len(text) > _MAX_LENGTH or not _SCOPE.fullmatch(text):
        raise OAuthError(
            ErrorCode.INVALID_SCOPE, f"The scope is malformed. Ask for {' '.join(ALL)}."
        )
    return (frozenset(text.split(" ")) & frozenset(ALL)) or None


def write_scope(scopes: frozenset[str]) -> str:
    """Write scopes in their fixed order."""
    return " ".join(scope for scope in ALL if scope in scopes)
