"""JSON documents of the provider: bounded, fetched without redirects, read strictly."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import httpx

from productive_gateway.observability.outgoing import ProviderRequest
from productive_gateway.upstream.errors import UpstreamRefused, UpstreamUnavailable
from productive_gateway.web.json_object import JsonError, is_json, read_object

MAX_BYTES: Final = 64 * 1024
SECONDS: Final = 5.0


async def fetch_object(
    http: httpx.AsyncClient, url: str, *, what: str, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """GET one JSON object of at most 64 KB within 5 s; a redirect is a failure.

    Args:
        http: a client that follows no redirects.
        url: where from.
        what: slug of the document; the reason of a failure begins with it.
        headers: further request headers.

    Raises:
        UpstreamUnavailable: no answer in time, 429 or 5xx.
        UpstreamRefused: any other answer that is not such a document.
    """
    with ProviderRequest(what, UpstreamUnavailable):
        raw = await _fetch(http, url, what, headers or {})
        try:
            return read_object(raw)
        except JsonError as error:
            raise _refused(what, "malformed") from error


async def _fetch(http: httpx.AsyncClient, url: str, what: str, headers: Mapping[str, str]) -> bytes:
    # `identity`: the limit then bounds what is read, and no compressed bomb can unpack.
    asked = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
    try:
        async with asyncio.timeout(SECONDS), http.stream("GET", url, headers=asked) as response:
            if response.status_code == 429 or response.status_code >= 500:
                raise UpstreamUnavailable(
                    "The sign-in provider is currently unavailable. Try again soon.",
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
            "The sign-in provider does not answer. Try again soon.", reason=f"{what}_unreachable"
        ) from error
    return bytes(raw)


def _refused(what: str, problem: str) -> UpstreamRefused:
    return UpstreamRefused(
        "The sign-in provider's answer cannot be read. Ask the administrator to check its address.",
        reason=f"{what}_{problem}",
    )
