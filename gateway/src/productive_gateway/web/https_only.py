"""Refuses requests that reached the proxy in front by plain http.

A redirect to https would teach a client to go on sending its tokens in clear first (RFC 9700
4.1.3, 2.6), so the answer is an error that says what to do.
"""

from __future__ import annotations

import time
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from productive_gateway.web.caller_address import CallerAddresses
from productive_gateway.web.headers import accepts, stripped
from productive_gateway.web.limits import Buckets
from productive_gateway.web.pages import Link, problem, problem_json

_log = structlog.get_logger("http")
_LOGGED: Final = "in_clear"


class HttpsOnly:
    """An ASGI app around the public port."""

    def __init__(self, app: ASGIApp, addresses: CallerAddresses, *, public_url: str) -> None:
        """Wrap an app.

        Args:
            app: gets what came by https, and what no trusted proxy says anything about.
            addresses: which proxies are believed.
            public_url: where the same is reached by https.
        """
        self._app = app
        self._addresses = addresses
        self._public_url = public_url
        self._lines = Buckets(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http" and self._addresses.came_in_clear(scope):
            response = self._refusal(Request(scope, receive))
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, request: Request) -> Response:
        now = time.monotonic()
        if not self._lines.wait(_LOGGED, now):
            self._lines.take(_LOGGED, now)
            _log.warning(
                "http.in_clear",
                hint="the proxy in front says X-Forwarded-Proto: http. Let it serve https only; if "
                "something before it ends TLS, let it pass on that one's X-Forwarded-Proto.",
            )
        title, what = "Use https", "This request was not encrypted, and others could read it."
        remedy = f"Use {self._public_url}; if an access token was sent, sign in again."
        if accepts(stripped(request.scope), "text/html"):
            link = Link(self._public_url, "Go to the encrypted address")
            return problem(request, 400, title, what, remedy, error="https_required", link=link)
        return problem_json(400, title, what, remedy, error="https_required")
