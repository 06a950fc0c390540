"""Configuration of the authorization server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from productive_gateway.oauth.clients.redirect_policy import RedirectPolicy
from productive_gateway.web.loopback import LOOPBACK

MAX_QUERY: Final = 8 * 1024
"""Bytes of the query string of /authorize and /callback."""
MAX_FORM: Final = 16 * 1024
"""Bytes of the form that is posted to /authorize, /token and /revoke."""


@dataclass(frozen=True, slots=True)
class OAuthConfig:
    """Every URL here comes from the settings, never from Host or X-Forwarded-*."""

    public_url: str
    """Where browsers and clients reach the gateway, without a trailing slash; also the issuer."""
    resource: str
    """Canonical URL of the MCP endpoint."""
    redirects: RedirectPolicy
    """Where codes may be sent to."""
    admin_contact: str | None = None
    """Whom people are told to ask for access."""
    local: bool = False
    """Whether the gateway runs on one person's own machine."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.public_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("the public URL must be https://…, or http:// on this machine")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            # Without TLS there are no Secure cookies, and codes travel in the clear.
            raise ValueError("plain http is for localhost only; make the public URL https")
        if self.public_url.endswith("/") or parts.query or parts.fragment:
            raise ValueError("the public URL must have no trailing slash, query or fragment")

    @property
    def issuer(self) -> str:
        """Issuer identifier (RFC 8414 2), byte for byte as in metadata and answers."""
        return self.public_url

    @property
    def connections_url(self) -> str:
        """Where people see their connected apps."""
        return f"{self.public_url}/connections"

    @property
    def origin(self) -> str:
        """What browsers send as `Origin` from our own pages."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def host(self) -> str:
        """Host and port, for people to read."""
        return urlsplit(self.public_url).netloc

    @property
    def secure(self) -> bool:
        """Whether cookies can be Secure, and have the `__Host-` prefix."""
        return self.public_url.startswith("https:")
