"""What the endpoints of the authorization server share."""

from __future__ import annotations

from dataclasses import dataclass, field

from productive_contract.clock import Clock, Entropy, system_clock, system_entropy
from productive_gateway.grants.service import Grants
from productive_gateway.oauth.clients.directory import Clients
from productive_gateway.oauth.config import OAuthConfig
from productive_gateway.oauth.cookies import Cookies
from productive_gateway.people.snapshot import People
from productive_gateway.sealing.keys import Keys
from productive_gateway.upstream.client import UpstreamClient
from productive_gateway.web.caller_address import CallerAddresses
from productive_gateway.web.limits import UNLIMITED, Limits


@dataclass(frozen=True, slots=True)
class OAuthContext:
    """Put together once, by the composition root."""

    config: OAuthConfig
    keys: Keys
    grants: Grants
    people: People
    upstream: UpstreamClient
    clients: Clients
    clock: Clock = system_clock
    entropy: Entropy = system_entropy
    addresses: CallerAddresses = CallerAddresses(())  # noqa: RUF009 (immutable)
    limits: Limits = field(default_factory=lambda: Limits.of(UNLIMITED))

    @property
    def cookies(self) -> Cookies:
        """How cookies are written under this public URL."""
        return Cookies(self.config.secure)
