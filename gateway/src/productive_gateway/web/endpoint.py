"""One path of the gateway: its methods and its CORS. A method that is not served is 405."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

Handler = Callable[[Request], Awaitable[Response]]

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
            cors: pages of any origin may read the answers, without credentials: for clients that
                run in a browser, and only where no cookie counts.
        """
        self._handlers = dict(handlers)
        self._cors = cors
        self._allow = ", ".join(sorted({*handlers, *(["OPTIONS"] if cors else [])}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        response = await self._answer(request)
        if self._cors:
            _share(response)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        handler = self._handlers.get(request.method)
        if handler is not None:
            return await handler(request)
        if self._cors and request.method == "OPTIONS":
            return Response(
                status_code=204, headers={"access-control-allow-methods": self._allow, **_PREFLIGHT}
            )
        return PlainTextResponse(
            f"This address takes {self._allow} only.\n",
            status_code=405,
            headers={"allow": self._allow},
        )


def _share(response: Response) -> None:
    response.headers["access-control-allow-origin"] = "*"
    response.headers["access-control-expose-headers"] = "Retry-After, WWW-Authenticate"
    response.headers["cross-origin-resource-policy"] = "cross-origin"
