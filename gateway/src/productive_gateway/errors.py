"""Errors that every layer of the gateway understands.

GatewayError
 ├─ Unavailable      a fault on our side: HTTP 503 with Retry-After, never 401 or `invalid_grant`
 ├─ TooManyRequests  a limit was hit: HTTP 429 with Retry-After
 ├─ InvalidToken     the bearer token is no longer good: HTTP 401 `invalid_token`
 └─ AccessDenied     the person is known and has no access now: HTTP 403 without a challenge

`str()` of each is a message that may be shown; `reason` is a short slug for logs and metrics.
"""

from __future__ import annotations


class GatewayError(Exception):
    """Root of the gateway's errors."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class Unavailable(GatewayError):
    """Something on our side is away; the same request may succeed in `retry_after` seconds."""

    def __init__(self, message: str, *, reason: str, retry_after: int = 5) -> None:
        super().__init__(message, reason=reason)
        self.retry_after = retry_after


class TooManyRequests(GatewayError):
    """More than a limit allows; the same request is answered again in `retry_after` seconds."""

    def __init__(self, message: str, *, reason: str, retry_after: int) -> None:
        super().__init__(message, reason=reason)
        self.retry_after = retry_after


class InvalidToken(GatewayError):
    """The access token is malformed, expired, revoked, or its person is gone."""


class AccessDenied(GatewayError):
    """The person is known and has no access now (suspended)."""
