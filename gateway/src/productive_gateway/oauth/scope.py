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


def parse_scope(text: str | None) -> frozenset[str]:
    """Return the scopes that are asked for; all of them when none is named.

    Unknown ones, such as `offline_access` out of habit, are left out: the consent page and the
    token answer name what is given.

    Raises:
        OAuthError: the text is malformed, or names no scope that exists.
    """
    if text is None:
        return frozenset(ALL)
    if len(text) > _MAX_LENGTH or not _SCOPE.fullmatch(text):
        raise _invalid("The scope is malformed.")
    known = frozenset(text.split(" ")) & frozenset(ALL)
    if not known:
        raise _invalid("None of these scopes exists.")
    return known


def write_scope(scopes: frozenset[str]) -> str:
    """Write scopes in their fixed order."""
    return " ".join(scope for scope in ALL if scope in scopes)


def _invalid(message: str) -> OAuthError:
    return OAuthError(ErrorCode.INVALID_SCOPE, f"{message} Ask for {' '.join(ALL)}.")
