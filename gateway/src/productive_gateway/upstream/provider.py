"""The provider's endpoints: as configured, or discovered and held to the rules.

OpenID Connect Discovery 1.0, section 4. The document is fetched when it is first needed, never at
start: a provider that is away must not keep the gateway from serving those who are signed in.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import httpx

from productive_contract.clock import Clock, system_clock
from productive_gateway.errors import GatewayError
from productive_gateway.upstream.config import UpstreamConfig
from productive_gateway.upstream.document import fetch_object
from productive_gateway.upstream.errors import UpstreamRefused, UpstreamUnavailable

FRESH: Final = 3600.0
STALE: Final = 24 * 3600.0
"""Seconds for which an older document still serves while a new one cannot be had."""
COOL_DOWN: Final = 30.0
"""Seconds between two attempts to have a newer document while an older one is at hand."""

AuthMethod = Literal["client_secret_post", "client_secret_basic"]


@dataclass(frozen=True, slots=True)
class Provider:
    """Where to go for what."""

    authorization_url: str
    token_url: str
    jwks_url: str
    userinfo_url: str | None
    auth_method: AuthMethod
    sends_iss: bool
    """Whether it announces RFC 9207, so that an answer without `iss` is not its own."""


class Discovery:
    """Holds the provider's endpoints, one hour at a time."""

    def __init__(
        self, config: UpstreamConfig, http: httpx.AsyncClient, *, clock: Clock = system_clock
    ) -> None:
        self._config = config
        self._http = http
        self._clock = clock
        self._lock = asyncio.Lock()
        self._found: tuple[Provider, float] | None = None
        self._attempts = 0
        """That came to their end."""
        self._tried = float("-inf")
        self._failure: GatewayError | None = None

    @property
    def trouble(self) -> str | None:
        """Why the last attempt failed, for the readiness detail; None when it succeeded."""
        return None if self._failure is None else str(self._failure)

    async def provider(self) -> Provider:
        """Return the endpoints.

        Raises:
            UpstreamUnavailable: the document cannot be had and none is at hand.
            UpstreamRefused: the document breaks a rule; `str()` names it.
        """
        if not self._config.discovers:
            return _configured(self._config)
        if self._found is not None and self._age() < FRESH:
            return self._found[0]
        attempts = self._attempts
        async with self._lock:
            # Whoever waited while another one asked gets what that one got: a provider in trouble
            # is not asked once per person, one slow failure after the other.
            if self._attempts == attempts and not self._waits():
                await self._discover()
            if self._found is not None and self._serves():
                return self._found[0]
            if self._failure is None:
                raise AssertionError("an attempt finds a document or fails")
            raise self._failure.with_traceback(None)

    def _age(self) -> float:
        return self._clock() - self._found[1] if self._found else float("inf")

    def _waits(self) -> bool:
        """Whether the document at hand has to do for now."""
        return self._found is not None and self._clock() - self._tried < COOL_DOWN

    def _serves(self) -> bool:
        """Whether the document at hand may be used, given how the last attempt ended."""
        if self._failure is None:
            return True
        return isinstance(self._failure, UpstreamUnavailable) and self._age() < STALE

    async def _discover(self) -> None:
        self._tried = self._clock()
        url = self._config.issuer.removesuffix("/") + "/.well-known/openid-configuration"
        try:
            document = await fetch_object(self._http, url, what="discovery")
            self._found = (read_discovery(document, self._config.issuer), self._clock())
        except (UpstreamUnavailable, UpstreamRefused) as error:
            self._failure = error
        else:
            self._failure = None
        self._attempts += 1


def read_discovery(document: dict[str, Any], issuer: str) -> Provider:
    """Take the endpoints out of a discovery document.

    Raises:
        UpstreamRefused: the document is another issuer's, or names an endpoint that is unsafe.
    """
    # Byte for byte: a document that any other host could serve must not choose our endpoints.
    if document.get("issuer") != issuer:
        raise UpstreamRefused(
            "The sign-in provider's discovery document names another issuer; OIDC_ISSUER must be "
            "exactly the provider's own.",
            reason="discovery_issuer_mismatch",
        )
    userinfo = document.get("userinfo_endpoint")
    return Provider(
        authorization_url=_endpoint(document, "authorization_endpoint", issuer),
        token_url=_endpoint(document, "token_endpoint", issuer),
        jwks_url=_endpoint(document, "jwks_uri", issuer),
        userinfo_url=None if userinfo is None else _endpoint(document, "userinfo_endpoint", issuer),
        auth_method=_auth_method(document.get("token_endpoint_auth_methods_supported")),
        sends_iss=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _configured(config: UpstreamConfig) -> Provider:
    return Provider(
        authorization_url=config.authorization_url or "",
        token_url=config.token_url or "",
        jwks_url=config.jwks_url or "",
        userinfo_url=None,
        auth_method="client_secret_post",
        sends_iss=False,
    )


def _endpoint(document: dict[str, Any], name: str, issuer: str) -> str:
    url = document.get(name)
    if not isinstance(url, str) or not _safe(url, issuer):
        raise UpstreamRefused(
            f"The sign-in provider's discovery document has no https {name}; ask the provider's "
            "administrator.",
            reason=f"discovery_{name}",
        )
    return url


def _safe(url: str, issuer: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(parts.hostname)
    # Plain http is for a provider on this very machine, and only if the issuer is one itself.
    own = urlsplit(issuer)
    return (parts.scheme, parts.netloc) == ("http", own.netloc) and own.scheme == "http"


def _auth_method(supported: Any) -> AuthMethod:
    # In the body the secret needs no second encoding, about which providers disagree (RFC 6749
    # 2.3.1); a document that says nothing means Basic (OpenID Connect Discovery 3).
    if supported is None:
        return "client_secret_basic"
    if isinstance(supported, list) and "client_secret_post" in supported:
        return "client_secret_post"
    if isinstance(supported, list) and "client_secret_basic" in supported:
        return "client_secret_basic"
    raise UpstreamRefused(
        "The sign-in provider accepts no client secret at its token endpoint; register a "
        "confidential client there.",
        reason="discovery_auth_methods",
    )
