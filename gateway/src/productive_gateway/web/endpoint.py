"""One path of the gateway, with its methods and its CORS; and the answer at a wrong address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from productive_gateway.web.headers import accepts, stripped
from productive_gateway.web.pages import problem

Handler = Callable[[Request], Awaitable[Response]]

_PREFLIGHT: Final = {
    "access-control-allow-headers": (
        "Authorization, Content-Type, If-None-Match, MCP-Protocol-Version"
    ),
    "access-control-max-age": "600",
}


class Endpoint:
    """An ASGI app for one path."""

    def __init__(
        self, handlers: Mapping[str, Handler], *, cors: bool = False, hint: str = ""
    ) -> None:
        """Serve these methods.

        Args:
            handlers: by upper-case method; HEAD is served only if it is named.
            cors: pages of any origin may read the answers, without credentials: for clients that
                run in a browser, and only where no cookie counts.
            hint: what a client that uses another method should do instead.
        """
        self._handlers = dict(handlers)
        self._cors = cors
        self._hint = hint
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
        message = f"This address takes {self._allow} only. {self._hint}".rstrip()
        return _error(405, "method_not_allowed", message, allow=self._allow)


class ExactPaths:
    """An ASGI app that knows some paths exactly, and passes all others on.

    A router compares each path in turn with patterns, and copies what it is asked for.
    """

    def __init__(self, apps: Mapping[str, ASGIApp], others: ASGIApp) -> None:
        self._apps = dict(apps)
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        await self._apps.get(scope.get("path", ""), self._others)(scope, receive, send)


class NotFound:
    """An ASGI app for all paths at which there is nothing."""

    def __init__(self, resource: str) -> None:
        """Refer to the MCP endpoint at this URL."""
        self._hint = f"MCP clients connect to {resource}."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: with a page for a browser, else in JSON."""
        nothing = "There is nothing at this address."
        request = Request(scope, receive)
        response = (
            problem(request, 404, "Not found", nothing, self._hint, error="not_found")
            if accepts(stripped(scope), "text/html")
            else _error(404, "not_found", f"{nothing} {self._hint}")
        )
        await response(scope, receive, send)


def _error(status: int, error: str, message: str, **headers: str) -> Response:
    return JSONResponse({"error": error, "error_description": message}, status, headers=headers)


def _share(response: Response) -> None:
    response.headers["access-control-allow-origin"] = "*"
    response.headers["access-control-expose-headers"] = "ETag, Retry-After, WWW-Authenticate"
    response.headers["cross-origin-resource-policy"] = "cross-origin"
