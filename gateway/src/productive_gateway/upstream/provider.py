"""The provider's endpoints: as configured, or discovered (OpenID Connect Discovery 1.0, 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from productive_contract.clock import Clock, system_clock
from productive_gateway.upstream.cached_document import CachedDocument
from productive_gateway.upstream.config import AuthMethod, UpstreamConfig
from productive_gateway.upstream.document import fetch_object
from productive_gateway.upstream.errors import UpstreamRefused

_AUTH_METHODS: Final[tuple[AuthMethod, ...]] = ("client_secret_basic", "client_secret_post")
"""Basic first: each server must support it (RFC 6749 2.3.1)."""


@dataclass(frozen=True, slots=True)
class Provider:
    """The endpoints of a provider, and what it supports."""

    authorization_url: str
    token_url: str
    jwks_url: str
    userinfo_url: str | None
    auth_methods: tuple[AuthMethod, ...]
    """Ways to send the client secret, the preferred one first."""
    sends_iss: bool
    """Whether it announces RFC 9207: an answer without `iss` is then not its own."""


class ProviderEndpoints:
    """The endpoints of the configured provider."""

    def __init__(
        self, config: UpstreamConfig, http: httpx.AsyncClient, *, clock: Clock = system_clock
    ) -> None:
        self._config = config
        self._http = http
        self._discovered = CachedDocument(self._discover, "discovery", clock=clock)

    @property
    def problem(self) -> str | None:
        """Why the last discovery failed, for the readiness detail; None when it succeeded."""
        return self._discovered.problem

    async def get(self) -> Provider:
        """Return the endpoints.

        Raises:
            UpstreamUnavailable: they cannot be discovered now, and none are held.
            UpstreamRefused: the discovery document breaks a rule; `str()` names it.
        """
        if not self._config.discovers:
            return _configured(self._config)
        return await self._discovered.get()

    async def _discover(self) -> Provider:
        issuer = self._config.issuer
        url = issuer.removesuffix("/") + "/.well-known/openid-configuration"
        document = await fetch_object(self._http, url, what="discovery")
        return read_discovery(document, issuer, auth_method=self._config.auth_method)


def read_discovery(
    document: dict[str, Any], issuer: str, *, auth_method: AuthMethod | None = None
) -> Provider:
    """Read the endpoints from a discovery document.

    Args:
        document: the document.
        issuer: as configured.
        auth_method: as configured; it overrules what the document says about it.

    Raises:
        UpstreamRefused: it is another issuer's, or names an unsafe endpoint.
    """
    # Byte for byte: a document that another host could serve must not choose our endpoints.
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
        auth_methods=(
            (auth_method,)
            if auth_method is not None
            else _auth_methods(document.get("token_endpoint_auth_methods_supported"))
        ),
        sends_iss=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _configured(config: UpstreamConfig) -> Provider:
    return Provider(
        authorization_url=config.authorization_url or "",
        token_url=config.token_url or "",
        jwks_url=config.jwks_url or "",
        userinfo_url=None,
        auth_methods=(config.auth_method or "client_secret_post",),
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
    # Plain http is for a provider on this very machine: the issuer itself must be one.
    own = urlsplit(issuer)
    return (parts.scheme, parts.netloc) == ("http", own.netloc) and own.scheme == "http"


def _auth_methods(supported: Any) -> tuple[AuthMethod, ...]:
    if supported is None:
        return _AUTH_METHODS
    allowed = supported if isinstance(supported, list) else []
    methods = tuple(method for method in _AUTH_METHODS if method in allowed)
    if not methods:
        raise UpstreamRefused(
            "The sign-in provider accepts no client secret at its token endpoint; register a "
            "confidential client there.",
            reason="discovery_auth_methods",
        )
    return methods
