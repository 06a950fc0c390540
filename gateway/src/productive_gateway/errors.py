"""Errors that every layer of the gateway understands.

GatewayError
 ├─ Unavailable    our own trouble: HTTP 503 with Retry-After, never 401 or `invalid_grant`
 ├─ InvalidToken   the bearer is no use any more: HTTP 401 `invalid_token`
 └─ AccessDenied   the person is known and may not: HTTP 403 without a challenge

`str()` of each is a sentence that may be shown; `reason` is a short slug for logs and metrics.
"""

from __future__ import annotations


class GatewayError(Exception):
    """Root of the gateway's errors."""

    def __init__(self, sentence: str, *, reason: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class Unavailable(GatewayError):
    """Something on our side is away; the same request may succeed in `retry_after` seconds."""

    def __init__(self, sentence: str, *, reason: str, retry_after: int = 5) -> None:
        super().__init__(sentence, reason=reason)
        self.retry_after = retry_after


class InvalidToken(GatewayError):
    """The access token is malformed, expired, revoked, or its person is gone."""


class AccessDenied(GatewayError):
    """The person is known and may not act now (suspended)."""
