"""Configuration of the provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from productive_contract.secret import Secret

AuthMethod = Literal["client_secret_basic", "client_secret_post"]

SCOPE = "openid email"
"""Only the address is used: no profile, no groups."""
OFFLINE_SCOPE = "offline_access"
"""OpenID Connect Core 11: asks for a refresh token."""
GOOGLE = "https://accounts.google.com"
"""The issuer that refuses this scope and has a parameter of its own instead."""


@dataclass(frozen=True, slots=True)
class UpstreamConfig:
    """One OIDC provider and our client there.

    Either all three endpoints are given (the Cloudflare Access form, in which the secret is sent in
    the form body) or none, and they are discovered from the issuer.
    """

    issuer: str
    """The provider's `iss`, byte for byte."""
    client_id: str
    client_secret: Secret
    authorization_url: str | None = None
    token_url: str | None = None
    jwks_url: str | None = None
    email_trust: Literal["claim", "issuer"] = "claim"
    """claim: `email_verified` must be true; issuer: it may be absent, because the issuer is trusted
    to verify addresses."""
    required_claims: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Claim of the ID token (`hd`, `tid`) → the values that are accepted."""
    auth_method: AuthMethod | None = None
    """How the secret is sent; by default as the metadata allow."""
    offline: bool = False
    """Whether to ask for a refresh token; one that comes without being asked for is used, too."""

    def __post_init__(self) -> None:
        given = [self.authorization_url, self.token_url, self.jwks_url]
        if any(given) and not all(given):
            raise ValueError("give all three endpoints of the provider, or none of them")

    @property
    def discovers(self) -> bool:
        """Whether the endpoints come from the discovery document."""
        return self.token_url is None
