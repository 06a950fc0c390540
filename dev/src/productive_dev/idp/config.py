"""What a dev IdP is made with."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in."""

    email: str
    name: str | None = None
    subject: str | None = None
    """The `sub`; opaque and made of the e-mail unless given."""
    email_verified: bool | None = True
    """None leaves the claim out."""
    claims: Mapping[str, Any] = field(default_factory=dict)
    """Further claims, such as `hd` or `groups`; they win over the standard ones."""
    disabled: bool = False
    """Signs in no more, and refreshes no more."""

    @property
    def sub(self) -> str:
        """Return the subject."""
        digest = hashlib.sha256(self.email.encode()).hexdigest()
        return self.subject or f"u-{digest[:16]}"


@dataclass(frozen=True, slots=True)
class IdpConfig:
    """The client it serves, the people it knows, and how it behaves while it is honest."""

    origin: str
    """Where it answers, such as http://127.0.0.1:9400; the issuer begins with it."""
    client_id: str
    client_secret: str
    redirect_uris: tuple[str, ...]
    users: Callable[[], Sequence[User]] = tuple
    """The people whose names the page offers; asked each time, so that a list may change."""
    anybody: bool = True
    """Whether an address that is not on the list may sign in as well."""
    control: bool = False
    """Whether /_faults and its neighbours exist."""
    issuer_parameter: bool = True
    """Whether the authorization answer has `iss` and discovery says so (RFC 9207)."""
    refresh_tokens: bool = False
    """Whether the token endpoint gives refresh tokens."""
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
