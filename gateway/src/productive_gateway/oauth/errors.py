"""OAuth errors: the one table from what went wrong to the codes of the RFCs."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from productive_gateway.errors import GatewayError, TooManyRequests, Unavailable
from productive_gateway.grants.errors import (
    InvalidGrant,
    InvalidScope,
    SubjectMismatch,
)
from productive_gateway.upstream.errors import IdentityRefused, UpstreamRefused
from productive_gateway.web.errors import BadRequest


class ErrorCode(StrEnum):
    """Values of `error`: RFC 6749 4.1.2.1, 5.2; RFC 7591 3.2.2; RFC 8707 2; OIDC Core 3.1.2.6."""

    INVALID_REQUEST = "invalid_request"
    INVALID_CLIENT = "invalid_client"
    INVALID_GRANT = "invalid_grant"
    INVALID_SCOPE = "invalid_scope"
    INVALID_TARGET = "invalid_target"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    ACCESS_DENIED = "access_denied"
    SERVER_ERROR = "server_error"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"
    LOGIN_REQUIRED = "login_required"
    REQUEST_NOT_SUPPORTED = "request_not_supported"
    REQUEST_URI_NOT_SUPPORTED = "request_uri_not_supported"
    INVALID_REDIRECT_URI = "invalid_redirect_uri"
    INVALID_CLIENT_METADATA = "invalid_client_metadata"


class InvalidTarget(GatewayError):
    """Tokens were asked for another resource than this server; nothing was changed."""

    def __init__(self) -> None:
        super().__init__(
            "The resource is not this server. Use the address that the protected resource "
            "metadata names, or leave the parameter out.",
            reason="wrong_resource",
        )


class OAuthError(GatewayError):
    """A request that breaks a rule of the protocol; `str()` says which, and what to do."""

    def __init__(self, code: ErrorCode, message: str, *, status: int | None = None) -> None:
        super().__init__(message, reason=code.value)
        self.code = code
        self.status = status or _STATUS.get(code, 400)


_STATUS: Final = {
    ErrorCode.INVALID_CLIENT: 401,
    ErrorCode.SERVER_ERROR: 500,
    ErrorCode.TEMPORARILY_UNAVAILABLE: 503,
}
# The first that fits: IdentityRefused is also an UpstreamRefused.
_TABLE: Final[tuple[tuple[type[GatewayError], ErrorCode], ...]] = (
    (BadRequest, ErrorCode.INVALID_REQUEST),
    (InvalidGrant, ErrorCode.INVALID_GRANT),
    (InvalidTarget, ErrorCode.INVALID_TARGET),
    (InvalidScope, ErrorCode.INVALID_SCOPE),
    (TooManyRequests, ErrorCode.TEMPORARILY_UNAVAILABLE),
    (Unavailable, ErrorCode.TEMPORARILY_UNAVAILABLE),
    (SubjectMismatch, ErrorCode.ACCESS_DENIED),
    (IdentityRefused, ErrorCode.ACCESS_DENIED),
    (UpstreamRefused, ErrorCode.SERVER_ERROR),
)


def code_of(error: GatewayError) -> ErrorCode:
    """Return the code under which a client learns of `error`."""
    if isinstance(error, OAuthError):
        return error.code
    for kind, code in _TABLE:
        if isinstance(error, kind):
            return code
    return ErrorCode.SERVER_ERROR


def status_of(error: GatewayError) -> int:
    """Return the HTTP status under which a client learns of `error`."""
    if isinstance(error, OAuthError | BadRequest):
        return error.status
    if isinstance(error, TooManyRequests):
        return 429  # RFC 6585 4: OAuth has no code of its own for it
    return _STATUS.get(code_of(error), 400)


def described(message: str) -> str:
    """Return a message in the characters that `error_description` may have (RFC 6749 5.2)."""
    return "".join(
        character if " " <= character <= "~" and character not in '"\\' else "'"
        for character in message
    )
