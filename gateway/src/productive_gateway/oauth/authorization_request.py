"""A checked authorization request, as it travels sealed through the browser."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from productive_gateway.oauth.clients.redirect_uri import Kind, RedirectUri, parse_redirect_uri


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What a client asked for and the person decides about; every part was checked."""

    client_id: str
    client_name: str
    redirect_uri: str
    state: str | None
    challenge: str
    scopes: frozenset[str]
    resource: str

    @property
    def redirect(self) -> RedirectUri:
        """The redirect URI, taken apart."""
        return parse_redirect_uri(self.redirect_uri)

    @property
    def loopback(self) -> bool:
        """Whether the code goes to a program on the person's machine."""
        return self.redirect.kind is Kind.LOOPBACK

    def answer(self, issuer: str, **parameters: str) -> str:
        """Return the address that gives the client its answer.

        `iss` is in each, in errors too (RFC 9207 2), and so is the client's state.
        """
        return answer_url(self.redirect_uri, self.state, issuer, **parameters)


def answer_url(redirect_uri: str, state: str | None, issuer: str, **parameters: str) -> str:
    """Add the parameters of an answer to a redirect URI, always in its query."""
    if state is not None:
        parameters["state"] = state
    parameters["iss"] = issuer
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
    if "?" not in redirect_uri:
        return f"{redirect_uri}?{query}"
    return f"{redirect_uri}{'' if redirect_uri.endswith(('?', '&')) else '&'}{query}"


def encode_request(request: AuthorizationRequest) -> list[Any]:
    """Return the request as JSON values, without names: it has to be small."""
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
    """Read what `encode_request` wrote; it comes out of a seal, so it is what we wrote."""
    client_id, client_name, redirect_uri, state, challenge, scopes, resource = values
    return AuthorizationRequest(
        client_id, client_name, redirect_uri, state, challenge, frozenset(scopes), resource
    )


def pack(values: object) -> bytes:
    """Write JSON values in the fewest bytes that stay readable."""
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()
