"""The outermost layer of the public port.

It gives each request an id, counts it, puts the protective headers on its answer, and answers an
unhandled error with 500.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Final

import structlog
from prometheus_client import Counter, Histogram
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from productive_gateway.observability.metrics import REQUEST_SECONDS, REQUESTS
from productive_gateway.observability.request_id import REQUEST_ID, new_request_id
from productive_gateway.observability.tracing import begin_request_span
from productive_gateway.web.protective_headers import protected
from productive_gateway.web.whole_answer import BEGINNINGS

_log = structlog.get_logger("http")

_GONE: Final = 499
"""Counted for a client that went away before it was answered; never sent."""


class RequestLog:
    """An ASGI app around the whole public port."""

    def __init__(self, app: ASGIApp, *, routes: Mapping[str, str]) -> None:
        """Wrap an app.

        Args:
            app: the public port.
            routes: label of each known path. Others share one: otherwise anybody could make any
                number of series.
        """
        self._app = app
        self._routes = dict(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = new_request_id()
        status = 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] in BEGINNINGS:
                status = message["status"]
                headers = protected(message.get("headers", ()))
                headers.append((b"x-request-id", request_id.encode()))
                message = {**message, "headers": headers}
            await send(message)

        route = self._routes.get(scope["path"], "other")
        started = time.perf_counter()
        outer = REQUEST_ID.set(request_id)
        method = _method(scope["method"])
        span = begin_request_span(method, route, request_id, scope["headers"])
        try:
            with suppress(ClientDisconnect):
                await self._app(scope, receive, counted)
            # Without an answer nobody was left to get one, and nothing went wrong here.
            status = status or _GONE
        except Exception:
            _log.exception("request.failed", route=route, method=scope["method"])
            if status:
                raise  # the answer has begun: all that is left is to cut the connection
            await _server_error(request_id)(scope, receive, counted)
        finally:
            REQUEST_ID.reset(outer)
            count, duration = _series(route, method, status)
            count.inc()
            duration.observe(time.perf_counter() - started)
            if span is not None:
                error = str(status) if status >= 500 else ""
                span.end({"http.response.status_code": status}, error_type=error)


@cache
def _series(route: str, method: str, status: int) -> tuple[Counter, Histogram]:
    """Return the series of these labels; kept, because finding them takes longer than counting."""
    return REQUESTS.labels(route, method, str(status)), REQUEST_SECONDS.labels(route)


def _server_error(request_id: str) -> ASGIApp:
    return PlainTextResponse(
        "Something went wrong on this server. Try again; if it happens again, give this number to "
        f"your administrator: {request_id}\n",
        status_code=500,
    )


def _method(method: str) -> str:
    return method if method in {"GET", "POST", "HEAD", "OPTIONS", "DELETE"} else "other"
