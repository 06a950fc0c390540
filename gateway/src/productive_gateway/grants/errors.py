"""Why the token endpoint, /callback or the store says no.

GatewayError
 ├─ InvalidGrant       RFC 6749 5.2 `invalid_grant`: code or refresh token is no use any more
 ├─ InvalidTarget      RFC 8707 2 `invalid_target`: tokens for another resource
 ├─ InvalidScope       RFC 6749 6 `invalid_scope`: more than the person allowed, or nothing
 ├─ AlreadyCompleted   the transaction behind this /callback has its grant already
 ├─ SubjectMismatch    the e-mail belongs to another account of the provider
 └─ Unavailable
     └─ StoreFull      no room for a new grant (quota)

Sentences are ASCII without quotes, so that they fit into `error_description` (RFC 6749 5.2).
"""

from __future__ import annotations

from productive_gateway.errors import GatewayError, Unavailable


class InvalidGrant(GatewayError):
    """The code or refresh token is wrong, used up, expired or revoked; nothing was issued."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "This sign-in is not valid any more. Connect again and sign in.", reason=reason
        )


class InvalidTarget(GatewayError):
    """Tokens were asked for another resource than this server; nothing was changed."""

    def __init__(self) -> None:
        super().__init__(
            "The resource is not this server. Use the address that the protected resource "
            "metadata names, or leave the parameter out.",
            reason="wrong_resource",
        )


class InvalidScope(GatewayError):
    """A refresh asked for a scope that was not granted, or for none; nothing was changed."""

    def __init__(self) -> None:
        super().__init__(
            "A scope was asked for that this sign-in does not have. Ask for fewer, or connect "
            "again and allow it.",
            reason="wrong_scope",
        )


class AlreadyCompleted(GatewayError):
    """The same transaction came back from the upstream a second time."""

    def __init__(self) -> None:
        super().__init__(
            "This sign-in was already completed. Go back to the app that asked; if it is not "
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
    """The store takes no new grants; existing ones work on."""

    def __init__(self) -> None:
        super().__init__(
            "No new sign-ins can be stored just now. Try again later, and tell your administrator "
            "that the store of grants is full.",
            reason="store_full",
            retry_after=60,
        )


class Conflict(Exception):
    """A stored object was changed since it was read: read it again and decide anew."""


class Exists(Exception):
    """An object of that name is stored already."""


class Missing(Exception):
    """The object to change is not stored any more."""


class Expired(Exception):
    """The version to watch from is too old: list again."""
