"""Answers that the endpoint gives itself: refusals in JSON, each with a sentence.

A challenge (RFC 6750 3, RFC 9728 5.1) stands only where signing in, or asking for more, helps. What
is our own trouble is 503: a client that is told 401 throws its tokens away (design invariant 7).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from productive_gateway.errors import GatewayError, InvalidToken, Unavailable
from productive_gateway.mcp.config import McpConfig
from productive_gateway.people.scopes import ALL

SECURITY_HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"vary", b"Origin"),
)
"""On every answer of the endpoint."""


class Refused(Exception):
    """The request is not served; `response` says why."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def refusal(
    status: int, error: str | None, sentence: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a JSON answer with a sentence, and a code where there is one."""
    body = {"error": error} if error else {}
    return Response(
        json.dumps({**body, "error_description": sentence}, ensure_ascii=False),
        status_code=status,
        headers={"cache-control": "no-store", **(headers or {})},
        media_type="application/json",
    )


def no_token(config: McpConfig) -> Response:
    """Return the challenge for a request without a token: no error code (RFC 6750 3.1)."""
    sentence = (
        f"Sign in first: add {config.resource} to an MCP client, which opens the sign-in page."
    )
    return refusal(401, None, sentence, {"www-authenticate": _challenge(config)})


def insufficient_scope(config: McpConfig, tool: str) -> Response:
    """Return the challenge for a token that lacks a scope: all scopes at once."""
    sentence = f"{tool} needs more than this sign-in allows. Sign in again and allow changes too."
    challenge = _challenge(config, "insufficient_scope")
    return refusal(403, "insufficient_scope", sentence, {"www-authenticate": challenge})


def of_error(config: McpConfig, error: GatewayError) -> Response:
    """Return the answer to a token that opens nothing."""
    headers: dict[str, str] = {}
    match error:
        case InvalidToken():
            headers["www-authenticate"] = _challenge(config, "invalid_token")
            return refusal(401, "invalid_token", str(error), headers)
        case Unavailable():
            headers["retry-after"] = str(error.retry_after)
            return refusal(503, error.reason, str(error), headers)
        case _:
            # The person is known and may not: signing in again would not help.
            return refusal(403, error.reason, str(error))


def _challenge(config: McpConfig, error: str | None = None) -> str:
    code = f', error="{error}"' if error else ""
    scope = " ".join(ALL)
    return f'Bearer resource_metadata="{config.resource_metadata_url}", scope="{scope}"{code}'
