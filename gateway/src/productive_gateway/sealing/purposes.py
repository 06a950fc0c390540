"""What keys are used for: each purpose has a derived key of its own (RFC 5869, info)."""

from __future__ import annotations

from enum import StrEnum


class Purpose(StrEnum):
    """Names of the derived keys; renaming one breaks everything that was made with it."""

    CONSENT = "consent"
    """The parsed authorization request while its consent page is open."""
    TRANSACTION = "transaction"
    """The approved request, in the browser's cookie while the person is at the provider."""
    PERSON_SIGN_IN = "person-sign-in"
    """A sign-in for a page of the person's own, while they are at the provider."""
    PERSON = "person"
    """Who proved within the last minutes that they are this person themself."""
    CONNECTIONS = "connections"
    """A form of the page /connections."""
    CLIENT = "client"
    """Registration data inside a client_id."""
    CLIENT_SECRET = "client-secret"  # noqa: S105 (a name)
    CODE = "code"
    ACCESS = "access"
    REFRESH = "refresh"
    """Lets a replica reject an invented refresh token without asking the API server."""
    RECORD = "record"
    """The MAC over a stored grant."""
    RATCHET = "ratchet"
    """A refresh token's successor."""
    VERIFIER = "verifier"
    """PKCE verifier sent to the provider."""
    NONCE = "nonce"
    """OIDC nonce sent to the provider."""
    UPSTREAM = "upstream"
    """The provider's refresh token inside a grant."""
    CURSOR = "cursor"
    """The place in a list from which a tool's next page begins."""
    LEDGER = "ledger"
    """What a person's tool calls are writing."""
    UNDO = "undo"
    """The tags of an undo handle."""
    CONFIRM = "confirm"
    """A confirmation token, and what it is bound to."""
    AUDIT_EMAIL = "audit-email"
    """What audit lines write in place of an address."""
