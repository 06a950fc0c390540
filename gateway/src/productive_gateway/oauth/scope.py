"""The two scopes, and what a client may write into `scope` (RFC 6749 3.3)."""

from __future__ import annotations

import re
from typing import Final

from productive_gateway.oauth.errors import Code, Refusal
from productive_gateway.people.scopes import ALL, READ, WRITE

WORDS: Final = {
    READ: "See what you can see in Productive: projects, tasks, people, time, bookings, documents",
    WRITE: "Create and change what you can change in Productive, such as tasks and time entries",
}
"""What each scope lets a client do, in the words of the consent page."""

_SCOPE = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*")
_MAX_LENGTH: Final = 1000


def parse_scope(text: str | None) -> frozenset[str]:
    """Return the scopes that are asked for; all of them when nothing is said.

    What we do not know, such as `offline_access` out of habit, is left out: the consent page and
    the token answer name what is given.

    Raises:
        Refusal: the text is malformed, or asks for nothing that there is.
    """
    if text is None:
        return frozenset(ALL)
    if len(text) > _MAX_LENGTH or not _SCOPE.fullmatch(text):
        raise Refusal(Code.INVALID_SCOPE, "The scope is malformed. Ask for " + " ".join(ALL) + ".")
    known = frozenset(text.split(" ")) & frozenset(ALL)
    if not known:
        raise Refusal(
            Code.INVALID_SCOPE, "None of these scopes exists. Ask for " + " ".join(ALL) + "."
        )
    return known


def write_scope(scopes: frozenset[str]) -> str:
    """Write scopes in their fixed order."""
    return " ".join(scope for scope in ALL if scope in scopes)
