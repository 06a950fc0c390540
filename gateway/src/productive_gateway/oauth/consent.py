"""The consent page: shown on every authorization, before the provider is contacted.

What the person decides about is sealed into the page's form, and the form works only together with
a cookie of the browser that it was shown in. So nothing in the form has to be trusted, the handle
is the CSRF token, and two open pages do not disturb each other.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from productive_gateway.grants.config import TRANSACTION_LIFE
from productive_gateway.oauth.authorization_request import (
    AuthorizationRequest,
    decode_request,
    encode_request,
)
from productive_gateway.oauth.clients.client import Client, ClientKind
from productive_gateway.oauth.clients.redirect_uri import RedirectKind
from productive_gateway.oauth.context import OAuthContext
from productive_gateway.oauth.cookies import CookieKind
from productive_gateway.oauth.scope import WORDS
from productive_gateway.oauth.transaction import ID_BYTES
from productive_gateway.people.scopes import ALL
from productive_gateway.sealing.keys import KeyRing, Keys
from productive_gateway.sealing.purposes import Purpose
from productive_gateway.sealing.seal import encode_text, opened, seal
from productive_gateway.web.json_object import compact_json
from productive_gateway.web.pages import render

BINDING_BYTES = 32


@dataclass(frozen=True, slots=True)
class Consent:
    """An open consent page."""

    transaction: bytes = field(repr=False)
    """Id of the transaction that an approval starts: approving one page twice (a double click, a
    browser that posts again) is one transaction."""
    request: AuthorizationRequest
    shown: float
    """Unix seconds."""
    binding: str = field(repr=False)
    """SHA-256 of the cookie's value, in hex."""

    def expired(self, now: float) -> bool:
        """Whether the page was open too long."""
        return now >= self.shown + TRANSACTION_LIFE

    def bound_to(self, cookies: list[str]) -> bool:
        """Whether one of these values is that of the cookie that was set with the page."""
        return any(hmac.compare_digest(self.binding, _hash(value)) for value in cookies)


def consent_page(
    context: OAuthContext, request: Request, asked: AuthorizationRequest, client: Client
) -> Response:
    """Return the page that shows what a client asks for, bound to this browser.

    Args:
        context: what the endpoints share.
        request: brings the browser's other cookies.
        asked: what the client asks for.
        client: where what is known of it comes from is shown, too.

    Raises:
        Unavailable: there is no key ring to seal with.
    """
    transaction, cookie = context.entropy(ID_BYTES), encode_text(context.entropy(BINDING_BYTES))
    now = context.clock()
    consent = Consent(transaction, asked, now, _hash(cookie))
    redirect = asked.redirect
    page = render(
        "consent",
        # Not `no-referrer` as elsewhere: with it, browsers send `Origin: null` with the form, as a
        # sandboxed frame does (Fetch, "append a request Origin header").
        headers={"referrer-policy": "same-origin"},
        host=context.config.host,
        action=f"{context.config.public_url}/authorize",
        client_name=asked.client_name,
        redirect_address=redirect.shown,
        named=client.kind is ClientKind.PREREGISTERED,
        loopback=asked.loopback,
        scheme=redirect.scheme if redirect.kind is RedirectKind.PRIVATE_USE else None,
        described_by=client.described_by,
        # Anybody can send a browser here with the id of such a client: nothing but the program
        # that listens on the person's own machine decides who gets the code.
        anybody=client.described_by is not None and client.loopback_only,
        permissions=[WORDS[scope] for scope in ALL if scope in asked.scopes],
        handle=_write(context.keys.ring(), consent),
    )
    context.cookies.put(request, page, CookieKind.CONSENT, transaction, cookie, now=now)
    return page


async def find_consent(keys: Keys, handle: str) -> Consent | None:
    """Open a form's handle; None if it is not ours.

    Raises:
        Unavailable: the key ring cannot be read.
    """
    payload = await opened(keys, Purpose.CONSENT, handle)
    if payload is None:
        return None
    transaction, shown, binding, values = json.loads(payload)
    return Consent(bytes.fromhex(transaction), decode_request(values), float(shown), binding)


def _write(ring: KeyRing, consent: Consent) -> str:
    payload = [
        consent.transaction.hex(),
        consent.shown,
        consent.binding,
        encode_request(consent.request),
    ]
    return seal(ring, Purpose.CONSENT, compact_json(payload))


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "surrogatepass")).hexdigest()
