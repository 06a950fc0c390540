"""Responses that the endpoint sends itself: JSON errors with a message for people.

A challenge (RFC 6750 3, RFC 9728 5.1) is sent only where signing in, or allowing more, helps. A
failure of this server is 503, never 401: clients discard their tokens on 401 (design invariant 7).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from productive_gateway.errors import GatewayError, InvalidToken, TooManyRequests, Unavailable
from productive_gateway.mcp.config import McpConfig
from productive_gateway.mcp.message import MalformedMessage
from productive_gateway.people.scopes import ALL
from productive_gateway.web.errors import BadRequest
from productive_gateway.web.headers import RawHeaders
from productive_gateway.web.protective_headers import PROTECTIVE
from productive_gateway.web.whole_answer import BEGINNINGS, send_whole

SECURITY_HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    *(
        (name.encode(), value.encode())
        for name, value in PROTECTIVE.items()
        if name != "cache-control"
    ),
    (b"vary", b"Origin"),
)
"""On every response of the endpoint. Its cache-control depends on whether it streams."""
_OURS: Final = frozenset(
    {
        *(name for name, _ in SECURITY_HEADERS),
        *(b"cache-control", b"access-control-allow-origin", b"access-control-expose-headers"),
    }
)


@dataclass(frozen=True, slots=True)
class JsonPieces:
    """A successful response: JSON, in pieces."""

    body: tuple[bytes, ...]


class Refused(Exception):
    """The request is refused; `response` says why."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def refusal(
    status: int, error: str | None, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a JSON error with a message and, unless it is None, a code."""
    body = {"error": error} if error else {}
    return Response(
        json.dumps({**body, "error_description": message}, ensure_ascii=False),
        status_code=status,
        headers={"cache-control": "no-store", **(headers or {})},
        media_type="application/json",
    )


def no_token(config: McpConfig) -> Response:
    """Return the challenge for a request without a token: no error code (RFC 6750 3.1)."""
    message = (
        f"Sign in first: add {config.resource} to an MCP client, which opens the sign-in page."
    )
    return refusal(401, None, message, {"www-authenticate": _challenge(config)})


def insufficient_scope(config: McpConfig, tool: str) -> Response:
    """Return the challenge for a token that lacks a scope; it asks for all scopes at once."""
    message = f"{tool} needs more than this sign-in allows. Sign in again and allow changes too."
    challenge = _challenge(config, "insufficient_scope")
    return refusal(403, "insufficient_scope", message, {"www-authenticate": challenge})


def of_error(config: McpConfig, error: GatewayError | MalformedMessage) -> Response:
    """Return the response to a request that an error ended."""
    match error:
        case MalformedMessage():
            return JSONResponse(error.answer, 400)
        case TooManyRequests():
            headers = {"retry-after": str(error.retry_after)}
            return refusal(429, "too_many_requests", str(error), headers)
        case BadRequest():
            # After 408 the rest of the body may still come: the connection cannot be used again.
            closing = {"connection": "close"} if error.status == 408 else None
            return refusal(error.status, error.reason, str(error), closing)
        case InvalidToken():
            headers = {"www-authenticate": _challenge(config, "invalid_token")}
            return refusal(401, "invalid_token", str(error), headers)
        case Unavailable():
            headers = {"retry-after": str(error.retry_after)}
            # Why is for our logs; the reason names parts of the installation.
            return refusal(503, "temporarily_unavailable", str(error), headers)
        case _:
            # No challenge: the person is known, and signing in again would not help.
            return refusal(403, error.reason, str(error))


def with_security_headers(send: Send, origin: str | None) -> Send:
    """Return a `send` that adds the headers of every response."""
    extra = _extra_headers(origin)

    async def sending(message: Message) -> None:
        if message["type"] in BEGINNINGS:
            message = {**message, "headers": _complete(message.get("headers", ()), extra)}
        await send(message)

    return sending


async def send_response(
    response: Response | JsonPieces, scope: Scope, receive: Receive, send: Send, origin: str | None
) -> None:
    """Send a response of the endpoint with the headers of every response."""
    if isinstance(response, JsonPieces):
        await send_whole(scope, send, 200, _json_headers(origin), *response.body)
    elif response.body:
        own = [header for header in response.raw_headers if header[0] != b"content-length"]
        headers = _complete(own, _extra_headers(origin))
        await send_whole(scope, send, response.status_code, headers, bytes(response.body))
    else:
        await response(scope, receive, with_security_headers(send, origin))


@lru_cache(maxsize=16)
def _json_headers(origin: str | None) -> RawHeaders:
    return tuple(_complete([(b"content-type", b"application/json")], _extra_headers(origin)))


def _complete(own: RawHeaders, extra: RawHeaders) -> list[tuple[bytes, bytes]]:
    kept, fresh = [], b"no-store"
    for header in own:
        name = header[0].lower()
        if name not in _OURS:
            kept.append(header)
        if name == b"content-type" and header[1].startswith(b"text/event"):
            fresh = b"no-store, no-transform"
    return [*kept, (b"cache-control", fresh), *extra]


def _extra_headers(origin: str | None) -> RawHeaders:
    if origin is None:
        return SECURITY_HEADERS
    return (
        *SECURITY_HEADERS,
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", b"WWW-Authenticate, Retry-After"),
    )


def _challenge(config: McpConfig, error: str | None = None) -> str:
    code = f', error="{error}"' if error else ""
    scope = " ".join(ALL)
    return f'Bearer resource_metadata="{config.resource_metadata_url}", scope="{scope}"{code}'
