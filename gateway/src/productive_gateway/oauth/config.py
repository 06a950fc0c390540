"""What the settings decide about the authorization server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class OAuthConfig:
    """Every URL here comes from the settings: Host and X-Forwarded-* build none."""

    public_url: str
    """Where browsers and clients reach the gateway, without a trailing slash; also the issuer."""
    resource: str
    """Canonical URL of the MCP endpoint."""
    redirect_hosts: tuple[str, ...] | Literal["*"] = "*"
    """Hosts that a client's https redirect may have; loopback always may."""
    admin_contact: str | None = None
    """Whom people ask for access."""
    local: bool = False

    def __post_init__(self) -> None:
        parts = urlsplit(self.public_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("the public URL must be https://…, or http:// on this machine")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK_NAMES:
            # Without TLS there are no Secure cookies, and codes travel in the clear.
            raise ValueError("plain http is for localhost only; make the public URL https")
        if self.public_url.endswith("/") or parts.query or parts.fragment:
            raise ValueError("the public URL must have no trailing slash, query or fragment")

    @property
    def issuer(self) -> str:
        """Issuer identifier (RFC 8414 2), byte for byte as in metadata and answers."""
        return self.public_url

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
    def callback_url(self) -> str:
        """The redirect URI that is registered at the provider."""
        return f"{self.public_url}/callback"

    @property
    def secure(self) -> bool:
        """Whether cookies can be Secure, and have the `__Host-` prefix."""
        return self.public_url.startswith("https:")
