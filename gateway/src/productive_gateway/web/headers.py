"""The raw headers of a request, read strictly.

Servers pass on the blanks around values, which RFC 9110 5.5 does not count as part of the value,
and folding repeated headers into one hides the repetition; so the list is cleaned and read here,
once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from starlette.types import Scope

from productive_gateway.errors import InvalidToken
from productive_gateway.web.errors import BadRequest

RawHeaders = Sequence[tuple[bytes, bytes]]


class Headers(list[tuple[bytes, bytes]]):
    """Headers of a request, which are looked up by name again and again. They never change."""

    __slots__ = ("by_name",)

    def __init__(self, raw: RawHeaders) -> None:
        """Take headers as received; blanks around their values go."""
        super().__init__([(name.lower(), value.strip(b" \t")) for name, value in raw])
        self.by_name: dict[bytes, list[bytes]] = {}
        for name, value in self:
            self.by_name.setdefault(name, []).append(value)


_BEARER: Final = re.compile(rb"bearer(?: +(.*))?", re.IGNORECASE | re.DOTALL)
_TOKEN: Final = re.compile(rb"[A-Za-z0-9\-._~+/]{1,4096}=*")
"""b64token of RFC 6750 2.1, of a length that one of our tokens can have."""
_NO_WEIGHT: Final = re.compile(r"q=0(?:\.0{0,3})?", re.IGNORECASE)
"""Weight of what must not be sent (RFC 9110 12.4.2)."""
_HOST: Final = re.compile(
    rb"(?:\[[0-9A-Za-z:.]+\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?"
)
"""Host of RFC 9110 7.2: uri-host and port of RFC 3986 3.2, which may both be empty."""


def has_valid_host(headers: RawHeaders, *, required: bool) -> bool:
    """Whether there is one Host header with a valid value, or none where none is required.

    Two servers may take a request with more for different hosts (RFC 9112 3.2).

    Args:
        headers: names in lower case, values as received.
        required: as in HTTP/1.1.
    """
    found = values(headers, b"host")
    if not found:
        return not required
    return len(found) == 1 and _HOST.fullmatch(found[0].strip(b" \t")) is not None


def has_other_codings(headers: RawHeaders) -> bool:
    """Whether the body has another transfer coding inside of the chunks, such as gzip.

    The parser reads the chunks, and would pass on what is in them as the body. A coding that it
    refuses itself is no other one: where chunked is not the last, or is there twice.

    Args:
        headers: names in lower case, values as received.
    """
    found = values(headers, b"transfer-encoding")
    if not found:
        return False
    named = [one.strip(b" \t").lower() for one in b",".join(found).split(b",")]
    codings = [one for one in named if one]
    return codings[-1:] == [b"chunked"] and any(one != b"chunked" for one in codings)


def stripped(scope: Scope) -> Headers:
    """Return the request's headers without blanks around their values."""
    return Headers(scope["headers"])


def values(headers: RawHeaders, name: bytes) -> list[bytes]:
    """Return all values of a header."""
    if isinstance(headers, Headers):
        return headers.by_name.get(name, [])
    return [value for key, value in headers if key == name]


def single(headers: RawHeaders, name: bytes) -> str | None:
    """Return the value of a header that is sent exactly once, else None."""
    found = values(headers, name)
    return found[0].decode("latin-1") if len(found) == 1 else None


def bearer(headers: RawHeaders) -> str | None:
    """Return the bearer token; None when the request carries none.

    Only the Authorization header counts: never the query, the body or a cookie.

    Raises:
        BadRequest: there are two of them, and which one counts must not be guessed.
        InvalidToken: what follows "Bearer" is not a token.
    """
    found = values(headers, b"authorization")
    if len(found) > 1:
        raise BadRequest("The request has more than one Authorization header. Send exactly one.")
    scheme = _BEARER.fullmatch(found[0]) if found else None
    if scheme is None:
        return None
    token = scheme[1] or b""
    if _TOKEN.fullmatch(token) is None:
        raise InvalidToken(
            "The Authorization header holds no access token. Sign in again.", reason="malformed"
        )
    return token.decode("ascii")


def accepts(headers: RawHeaders, media_type: str) -> bool:
    """Whether Accept names a media type as acceptable; wildcards do not count as naming it."""
    for value in values(headers, b"accept"):
        for part in value.decode("latin-1").split(","):
            named, _, parameters = part.partition(";")
            if named.strip().lower() == media_type and not _is_unwanted(parameters):
                return True
    return False


def _is_unwanted(parameters: str) -> bool:
    return any(_NO_WEIGHT.fullmatch(one.strip()) for one in parameters.split(";"))
