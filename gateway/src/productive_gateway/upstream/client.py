"""The sign-in at the provider: from the URL where people sign in to who they are.

Nothing that the provider says in an error reaches a person or a log line, except the error words of
RFC 6749 5.2.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Any

import httpx
import httpx2

from productive_contract.clock import Clock, system_clock
from productive_contract.secret import Secret
from productive_gateway.outbound.client import Outbound
from productive_gateway.upstream.code_flow import CodeFlow, SignInSecrets
from productive_gateway.upstream.config import UpstreamConfig
from productive_gateway.upstream.document import fetch_object
from productive_gateway.upstream.errors import (
    IdentityRefused,
    UnknownSigningKey,
    UpstreamRefused,
)
from productive_gateway.upstream.id_token import Expectations, verify
from productive_gateway.upstream.identity import (
    RenewedIdentity,
    VerifiedIdentity,
    may_be_confirmed,
    renewed_email,
    require_claims,
    verified_email,
)
from productive_gateway.upstream.jwks import cached_keys
from productive_gateway.upstream.provider import Provider, ProviderEndpoints


@dataclass(frozen=True, slots=True)
class Renewal:
    """The provider's answer to a refresh, nothing of which is verified yet."""

    refresh_token: Secret | None
    """The new one; None if there is none."""
    id_token: object = field(repr=False)
    access_token: str | None = field(repr=False)


