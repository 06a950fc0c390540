"""Strict reading of query strings and form bodies (application/x-www-form-urlencoded).

The usual readers forgive what must not be forgiven here: broken percent escapes, bytes that are
not UTF-8, control characters, the last of two values. Each reader of one request that forgives in
its own way is a way past a check.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.requests import Request

from productive_gateway.web.body import read_body
from productive_gateway.web.errors import BadRequest
from productive_gateway.web.headers import stripped

MAX_FIELDS: Final = 50

_RAW = re.compile(rb"(?:[!-$&-~]|%[0-9A-Fa-f]{2})*")
"""Printable ASCII with whole percent escapes only."""


class FormError(ValueError):
    """The text is no form that can be read in only one way; `str()` says why."""


@dataclass(frozen=True, slots=True)
class Form:
    """Parameters by name, each with every value it was sent with."""

    values: Mapping[str, tuple[str, ...]]

    def one(self, name: str) -> str | None:
        """Return the value of a parameter, None if it is absent or empty (RFC 6749 3.1).

        Of a repeated one it returns the first value: callers look at `repeated` before they act.
        """
        return next(iter(self.values.get(name, ())), "") or None

    def all(self, name: str) -> tuple[str, ...]:
        """Return the values of a parameter that are not empty."""
        return tuple(value for value in self.values.get(name, ()) if value)

    def repeated(self) -> frozenset[str]:
        """Return the names that appear more than once (RFC 6749 3.1: they must not)."""
        return frozenset(name for name, values in self.values.items() if len(values) > 1)


def parse_form(raw: bytes) -> Form:
    """Read a query string or form body.

    Raises:
        FormError: a broken escape, not UTF-8, a control character, or too many fields.
    """
    if not _RAW.fullmatch(raw):
        raise FormError("It has characters or percent escapes that are not allowed.")
    fields = [field for field in raw.split(b"&") if field]
    if len(fields) > MAX_FIELDS:
        raise FormError(f"It has more than {MAX_FIELDS} parameters.")
    values: dict[str, tuple[str, ...]] = {}
    for field in fields:
        name, _, value = field.partition(b"=")
        key = _text(name)
        values[key] = (*values.get(key, ()), _text(value))
    return Form(values)


def query_of(request: Request, *, limit: int) -> Form:
    """Read the query string of a request.

    Raises:
        BadRequest: it is longer than `limit` bytes (414), or malformed.
    """
    raw: bytes = request.scope["query_string"]
    if len(raw) > limit:
        raise BadRequest("The address is too long.", status=414)
    return _parsed(raw)


async def form_of(request: Request, *, limit: int) -> Form:
    """Read the form that a request posts.

    Raises:
        BadRequest: another content type (415), parameters in the address, malformed, or a body
            that `read_body` refuses.
        ClientDisconnect: the client went away meanwhile.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/x-www-form-urlencoded":
        raise BadRequest("Send the parameters as application/x-www-form-urlencoded.", status=415)
    if request.scope["query_string"]:
        # Addresses end up in logs and histories (RFC 6749 2.3.1, 3.2).
        raise BadRequest("Send the parameters in the body, not in the address.")
    return _parsed(await read_body(stripped(request.scope), request.receive, limit=limit))


def _parsed(raw: bytes) -> Form:
    try:
        return parse_form(raw)
    except FormError as error:
        raise BadRequest(f"The parameters cannot be read. {error}") from error


def _text(raw: bytes) -> str:
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise FormError("It is not UTF-8.") from error
    if any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in text):
        raise FormError("It has control characters.")
    return text
