"""The provider's rules, without HTTP: who signs in, which codes are valid, what a token holds."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from productive_dev.idp.config import IdpConfig, User
from productive_dev.idp.faults import FaultStore
from productive_dev.idp.keys import SigningKeys
from productive_dev.idp.memory import Memory, SignedIn
from productive_dev.idp.minting import at_hash, id_token

OFFLINE: Final = "offline_access"
"""Asks for a refresh token (OpenID Connect Core 11)."""
SCOPES: Final = ("openid", "email", "profile", "groups", OFFLINE)
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class OAuthError(Exception):
    """An error of RFC 6749: its code, and a message as `str()`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class Provider:
    """One provider for one client."""

    config: IdpConfig
    keys: SigningKeys = field(default_factory=SigningKeys)
    faults: FaultStore = field(default_factory=FaultStore)
    memory: Memory = field(default_factory=Memory)
    overrides: dict[str, User] = field(default_factory=dict)
    """People that a test changed, by e-mail."""

    def discovery(self) -> dict[str, Any]:
        """Return the discovery document (OpenID Connect Discovery 3)."""
        issuer = self.config.issuer
        return {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorization",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/jwks",
            "userinfo_endpoint": f"{issuer}/userinfo",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": list(SCOPES),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": self.config.issuer_parameter,
        }

    def find(self, email: str) -> User | None:
        """Return the person of an address, or None if that person may not sign in."""
        known = {user.account: user for user in self.config.users()} | self.overrides
        typed = User(email)
        user = known.get(typed.account, typed if self.config.anybody and "@" in email else None)
        return None if user is None or user.disabled else user

    def check_client(self, parameters: Mapping[str, str]) -> None:
        """Check that errors may be redirected to the client.

        Raises:
            OAuthError: the client or the redirect URI is not the registered one.
        """
        if parameters.get("client_id") != self.config.client_id:
            raise OAuthError("invalid_client", "The client_id is not the one this IdP serves.")
        if parameters.get("redirect_uri") not in self.config.redirect_uris:
            raise OAuthError("invalid_request", "The redirect_uri is not registered here.")

    def check_request(self, parameters: Mapping[str, str]) -> None:
        """Check the rest of an authorization request.

        Raises:
            OAuthError: it is not a code request with PKCE S256 and the scope openid.
        """
        if parameters.get("response_type") != "code":
            raise OAuthError("unsupported_response_type", "Only response_type=code is supported.")
        if "openid" not in parameters.get("scope", "").split():
            raise OAuthError("invalid_scope", "The scope openid is missing.")
        if parameters.get("code_challenge_method") != "S256":
            raise OAuthError("invalid_request", "PKCE with code_challenge_method=S256 is required.")
        if not _CHALLENGE.fullmatch(parameters.get("code_challenge", "")):
            raise OAuthError("invalid_request", "The code_challenge is not an S256 challenge.")

    def sign_in(self, user: User, parameters: Mapping[str, str]) -> str:
        """Return a code for a person who signed in."""
        now = self.config.clock()
        return self.memory.give_code(
            SignedIn(
                email=user.email,
                redirect_uri=parameters["redirect_uri"],
                challenge=parameters["code_challenge"],
                nonce=parameters.get("nonce"),
                scope=parameters["scope"],
                auth_time=int(now),
                expires=now + self.config.code_life,
            )
        )

    def authenticate_client(self, client_id: str | None, secret: str | None) -> None:
        """Check the client's credentials.

        Raises:
            OAuthError: `invalid_client`.
        """
        right = hmac.compare_digest((secret or "").encode(), self.config.client_secret.encode())
        if client_id != self.config.client_id or not right:
            raise OAuthError("invalid_client", "The client id or its secret is wrong.")

    def redeem(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Return the tokens of a code.

        Raises:
            OAuthError: `invalid_grant`: the code is unknown, used, expired or belongs to another
                redirect URI, or the verifier is wrong.
        """
        sign_in = self.memory.take_code(form.get("code", ""))
        if sign_in is None or sign_in.expires <= self.config.clock():
            raise OAuthError("invalid_grant", "The code is unknown, used or expired.")
        if form.get("redirect_uri") != sign_in.redirect_uri:
            raise OAuthError("invalid_grant", "The redirect_uri differs from that of the request.")
        verifier = form.get("code_verifier", "")
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if not _VERIFIER.fullmatch(verifier) or challenge != sign_in.challenge:
            raise OAuthError("invalid_grant", "The code_verifier does not match the challenge.")
        return self._tokens(sign_in, sign_in.nonce)

    def refresh(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Return new tokens, if the person may still sign in.

        Raises:
            OAuthError: `invalid_grant`.
        """
        sign_in = self.memory.take_refresh(form.get("refresh_token", ""))
        if sign_in is None or self.find(sign_in.email) is None:
            raise OAuthError("invalid_grant", "The refresh token was used, or its person is gone.")
        return self._tokens(sign_in, None)

    def claims(self, sign_in: SignedIn) -> dict[str, Any]:
        """Return the claims about a person, for userinfo and the ID token.

        Raises:
            OAuthError: `invalid_grant`: the person may no longer sign in.
        """
        user = self.find(sign_in.email)
        if user is None:
            raise OAuthError("invalid_grant", "This person may no longer sign in.")
        claims: dict[str, Any] = {"sub": user.sub, "email": user.email}
        if user.email_verified is not None:
            claims["email_verified"] = user.email_verified
        if user.name is not None and "profile" in sign_in.scope.split():
            claims["name"] = user.name
        return claims | dict(user.claims)

    def _tokens(self, sign_in: SignedIn, nonce: str | None) -> dict[str, Any]:
        now = int(self.config.clock())
        expires = now + self.config.token_life
        access = self.memory.give_access(sign_in, expires)
        claims = {
            "iss": self.config.issuer,
            "aud": self.config.client_id,
            "iat": now,
            "exp": expires,
            "auth_time": sign_in.auth_time,
            "at_hash": at_hash(access),
            **self.claims(sign_in),
        }
        if nonce is not None:
            claims["nonce"] = nonce
        answer = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.config.token_life,
            "scope": sign_in.scope,
            "id_token": id_token(
                claims,
                self.keys.current,
                client_secret=self.config.client_secret,
                fault=self.faults.take_token(),
            ),
        }
        if self.config.refresh_tokens or OFFLINE in sign_in.scope.split():
            answer["refresh_token"] = self.memory.give_refresh(sign_in)
        return answer
