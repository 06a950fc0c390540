"""The authorization code flow with PKCE at the provider (RFC 6749 4.1, RFC 7636), by authlib."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import httpx2
import structlog

from productive_contract.secret import Secret
from productive_gateway.observability.outgoing import ProviderRequest
from productive_gateway.outbound.client import Outbound
from productive_gateway.upstream.config import (
    GOOGLE,
    OFFLINE_SCOPE,
    SCOPE,
    AuthMethod,
    UpstreamConfig,
)
from productive_gateway.upstream.errors import UpstreamRefused, UpstreamUnavailable
from productive_gateway.upstream.provider import Provider
from productive_gateway.web.json_object import is_json

TOKEN_SECONDS: Final = 10.0
TOKEN_BYTES: Final = 256 * 1024
_HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8",
}
_ERROR_WORDS: Final = frozenset(
    {
        *("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client"),
        *("unsupported_grant_type", "invalid_scope"),
    }
)
"""RFC 6749 5.2. A fixed set, so it may be logged; no other text of the provider is."""
SPENT_CODE: Final = "token_invalid_grant"
"""Reason of the refusal of a code or refresh token that was used before, among other causes."""
_GOOGLE_OFFLINE: Final = {"access_type": "offline", "prompt": "consent"}
"""Google knows no scope for it, and without the second it gives one at the first sign-in alone."""
_CREDENTIALS: Final = (
    "The sign-in provider does not accept the client id and secret of this server. Tell your "
    "administrator: the secret may have expired, or the client is registered for another way to "
    "send it."
)
_MESSAGES: Final = {
    "invalid_client": _CREDENTIALS,
    "unauthorized_client": _CREDENTIALS,
    "invalid_grant": (
        "The sign-in provider does not accept its own code any more, or was given another redirect "
        "URI for it. Start again from your app, and tell your administrator if it happens twice."
    ),
}

_log = structlog.get_logger("upstream")


@dataclass(frozen=True, slots=True)
class SignInSecrets:
    """What binds a sign-in to its transaction; derived from its id, stored nowhere."""

    verifier: str = field(repr=False)
    """PKCE (RFC 7636)."""
    nonce: str = field(repr=False)
    """OpenID Connect Core 3.1.2.1."""


class CodeFlow:
    """Our client at the provider."""

    def __init__(
        self,
        config: UpstreamConfig,
        outbound: Outbound,
        *,
        redirect_uri: str,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Take what the token call needs; no request is made yet.

        Args:
            config: the provider.
            outbound: how connections leave.
            redirect_uri: our /callback, from the configured public URL.
            transport: replaces the network.
        """
        self._config = config
        self._outbound = outbound
        self._redirect_uri = redirect_uri
        self._transport = transport
        self._accepted: AuthMethod | None = None
        """What the provider took last."""

    async def authorization_url(
        self, provider: Provider, *, state: str, secrets: SignInSecrets, lasting: bool
    ) -> str:
        """Return the URL where the person signs in, and where a lasting sign-in is asked for."""
        asks = lasting and self._config.offline
        google = self._config.issuer == GOOGLE
        # Whatever `scopes_supported` says: a provider need not list all scopes (RFC 8414 2).
        scope = f"{SCOPE} {OFFLINE_SCOPE}" if asks and not google else SCOPE
        extra = _GOOGLE_OFFLINE if asks and google else {}
        async with self._client(provider, provider.auth_methods[0]) as client:
            url, _ = client.create_authorization_url(
                provider.authorization_url,
                state=state,
                nonce=secrets.nonce,
                code_verifier=secrets.verifier,
                scope=scope,
                **extra,
            )
        return str(url)

    async def exchange(
        self, provider: Provider, code: str, secrets: SignInSecrets
    ) -> dict[str, Any]:
        """Exchange the provider's code for its tokens, once.

        Raises:
            UpstreamUnavailable: the provider is unavailable or slow.
            UpstreamRefused: it refuses, or its answer breaks a rule; `reason` says which.
        """
        return await self._tokens(
            provider,
            grant_type="authorization_code",
            code=code,
            code_verifier=secrets.verifier,
            redirect_uri=self._redirect_uri,
        )

    async def renew(self, provider: Provider, refresh_token: Secret) -> dict[str, Any]:
        """Exchange a refresh token of the provider for new tokens (RFC 6749 6).

        Raises:
            UpstreamUnavailable: as for `exchange`; the token may have been spent.
            UpstreamRefused: as for `exchange`; the reason of a refused token is `SPENT_CODE`.
        """
        # Without `scope`, the scopes stay those of the sign-in.
        return await self._tokens(
            provider,
            grant_type="refresh_token",
            refresh_token=refresh_token.reveal(),
            scope=None,
        )

    async def _tokens(self, provider: Provider, **parameters: Any) -> dict[str, Any]:
        """Call the token endpoint.

        The secret is sent in the way that worked last, else in the first one that the metadata
        allow. `invalid_client` alone leads to the other way, with the same code or token: a
        provider that checks the client first has not spent it (RFC 6749 3.2.1).
        """
        methods = sorted(provider.auth_methods, key=lambda method: method != self._accepted)
        for method in methods[:-1]:
            try:
                return await self._measured(provider, method, parameters)
            except UpstreamRefused as error:
                if error.reason != "token_invalid_client":
                    raise
        return await self._measured(provider, methods[-1], parameters)

    async def _measured(
        self, provider: Provider, method: AuthMethod, parameters: dict[str, Any]
    ) -> dict[str, Any]:
        with ProviderRequest("token", UpstreamUnavailable):
            return await self._call(provider, method, parameters)

    async def _call(
        self, provider: Provider, method: AuthMethod, parameters: dict[str, Any]
    ) -> dict[str, Any]:
        # With 150 modules, of which a gateway needs none before the first sign-in.
        from authlib.integrations.base_client import OAuthError

        try:
            async with asyncio.timeout(TOKEN_SECONDS), self._client(provider, method) as client:
                answer = await client.fetch_token(
                    provider.token_url, headers=_HEADERS, **parameters
                )
        except OAuthError as error:
            # Any other text comes from the provider and must not be passed on.
            word = error.error if isinstance(error.error, str) else ""
            word = word if word in _ERROR_WORDS else "error"
            _log.warning("upstream.token_refused", error=word, auth_method=method)
            raise _refused(word) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, OSError) as error:
            raise UpstreamUnavailable(
                "The sign-in provider does not answer. Try again soon.", reason="token_unreachable"
            ) from error
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            # Not JSON, too deep, or numbers and types that authlib cannot read.
            raise _refused("malformed") from error
        self._accepted = method
        if not isinstance(answer, dict):
            raise _refused("malformed")
        if str(answer.get("token_type", "")).lower() != "bearer":
            raise _refused("type")
        return dict(answer)

    def _client(self, provider: Provider, method: AuthMethod) -> Any:
        """Return authlib's client for one call: it keeps the last token and must not be shared."""
        from authlib.integrations.httpx_client import AsyncOAuth2Client

        return AsyncOAuth2Client(
            client_id=self._config.client_id,
            client_secret=self._config.client_secret.reveal(),
            token_endpoint_auth_method=_basic if method == "client_secret_basic" else method,
            code_challenge_method="S256",
            scope=SCOPE,
            redirect_uri=self._redirect_uri,
            verify=self._outbound.tls,
            transport=self._transport,
            proxy=self._outbound.proxy_for(provider.token_url),
            trust_env=False,
            follow_redirects=False,
            timeout=TOKEN_SECONDS,
            event_hooks={"response": [_check_answer]},
        )


def _basic(
    client: Any, _: str, uri: str, headers: dict[str, str], body: str
) -> tuple[str, dict[str, str], str]:
    """Put the credentials into the header, form-encoded first (RFC 6749 2.3.1).

    authlib's own function leaves the encoding out.
    """
    pair = f"{quote(client.client_id, safe='')}:{quote(client.client_secret, safe='')}"
    headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return uri, headers, body


class _Bounded(httpx2.AsyncByteStream):
    """A response body that fails when it gets too long."""

    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = 0
        async for chunk in self._inner:
            total += len(chunk)
            if total > TOKEN_BYTES:
                raise _refused("too_large")
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
        raise _refused("redirect")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise _refused("encoded")
    if not is_json(response.headers.get("content-type", "")):
        raise _refused("content_type")
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(response.stream)


def _refused(problem: str) -> UpstreamRefused:
    message = _MESSAGES.get(
        problem, "The sign-in provider did not complete the sign-in. Start again from your app."
    )
    return UpstreamRefused(message, reason=f"token_{problem}")
