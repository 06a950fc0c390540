"""OAuth errors: the one table from what went wrong to the codes of the RFCs."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from starlette.responses import JSONResponse

from productive_gateway.errors import GatewayError, Unavailable
from productive_gateway.grants.errors import (
    InvalidGrant,
    InvalidScope,
    SubjectMismatch,
)
from productive_gateway.upstream.errors import IdentityRefused, UpstreamRefused


class Code(StrEnum):
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


class Refusal(GatewayError):
    """A request that breaks a rule of the protocol; `str()` says which, and what to do."""

    def __init__(self, code: Code, sentence: str, *, status: int | None = None) -> None:
        super().__init__(sentence, reason=code.value)
        self.code = code
        self.status = status or _STATUS.get(code, 400)


_STATUS: Final = {
    Code.INVALID_CLIENT: 401,
    Code.SERVER_ERROR: 500,
    Code.TEMPORARILY_UNAVAILABLE: 503,
}
# The first that fits: IdentityRefused is also an UpstreamRefused.
_TABLE: Final[tuple[tuple[type[GatewayError], Code], ...]] = (
    (InvalidGrant, Code.INVALID_GRANT),
    (InvalidTarget, Code.INVALID_TARGET),
    (InvalidScope, Code.INVALID_SCOPE),
    (Unavailable, Code.TEMPORARILY_UNAVAILABLE),
    (SubjectMismatch, Code.ACCESS_DENIED),
    (IdentityRefused, Code.ACCESS_DENIED),
    (UpstreamRefused, Code.SERVER_ERROR),
)


def code_of(error: GatewayError) -> Code:
    """Return the code under which a client learns of `error`."""
    if isinstance(error, Refusal):
        return error.code
    for kind, code in _TABLE:
        if isinstance(error, kind):
            return code
    return Code.SERVER_ERROR


def described(sentence: str) -> str:
    """Return a sentence in the characters that `error_description` may have (RFC 6749 5.2)."""
    return "".join(
        character if " " <= character <= "~" and character not in '"\\' else "'"
        for character in sentence
    )


def json_error(error: GatewayError, *, challenge: bool = False) -> JSONResponse:
    """Answer a client's request with an OAuth error.

    Args:
        error: what went wrong.
        challenge: the client used HTTP Basic, so a 401 names that scheme (RFC 6749 5.2).
    """
    code = code_of(error)
    status = error.status if isinstance(error, Refusal) else _STATUS.get(code, 400)
    headers: dict[str, str] = {"cache-control": "no-store"}
    if isinstance(error, Unavailable):
        headers["retry-after"] = str(error.retry_after)
    if status == 401 and challenge:
        headers["www-authenticate"] = 'Basic realm="productive-mcp"'
    body = {"error": code.value, "error_description": described(str(error))}
    return JSONResponse(body, status, headers=headers)
