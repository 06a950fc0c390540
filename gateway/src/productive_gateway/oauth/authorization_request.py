"""An authorization request: checked when it arrives, and sealed while the browser carries it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from productive_gateway.grants.pkce import is_challenge
from productive_gateway.oauth.answers import answer_url
from productive_gateway.oauth.clients.client import Client
from productive_gateway.oauth.clients.redirect_uri import (
    RedirectKind,
    RedirectUri,
    parse_redirect_uri,
)
from productive_gateway.oauth.errors import ErrorCode, OAuthError
from productive_gateway.oauth.resource import require_resource
from productive_gateway.oauth.scope import parse_scope
from productive_gateway.people.scopes import ALL
from productive_gateway.web.form import Form

MAX_STATE: Final = 1024
"""Characters."""


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What a client asks for and the person decides about; every part has been checked."""

    client_id: str
    client_name: str
    redirect_uri: str
    state: str | None
    challenge: str
    """PKCE S256 challenge of the client."""
    scopes: frozenset[str]
    resource: str
    """Canonical."""

    @property
    def redirect(self) -> RedirectUri:
        """The redirect URI, parsed."""
        return parse_redirect_uri(self.redirect_uri)

    @property
    def loopback(self) -> bool:
        """Whether the code goes to a program on the person's own machine."""
        return self.redirect.kind is RedirectKind.LOOPBACK

    def answer(self, issuer: str, **parameters: str) -> str:
        """Return the URL that brings these parameters to the client."""
        return answer_url(self.redirect_uri, self.state, issuer, **parameters)


def read_request(
    form: Form, client: Client, redirect: RedirectUri, resource: str
) -> AuthorizationRequest:
    """Check what a known client asks for.

    Args:
        form: the query of the request.
        client: as found by its client_id.
        redirect: the client's redirect URI that is used.
        resource: canonical URL of the MCP endpoint.

    Raises:
        OAuthError: a rule is broken; the client is told.
        InvalidTarget: it asks for another resource.
    """
    require_resource(form.all("resource"), resource)
    if form.repeated():
        raise OAuthError(ErrorCode.INVALID_REQUEST, "Send each parameter only once.")
    _check_kind(form)
    challenge = _challenge(form)
    state = form.one("state")
    if state is not None and len(state) > MAX_STATE:
        raise OAuthError(
            ErrorCode.INVALID_REQUEST, f"state must have {MAX_STATE} characters at most."
        )
    return AuthorizationRequest(
        client_id=client.client_id,
        client_name=client.registration.name,
        redirect_uri=redirect.text,
        state=state,
        challenge=challenge,
        scopes=parse_scope(form.one("scope")) or frozenset(ALL),
        resource=resource,
    )


def returnable_state(form: Form) -> str | None:
    """Return the state that an error can carry: sent once, and not too long."""
    state = form.one("state")
    if "state" in form.repeated() or state is None or len(state) > MAX_STATE:
        return None
    return state


def encode_request(request: AuthorizationRequest) -> list[Any]:
    """Return the request as JSON values without names: it has to be small."""
    return [
        request.client_id,
        request.client_name,
        request.redirect_uri,
        request.state,
        request.challenge,
        sorted(request.scopes),
        request.resource,
    ]


def decode_request(values: list[Any]) -> AuthorizationRequest:
    """Read what `encode_request` wrote; it comes out of a seal, so nobody has changed it."""
    client_id, client_name, redirect_uri, state, challenge, scopes, resource = values
    return AuthorizationRequest(
        client_id, client_name, redirect_uri, state, challenge, frozenset(scopes), resource
    )


def _check_kind(form: Form) -> None:
    if form.one("request") is not None:
        raise OAuthError(ErrorCode.REQUEST_NOT_SUPPORTED, "Send the parameters themselves.")
    if form.one("request_uri") is not None:
        # Fetching it would let anybody send the gateway anywhere.
        raise OAuthError(ErrorCode.REQUEST_URI_NOT_SUPPORTED, "Send the parameters themselves.")
    kind = form.one("response_type")
    if kind is None:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "Send response_type=code.")
    if kind != "code":
        raise OAuthError(
            ErrorCode.UNSUPPORTED_RESPONSE_TYPE, "Only response_type=code is supported."
        )
    if form.one("response_mode") not in {None, "query"}:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "Only response_mode=query is supported.")
    if "none" in (form.one("prompt") or "").split():
        raise OAuthError(
            ErrorCode.LOGIN_REQUIRED, "A person has to allow access and sign in each time."
        )


def _challenge(form: Form) -> str:
    challenge = form.one("code_challenge")
    # A confidential client needs PKCE too: it also protects against injected codes.
    if challenge is None or form.one("code_challenge_method") != "S256":
        raise OAuthError(
            ErrorCode.INVALID_REQUEST, "Send code_challenge with code_challenge_method=S256."
        )
    if not is_challenge(challenge):
        raise OAuthError(
            ErrorCode.INVALID_REQUEST,
            "code_challenge must be SHA-256 in base64url, 43 characters.",
        )
    return challenge
