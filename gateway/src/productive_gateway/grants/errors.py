"""Why a code, a token or a sign-in is refused, and what a store reports.

GatewayError
 ├─ InvalidToken       an access token is refused; its reason is one of `TokenFault`
 ├─ InvalidGrant       RFC 6749 5.2 `invalid_grant`: the code or refresh token is no longer valid
 ├─ InvalidScope       RFC 6749 6 `invalid_scope`: more than the person allowed, or nothing
 ├─ AlreadyCompleted   the transaction of this /callback has its grant already
 ├─ SubjectMismatch    the e-mail address belongs to another account of the provider
 └─ Unavailable
     └─ StoreFull      there is no room for a new grant (quota)

Messages are ASCII without quotes, so that they fit into `error_description` (RFC 6749 5.2).
"""

from __future__ import annotations

from enum import StrEnum

from productive_gateway.errors import GatewayError, InvalidToken, Unavailable


class TokenFault(StrEnum):
    """Why an access token is refused, as far as token and grant go."""

    MALFORMED = "malformed"
    """Not a token of this resource, or sealed with a key that the ring no longer holds."""
    EXPIRED = "expired"
    OLD_EPOCH = "old_epoch"
    """Everything of its time was ended by raising the epoch of the key ring."""
    GRANT_GONE = "grant_gone"
    GRANT_PENDING = "grant_pending"
    """The grant's code was not redeemed, so no access token of it can exist."""
    GRANT_TAMPERED = "grant_tampered"
    """The stored grant is not as this gateway wrote it."""
    GRANT_FOREIGN = "grant_foreign"
    """The stored grant is authenticated with a key that the ring does not hold."""


def invalid_token(fault: TokenFault) -> InvalidToken:
    """Return the error for an access token with this fault."""
    return InvalidToken(
        "This access token is no longer valid. Refresh it, or connect again and sign in.",
        reason=fault.value,
    )


class InvalidGrant(GatewayError):
    """The code or refresh token is wrong, used up, expired or revoked; nothing was issued."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "This sign-in is no longer valid. Connect again and sign in.", reason=reason
        )


class InvalidScope(GatewayError):
    """A refresh asked for a scope that was not granted, or for none; nothing was changed."""

    def __init__(self) -> None:
        super().__init__(
            "The request asks for a scope that this sign-in does not have. Ask for fewer, or "
            "connect again and allow it.",
            reason="wrong_scope",
        )


class AlreadyCompleted(GatewayError):
    """The same transaction came back from the upstream a second time."""

    def __init__(self) -> None:
        super().__init__(
            "This sign-in is already complete. Go back to the app that asked; if it is not "
            "connected, start again from there.",
            reason="already_completed",
        )


class SubjectMismatch(GatewayError):
    """Another account of the provider signed in with this e-mail address before."""

    def __init__(self) -> None:
        super().__init__(
            "This e-mail address belongs to another account of the sign-in provider. Ask your "
            "administrator: if the account was replaced, the subject binding must be deleted.",
            reason="subject_mismatch",
        )


class StoreFull(Unavailable):
    """The store takes no new grants; existing ones keep working."""

    def __init__(self) -> None:
        super().__init__(
            "No new sign-ins can be stored at the moment. Try again later, and tell your "
            "administrator that the store of grants is full.",
            reason="store_full",
            retry_after=60,
        )


class Changed(Exception):
    """The stored object changed since it was read: read it again and decide again."""


class Exists(Exception):
    """An object of that name is already stored."""


class Immutable(Exception):
    """Somebody made the stored object immutable, which nobody can undo: it can only be deleted."""


class Missing(Exception):
    """The object to change is no longer stored."""


def being_renewed() -> Unavailable:
    """Return the error of a refresh that waits for another one of the same sign-in in vain."""
    return Unavailable(
        "Another request is renewing this sign-in. Try again shortly.",
        reason="refresh_in_progress",
        retry_after=2,
    )