class UpstreamClient:
    """Signs people in at the configured provider."""

    def __init__(
        self,
        config: UpstreamConfig,
        outbound: Outbound,
        *,
        redirect_uri: str,
        clock: Clock = system_clock,
        transport: httpx.AsyncBaseTransport | None = None,
        token_transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Set up the connection pools; no request is made yet.

        Args:
            config: the provider.
            outbound: how connections leave.
            redirect_uri: our /callback, from the configured public URL.
            clock: the time.
            transport: replaces the network for discovery, keys and userinfo.
            token_transport: replaces the network for the token call.
        """
        self._config = config
        self._clock = clock
        self._http = outbound.client(transport=transport)
        self._flow = CodeFlow(
            config, outbound, redirect_uri=redirect_uri, transport=token_transport
        )
        self._endpoints = ProviderEndpoints(config, self._http, clock=clock)
        self._keys = cached_keys(self._fetch_keys, clock=clock)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @property
    def problem(self) -> str | None:
        """Why the last discovery failed, for the readiness detail; None when it succeeded."""
        return self._endpoints.problem

    async def authorization_url(
        self, *, state: str, secrets: SignInSecrets, lasting: bool = False
    ) -> str:
        """Return the URL where the person signs in.

        Args:
            state: comes back with the answer.
            secrets: of the transaction.
            lasting: ask for a refresh token, if that is configured.

        Raises:
            UpstreamUnavailable: the endpoints cannot be discovered now.
            UpstreamRefused: the discovery document cannot be accepted.
        """
        provider = await self._endpoints.get()
        return await self._flow.authorization_url(
            provider, state=state, secrets=secrets, lasting=lasting
        )

    async def check_issuer(self, iss: str | None) -> None:
        """Compare the `iss` of an authorization response with the provider's (RFC 9207 2.4).

        Raises:
            UpstreamRefused: it is another's, or missing although the provider announces it.
            UpstreamUnavailable: whether it announces it cannot be discovered now.
        """
        provider = await self._endpoints.get()
        if iss is None and not provider.sends_iss:
            return
        if iss is None or not hmac.compare_digest(iss.encode(), self._config.issuer.encode()):
            raise UpstreamRefused(
                "The answer did not come from the expected sign-in provider. Start again from "
                "your app.",
                reason="iss_mismatch",
            )

    async def identify(self, code: str, secrets: SignInSecrets) -> VerifiedIdentity:
        """Exchange the provider's code and return who signed in.

        Raises:
            UpstreamUnavailable: the provider is unavailable or slow.
            IdentityRefused: the provider does not vouch for an address of this person.
            UpstreamRefused: the answer breaks a rule.
        """
        provider = await self._endpoints.get()
        # Before the code is spent: without keys its ID token could not be verified.
        await self._keys.get()
        answer = await self._flow.exchange(provider, code, secrets)
        expected = self._expected(answer.get("access_token"), nonce=secrets.nonce)
        claims = await self._verified(answer.get("id_token"), expected)
        require_claims(claims, self._config)
        return VerifiedIdentity(
            issuer=self._config.issuer,
            subject=claims["sub"],
            email=await self._email(provider, claims, expected.access_token),
            refresh_token=_refresh_token(answer),
        )

    async def renew(self, refresh_token: Secret) -> Renewal:
        """Use a refresh token of the provider.

        Many providers accept it once, so the caller has to store the new one before anything else.

        Raises:
            UpstreamUnavailable: the provider is unavailable or slow; the token may have been used.
            UpstreamRefused: it refuses; the reason is `SPENT_CODE` if it refuses the token itself.
        """
        provider = await self._endpoints.get()
        # Before the token is spent: without keys an ID token could not be verified.
        await self._keys.get()
        answer = await self._flow.renew(provider, refresh_token)
        access_token = answer.get("access_token")
        return Renewal(
            _refresh_token(answer),
            answer.get("id_token"),
            access_token if isinstance(access_token, str) else None,
        )

    async def renewed_identity(self, renewal: Renewal) -> RenewedIdentity | None:
        """Return whom a renewal is about (OpenID Connect Core 12.2); None if it does not say.

        Raises:
            UpstreamUnavailable: the signing keys cannot be fetched now.
            IdentityRefused: a required claim is missing, or the address is not verified any more.
            UpstreamRefused: the ID token breaks a rule.
        """
        if renewal.id_token is None:
            return None
        expected = self._expected(renewal.access_token, nonce=None)
        claims = await self._verified(renewal.id_token, expected)
        require_claims(claims, self._config)
        return RenewedIdentity(self._config.issuer, claims["sub"], renewed_email(claims))

    def _expected(self, access_token: object, *, nonce: str | None) -> Expectations:
        return Expectations(
            issuer=self._config.issuer,
            client_id=self._config.client_id,
            nonce=nonce,
            # RFC 6749 A.12: visible ASCII. Anything else could not be sent to userinfo either.
            access_token=access_token
            if isinstance(access_token, str) and access_token.isascii()
            else None,
        )

    async def _verified(self, token: object, expected: Expectations) -> dict[str, Any]:
        keys = await self._keys.get()
        try:
            return verify(token, keys, expected, now=self._clock())
        except UnknownSigningKey:
            # The provider may have rotated its keys since they were fetched.
            newer = await self._keys.newer()
            return verify(token, newer, expected, now=self._clock())

    async def _email(
        self, provider: Provider, claims: dict[str, Any], access_token: str | None
    ) -> str:
        """Return the address that the ID token vouches for, or else userinfo.

        Address and confirmation come from one document: some providers put the address into the
        ID token and its confirmation into userinfo only (OpenID Connect Core 5.4).
        """
        try:
            return verified_email(claims, self._config.email_trust)
        except IdentityRefused as refusal:
            if not may_be_confirmed(claims):
                raise
            if provider.userinfo_url is None or access_token is None:
                raise
            found = await self._userinfo(provider.userinfo_url, access_token, claims, refusal)
            if "email" not in found and refusal.reason != "email_missing":
                # It adds nothing to what the ID token says.
                raise
        return verified_email(found, self._config.email_trust)

    async def _userinfo(
        self, url: str, access_token: str, claims: dict[str, Any], refusal: IdentityRefused
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {access_token}"}
        try:
            found = await fetch_object(self._http, url, what="userinfo", headers=headers)
        except UpstreamRefused as error:
            if not error.reason.startswith("userinfo_status_"):
                raise
            # What is wrong is not the address, as far as anybody can tell.
            raise IdentityRefused(
                f"{refusal} Its userinfo endpoint, which could say more, refused to answer.",
                reason=error.reason,
                email=refusal.email,
            ) from error
        # Otherwise an injected access token would bring another person's address (OpenID Connect
        # Core 5.3.2).
        if found.get("sub") != claims["sub"]:
            raise UpstreamRefused(
                "The sign-in provider's answers are about two different people. Start again from "
                "your app.",
                reason="userinfo_sub",
            )
        return found

    async def _fetch_keys(self) -> dict[str, Any]:
        provider = await self._endpoints.get()
        return await fetch_object(self._http, provider.jwks_url, what="jwks")


def _refresh_token(answer: dict[str, Any]) -> Secret | None:
    token = answer.get("refresh_token")
    # RFC 6749 A.17: visible ASCII. Anything else could not be sent back.
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        return None
    return Secret(token)
