"""What the dev IdP remembers: codes, access tokens and refresh tokens."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SignedIn:
    """One sign-in, from the authorization request to the last refresh token."""

    email: str
    redirect_uri: str
    challenge: str
    nonce: str | None
    scope: str
    auth_time: int
    expires: float
    """When the code expires."""


@dataclass(slots=True)
class Memory:
    """Everything that was issued and can still be used."""

    _codes: dict[str, SignedIn] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)
    _access: dict[str, tuple[SignedIn, float]] = field(default_factory=dict)
    _refresh: dict[str, SignedIn] = field(default_factory=dict)

    def give_code(self, sign_in: SignedIn) -> str:
        """Return a code for a sign-in."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = sign_in
        return code

    def take_code(self, code: str) -> SignedIn | None:
        """Return the sign-in of a code once; a second use revokes its tokens (RFC 6749 4.1.2)."""
        if code in self._used:
            sign_in = self._codes[code]
            self._access = {k: v for k, v in self._access.items() if v[0] != sign_in}
            self._refresh = {k: v for k, v in self._refresh.items() if v != sign_in}
            return None
        if code not in self._codes:
            return None
        self._used.add(code)
        return self._codes[code]

    def give_access(self, sign_in: SignedIn, expires: float) -> str:
        """Return an access token for the userinfo endpoint."""
        token = secrets.token_urlsafe(24)
        self._access[token] = (sign_in, expires)
        return token

    def access(self, token: str, now: float) -> SignedIn | None:
        """Return the sign-in of a valid access token."""
        found = self._access.get(token)
        return None if found is None or found[1] <= now else found[0]

    def give_refresh(self, sign_in: SignedIn) -> str:
        """Return a refresh token."""
        token = secrets.token_urlsafe(24)
        self._refresh[token] = sign_in
        return token

    def take_refresh(self, token: str) -> SignedIn | None:
        """Return the sign-in of a refresh token; each one is good for a single use."""
        return self._refresh.pop(token, None)
