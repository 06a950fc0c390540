"""From verified claims to the one thing that is used: the person's e-mail address.

An address is only as good as the party that vouches for it: with `claim`, the provider confirms it
each time (`email_verified`); with `issuer`, the provider is trusted to give out verified addresses
only. Some providers let people write any address into their profile, which is how accounts are
taken over (nOAuth), so neither is ever guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from productive_contract.email import EmailError, canonical_email
from productive_contract.secret import Secret
from productive_gateway.upstream.config import UpstreamConfig
from productive_gateway.upstream.errors import IdentityRefused

SHOWN: Final = 320
"""Characters of a refused address that its owner gets to see."""


@dataclass(frozen=True, slots=True)
class VerifiedIdentity:
    """Who signed in."""

    issuer: str
    subject: str
    email: str
    """Canonical."""
    refresh_token: Secret | None = None
    """Of the provider, if it gave one."""


@dataclass(frozen=True, slots=True)
class RenewedIdentity:
    """Whom the ID token of a refresh is about."""

    issuer: str
    subject: str
    email: str | None
    """Canonical; None if the token has no address."""


def require_claims(claims: dict[str, Any], config: UpstreamConfig) -> None:
    """Check the ID token's claims against OIDC_REQUIRED_CLAIMS.

    Only claims of the ID token count: they are signed, while any holder of an access token can ask
    for userinfo.

    Raises:
        IdentityRefused: one is absent or has another value.
    """
    for name, values in config.required_claims.items():
        # A list that contains the value is not the value: `["evil", "acme.com"]` proves nothing.
        if claims.get(name) not in values or not isinstance(claims.get(name), str):
            raise IdentityRefused(
                "Your account does not belong to the organization that this server is for. "
                "Sign in with your company account.",
                reason="required_claim",
                email=_shown(claims.get("email")),
            )


def may_be_confirmed(claims: dict[str, Any]) -> bool:
    """Whether another document may add what these claims lack: the address, or its confirmation."""
    return "email" not in claims or "email_verified" not in claims


def verified_email(source: dict[str, Any], trust: Literal["claim", "issuer"]) -> str:
    """Return the canonical address that the provider vouches for.

    Args:
        source: claims of the ID token, or of userinfo for the same subject.
        trust: whether the provider must confirm the address each time.

    Raises:
        IdentityRefused: there is none, it is not verified, or it cannot be matched.
    """
    email = source.get("email")
    if not isinstance(email, str):
        raise IdentityRefused(
            "The sign-in provider did not send your e-mail address. Ask your administrator to "
            "include it.",
            reason="email_missing",
        )
    # Only a literal `true` counts, not the text "true" and not 1. An explicit `false` counts even
    # from a trusted issuer.
    verified = source.get("email_verified")
    absent = "email_verified" not in source
    if verified is not True and not (absent and trust == "issuer"):
        raise IdentityRefused(
            "The sign-in provider does not confirm that this e-mail address is yours. Confirm the "
            "address there, or ask your administrator.",
            reason="email_unverified",
            email=_shown(email),
        )
    try:
        return canonical_email(email)
    except EmailError as error:
        raise IdentityRefused(
            f"Your e-mail address cannot be used here: {error}. Ask your administrator.",
            reason="email_form",
            email=_shown(email),
        ) from error


def renewed_email(claims: dict[str, Any]) -> str | None:
    """Return the canonical address in the ID token of a refresh, None if it has none.

    It was verified at the sign-in, and some providers confirm it there or in userinfo only. So its
    absence, or that of `email_verified`, is fine; an explicit false is not.

    Raises:
        IdentityRefused: it is no longer verified, or cannot be matched.
    """
    if "email" not in claims:
        return None
    return verified_email({"email_verified": True} | claims, "claim")


def _shown(email: object) -> str | None:
    if not isinstance(email, str):
        return None
    return "".join(character for character in email if character.isprintable())[:SHOWN] or None
