"""Strict reading of query strings and form bodies (application/x-www-form-urlencoded).

The usual readers forgive what must not be forgiven here: broken percent escapes, bytes that are no
UTF-8, control characters, the last of two values. Each reader of one request that forgives in its
own way is a way past a check.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.requests import Request

from productive_gateway.oauth.errors import Code, Refusal

MAX_QUERY: Final = 8 * 1024
MAX_BODY: Final = 16 * 1024
MAX_FIELDS: Final = 50
BODY_SECONDS: Final = 30.0
"""Within which a whole body must arrive."""

_RAW = re.compile(rb"(?:[!-$&-~]|%[0-9A-Fa-f]{2})*")
"""Printable ASCII with whole percent escapes only."""


class FormError(ValueError):
    """The text is no form that can be read in only one way; `str()` is a sentence."""


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
        """Return the names that stand more than once (RFC 6749 3.1: they must not)."""
        return frozenset(name for name, values in self.values.items() if len(values) > 1)


def parse_form(raw: bytes) -> Form:
    """Read a query string or form body.

    Raises:
        FormError: a broken escape, no UTF-8, a control character, or too many fields.
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


def query_of(request: Request) -> Form:
    """Read the query string of a request.

    Raises:
        Refusal: it is too long (414) or malformed (400).
    """
    raw: bytes = request.scope["query_string"]
    if len(raw) > MAX_QUERY:
        raise Refusal(Code.INVALID_REQUEST, "The address is too long.", status=414)
    try:
        return parse_form(raw)
    except FormError as error:
        raise Refusal(
            Code.INVALID_REQUEST, f"The parameters cannot be read. {error}", status=400
        ) from error


async def body_of(request: Request, limit: int) -> bytes:
    """Read the body of a request, up to `limit` bytes and never more.

    Raises:
        Refusal: it is longer (413), packed (415), or too slow (408).
    """
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refusal(Code.INVALID_REQUEST, "Send the body without Content-Encoding.", status=415)
    raw = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                raw += chunk
                if len(raw) > limit:
                    raise Refusal(
                        Code.INVALID_REQUEST, f"The body is longer than {limit} bytes.", status=413
                    )
    except TimeoutError as error:
        sentence = "The request took too long to arrive. Send it again."
        raise Refusal(Code.INVALID_REQUEST, sentence, status=408) from error
    return bytes(raw)


async def form_of(request: Request) -> Form:
    """Read the form that a request posts.

    Raises:
        Refusal: another content type, parameters in the address, too long, or malformed.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/x-www-form-urlencoded":
        raise Refusal(
            Code.INVALID_REQUEST,
            "Send the parameters as application/x-www-form-urlencoded.",
            status=415,
        )
    if request.scope["query_string"]:
        # Addresses end up in logs and histories (RFC 6749 2.3.1, 3.2).
        raise Refusal(Code.INVALID_REQUEST, "Send the parameters in the body, not in the address.")
    try:
        return parse_form(await body_of(request, MAX_BODY))
    except FormError as error:
        raise Refusal(Code.INVALID_REQUEST, f"The parameters cannot be read. {error}") from error


def _text(raw: bytes) -> str:
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise FormError("It is not UTF-8.") from error
    if any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in text):
        raise FormError("It has control characters.")
    return text
