"""JSON documents from outside: bounded, fetched without redirects, read strictly.

Two readers of one document must not see two things: duplicate names and the constants that JSON
does not have (NaN, Infinity) are refused wherever a document decides about access.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

import httpx

from productive_gateway.upstream.errors import UpstreamRefused, UpstreamUnavailable

MAX_BYTES: Final = 64 * 1024
SECONDS: Final = 5.0


class DocumentError(ValueError):
    """The text is no JSON object that can be read in only one way."""


def read_object(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in `raw`.

    Raises:
        DocumentError: not UTF-8, not JSON, not an object, a repeated name, or too deep.
    """
    try:
        document = json.loads(
            raw.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise DocumentError("it is not a JSON document, or repeats a name") from error
    if not isinstance(document, dict):
        raise DocumentError("it is not a JSON object")
    return document


async def fetch_object(
    http: httpx.AsyncClient, url: str, *, what: str, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """GET one JSON object of at most 64 KB within 5 s; a redirect is a failure.

    Args:
        http: a client that follows no redirects.
        url: where from.
        what: slug of the document, the first half of the reason of a failure.
        headers: further request headers.

    Raises:
        UpstreamUnavailable: no answer in time, 429 or 5xx.
        UpstreamRefused: any other answer that is not such a document.
    """
    # `identity`: the limit is then one on what is read, and no bomb can unpack.
    asked = {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
    try:
        async with asyncio.timeout(SECONDS), http.stream("GET", url, headers=asked) as response:
            if response.status_code == 429 or response.status_code >= 500:
                raise UpstreamUnavailable(
                    "The sign-in provider cannot answer at the moment; try again soon.",
                    reason=f"{what}_status_{response.status_code}",
                )
            if response.status_code != 200:
                raise _refused(what, f"status_{response.status_code}")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise _refused(what, "encoded")
            if not is_json(response.headers.get("content-type", "")):
                raise _refused(what, "content_type")
            raw = bytearray()
            async for chunk in response.aiter_raw():
                raw += chunk
                if len(raw) > MAX_BYTES:
                    raise _refused(what, "too_large")
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
        raise UpstreamUnavailable(
            "The sign-in provider does not answer; try again soon.", reason=f"{what}_unreachable"
        ) from error
    try:
        return read_object(bytes(raw))
    except DocumentError as error:
        raise _refused(what, "malformed") from error


def is_json(content_type: str) -> bool:
    """Whether a Content-Type names a JSON document (RFC 6839 structured suffix included)."""
    media = content_type.partition(";")[0].strip().lower()
    return media == "application/json" or (
        media.startswith("application/") and media.endswith("+json")
    )


def _refused(what: str, problem: str) -> UpstreamRefused:
    return UpstreamRefused(
        "The sign-in provider's answer cannot be read; ask the administrator to check its address.",
        reason=f"{what}_{problem}",
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands twice")
    return members


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
