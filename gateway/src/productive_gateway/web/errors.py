"""Why a request cannot be read."""

from __future__ import annotations

from productive_gateway.errors import GatewayError


class BadRequest(GatewayError):
    """The request breaks a rule of HTTP or a bound; `str()` says which, and what to send."""

    def __init__(self, message: str, *, status: int = 400, reason: str = "invalid_request") -> None:
        super().__init__(message, reason=reason)
        self.status = status
        """HTTP status of the answer."""
