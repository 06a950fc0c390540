"""The configuration of a dev IdP."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class User:
    """A person who may sign in."""

    email: str
    name: str | None = None
    subject: str | None = None
    """The `sub`; an opaque value derived from the e-mail, in any case, unless given."""
    email_verified: bool | None = True
    """None omits the claim."""
    claims: Mapping[str, Any] = field(default_factory=dict)
    """Further claims, such as `hd` or `groups`; they override the standard ones."""
    disabled: bool = False
    """The person can neither sign in nor refresh any more."""

    @property
    def account(self) -> str:
        """Return what identifies the account: the e-mail, whose case makes no difference."""
        return self.email.lower()

    @property
    def sub(self) -> str:
        """Return the subject."""
        digest = hashlib.sha256(self.account.encode()).hexdigest()
        return self.subject or f"u-{digest[:16]}"


@dataclass(frozen=True, slots=True)
class IdpConfig:
    """The client that it serves, the people that it knows, and how it behaves without faults."""

    origin: str
    """Where it answers, such as http://127.0.0.1:9400; the issuer begins with it."""
    client_id: str
    client_secret: str
    redirect_uris: tuple[str, ...]
    users: Callable[[], Sequence[User]] = tuple
    """Returns the people whom the page lists; called each time, so that the list may change."""
    anybody: bool = True
    """Whether an address that is not listed may sign in too."""
    control: bool = False
    """Whether /_faults and the other endpoints for tests exist."""
    issuer_parameter: bool = True
    """Whether authorization responses have `iss`, and discovery announces it (RFC 9207)."""
    refresh_tokens: bool = False
    """Whether every sign-in gets a refresh token; otherwise those that ask for `offline_access`."""
    code_life: int = 60
    token_life: int = 300
    clock: Callable[[], float] = time.time

    @property
    def base_path(self) -> str:
        """Return the issuer's path, the one that Cloudflare Access uses."""
        return f"/cdn-cgi/access/sso/oidc/{self.client_id}"

    @property
    def issuer(self) -> str:
        """Return the issuer: with a path, so that discovery cannot be guessed from the host."""
        return self.origin + self.base_path
