"""One path of the gateway: its methods, its headers, its CORS.

Pure ASGI. Every answer leaves with the same protective headers, whoever made it, and a method that
is not served is 405 with `Allow`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

Handler = Callable[[Request], Awaitable[Response]]

_PROTECTIVE: Final = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    # A code in the address of a page must not travel to where its links lead (RFC 9700 4.2).
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
# There is deliberately no Cross-Origin-Opener-Policy: a browser client opens the sign-in in a
# window and waits for its callback to call back; the policy would cut that for good.

_PREFLIGHT: Final = {
    "access-control-allow-headers": "Authorization, Content-Type, MCP-Protocol-Version",
    "access-control-max-age": "600",
}


class Endpoint:
    """An ASGI app for one path."""

    def __init__(self, handlers: Mapping[str, Handler], *, cors: bool = False) -> None:
        """Serve these methods.

        Args:
            handlers: by upper-case method; HEAD is served only if it is named.
            cors: any origin may read the answers, without credentials (clients that run in a
                browser): only for what holds no cookie's authority.
        """
        self._handlers = dict(handlers)
        self._cors = cors
        self._allow = ", ".join(sorted({*handlers, *(["OPTIONS"] if cors else [])}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        response = await self._answer(request)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._guard(MutableHeaders(raw=message["headers"]))
            await send(message)

        await response(scope, receive, send_guarded)

    async def _answer(self, request: Request) -> Response:
        handler = self._handlers.get(request.method)
        if handler is not None:
            return await handler(request)
        if self._cors and request.method == "OPTIONS":
            return Response(
                status_code=204, headers={"access-control-allow-methods": self._allow, **_PREFLIGHT}
            )
        return PlainTextResponse(
            f"This address is used with {self._allow} only.\n",
            status_code=405,
            headers={"allow": self._allow},
        )

    def _guard(self, headers: MutableHeaders) -> None:
        for name, value in _PROTECTIVE.items():
            headers.setdefault(name, value)
        if self._cors:
            headers["access-control-allow-origin"] = "*"
            headers["access-control-expose-headers"] = "Retry-After, WWW-Authenticate"
            headers["cross-origin-resource-policy"] = "cross-origin"
