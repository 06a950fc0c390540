"""Why a client with a metadata document is not served, in words for people."""

from __future__ import annotations

from typing import Final

from productive_gateway.errors import Unavailable
from productive_gateway.oauth.errors import ErrorCode, OAuthError

RETRY_SECONDS: Final = 30
"""For how long a failure is kept."""


class DocumentNotAllowed(OAuthError):
    """The rules of this server exclude the address, whatever is there; nothing was fetched."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(ErrorCode.INVALID_CLIENT, message)
        self.reason = reason


class DocumentRefused(OAuthError):
    """The document cannot be used; what is wrong with it is in the log only."""

    def __init__(self, host: str, *, reason: str) -> None:
        if reason == "document_private_key_jwt":
            why = "proves itself with a key of its own (private_key_jwt), which this server does "
            why += "not support"
        else:
            why = f"describes itself at {host}, and this server cannot use that description"
        super().__init__(
            ErrorCode.INVALID_CLIENT,
            f"This app {why}. Update the app and connect it again, or tell its maker; the "
            "reason is in the log of this server.",
        )
        self.reason = reason


def document_unavailable(host: str, *, reason: str) -> Unavailable:
    """Return the error of a document that cannot be fetched at the moment."""
    return Unavailable(
        f"The description of this app at {host} cannot be fetched at the moment.",
        reason=reason,
        retry_after=RETRY_SECONDS,
    )


def document_unusable(error: DocumentRefused) -> Unavailable:
    """Return what a refused document means to a client that holds tokens: try again later."""
    return Unavailable(
        "The description of this client cannot be used at the moment. Its tokens stay as they are.",
        reason=error.reason,
        retry_after=RETRY_SECONDS,
    )
