"""The sign-in at the provider: authorization code flow with PKCE, one exchange per transaction.

authlib builds the authorization URL and makes the token call; httpx fetches keys, discovery and
userinfo. No text of the provider's errors reaches a person or a log line.
"""

from __future__ import annotations

import asyncio
import hmac
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpx
import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from productive_contract.clock import Clock, system_clock
from productive_gateway.upstream.config import SCOPE, UpstreamConfig
from productive_gateway.upstream.document import fetch_object
from productive_gateway.upstream.errors import (
    IdentityRefused,
    UnknownSigningKey,
    UpstreamRefused,
    UpstreamUnavailable,
)
from productive_gateway.upstream.id_token import Expectations, verify
from productive_gateway.upstream.identity import VerifiedIdentity, require_claims, verified_email
from productive_gateway.upstream.jwks import cached_keys
from productive_gateway.upstream.provider import Provider, ProviderEndpoints
from productive_gateway.web.json_object import is_json

TOKEN_SECONDS: Final = 10.0
TOKEN_BYTES: Final = 256 * 1024
_HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8",
}


@dataclass(frozen=True, slots=True)
class SignInSecrets:
    """What binds a sign-in to its transaction; derived from its id, stored nowhere."""

    verifier: str = field(repr=False)
    """PKCE (RFC 7636)."""
    nonce: str = field(repr=False)
    """OpenID Connect Core 3.1.2.1."""


class UpstreamClient:
    """Our client at the provider."""

    def __init__(
        self,
        config: UpstreamConfig,
        *,
        redirect_uri: str,
        clock: Clock = system_clock,
        transport: httpx.AsyncBaseTransport | None = None,
        token_transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Set up the connection pools; no request is made yet.

        Args:
            config: the provider.
            redirect_uri: our /callback, from the configured public URL.
            clock: the time.
            transport: replaces the network for discovery, keys and userinfo.
            token_transport: replaces the network for the token call.
        """
        self._config = config
        self._redirect_uri = redirect_uri
        self._clock = clock
        self._tls = _tls(config.ca_bundle)
        self._token_transport = token_transport
        self._http = httpx.AsyncClient(
            verify=self._tls, transport=transport, follow_redirects=False, timeout=10.0
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

    async def authorization_url(self, *, state: str, secrets: SignInSecrets) -> str:
        """Return the URL where the person signs in.

        Raises:
            UpstreamUnavailable: the endpoints cannot be discovered now.
            UpstreamRefused: the discovery document cannot be accepted.
        """
        provider = await self._endpoints.get()
        async with self._oauth(provider) as client:
            url, _ = client.create_authorization_url(
                provider.authorization_url,
                state=state,
                nonce=secrets.nonce,
                code_verifier=secrets.verifier,
            )
        return str(url)

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
        answer = await self._exchange(provider, code, secrets)
        access_token = answer.get("access_token")
        expected = Expectations(
            issuer=self._config.issuer,
            client_id=self._config.client_id,
            nonce=secrets.nonce,
            # RFC 6749 A.12: visible ASCII. Anything else could not be sent to userinfo either.
            access_token=access_token
            if isinstance(access_token, str) and access_token.isascii()
            else None,
        )
        claims = await self._verified(answer.get("id_token"), expected)
        require_claims(claims, self._config)
        source = claims
        if "email" not in claims:
            source = await self._userinfo(provider, expected.access_token, claims["sub"])
        return VerifiedIdentity(
            issuer=self._config.issuer,
            subject=claims["sub"],
            email=verified_email(source, self._config.email_trust),
        )

    async def _verified(self, token: object, expected: Expectations) -> dict[str, Any]:
        keys = await self._keys.get()
        try:
            return verify(token, keys, expected, now=self._clock())
        except UnknownSigningKey:
            # The provider may have rotated its keys since they were fetched.
            newer = await self._keys.newer()
            return verify(token, newer, expected, now=self._clock())

    async def _userinfo(
        self, provider: Provider, access_token: str | None, subject: str
    ) -> dict[str, Any]:
        if provider.userinfo_url is None or access_token is None:
            raise IdentityRefused(
                "The sign-in provider did not send your e-mail address. Ask your administrator to "
                "include it.",
                reason="email_missing",
            )
        found = await fetch_object(
            self._http,
            provider.userinfo_url,
            what="userinfo",
            headers={"Authorization": f"Bearer {access_token}"},
        )
        # Otherwise an injected access token would bring another person's address (OpenID Connect
        # Core 5.3.2).
        if found.get("sub") != subject:
            raise UpstreamRefused(
                "The sign-in provider's answers are about two different people. Start again from "
                "your app.",
                reason="userinfo_sub",
            )
        return found

    async def _fetch_keys(self) -> dict[str, Any]:
        provider = await self._endpoints.get()
        return await fetch_object(self._http, provider.jwks_url, what="jwks")

    async def _exchange(
        self, provider: Provider, code: str, secrets: SignInSecrets
    ) -> dict[str, Any]:
        try:
            async with asyncio.timeout(TOKEN_SECONDS), self._oauth(provider) as client:
                answer = await client.fetch_token(
                    provider.token_url,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=secrets.verifier,
                    redirect_uri=self._redirect_uri,
                    headers=_HEADERS,
                )
        except OAuthError as error:
            # Its text comes from the provider and must not be passed on.
            raise _refused("token_error") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, OSError) as error:
            raise UpstreamUnavailable(
                "The sign-in provider does not answer. Try again soon.", reason="token_unreachable"
            ) from error
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            # Not JSON, too deep, or numbers and types that authlib cannot read.
            raise _refused("token_malformed") from error
        if not isinstance(answer, dict):
            raise _refused("token_malformed")
        if str(answer.get("token_type", "")).lower() != "bearer":
            raise _refused("token_type")
        return dict(answer)

    def _oauth(self, provider: Provider) -> Any:
        """Return authlib's client for one call: it keeps the last token and must not be shared."""
        return AsyncOAuth2Client(
            client_id=self._config.client_id,
            client_secret=self._config.client_secret.reveal(),
            token_endpoint_auth_method=provider.auth_method,
            code_challenge_method="S256",
            scope=SCOPE,
            redirect_uri=self._redirect_uri,
            verify=self._tls,
            transport=self._token_transport,
            follow_redirects=False,
            timeout=TOKEN_SECONDS,
            event_hooks={"response": [_check_answer]},
        )


class _Bounded(httpx2.AsyncByteStream):
    """A response body that fails when it gets too long."""

    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = 0
        async for chunk in self._inner:
            total += len(chunk)
            if total > TOKEN_BYTES:
                raise _refused("token_too_large")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _check_answer(response: httpx2.Response) -> None:
    """Check the head of a token response, and bound its body."""
    status = response.status_code
    if status == 429 or status >= 500:
        raise UpstreamUnavailable(
            "The sign-in provider is currently unavailable. Try again soon.",
            reason=f"token_status_{status}",
        )
    if 300 <= status < 400:
        raise _refused("token_redirect")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise _refused("token_encoded")
    if not is_json(response.headers.get("content-type", "")):
        raise _refused("token_content_type")
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(response.stream)


# Loading the public authorities takes longer than anything else here; one context serves all.
@cache
def _tls(ca_bundle: Path | None) -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    if ca_bundle is not None:
        context.load_verify_locations(cafile=ca_bundle)
    return context


def _refused(reason: str) -> UpstreamRefused:
    return UpstreamRefused(
        "The sign-in provider did not complete the sign-in. Start again from your app.",
        reason=reason,
    )
