"""What is measured: which request to which server, grouped by what is the same work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.mcp.wire import LEGACY, MODERN, Message, call, message

ADD = {"a": 19, "b": 23}
SUM = 42
CALL = "tools/call"
LIST = "tools/list of 60 tools"
DISCOVER = "server/discover"
REFUSED = "no token (401)"
TWO_REQUESTS = "get_me, two requests to Productive"

LABELS = {
    "asgi": "raw ASGI, no checks",
    "route": "Starlette route, no checks",
    "route-60": "Starlette route, as many bytes",
    "sdk-json": "SDK with bearer, JSON",
    "sdk-stream": "SDK with bearer, streams",
    "sdk-60": "SDK with bearer, JSON",
    "fastmcp": "FastMCP with bearer, JSON",
    "fastmcp-60": "FastMCP with bearer, JSON",
    "worker": "Worker with sign-in",
    "worker-direct": "Worker, without miniflare's entry",
    "worker-60": "Worker with sign-in",
    "gateway": "this gateway",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One row: a request that is sent over and over to one server."""

    group: str
    server: str
    """Its name in `LABELS`; of `site.SERVERS`, but for the Worker's second address."""
    revision: str
    message: Message
    refused: bool = False
    """Whether it is sent without a token, and 401 is the answer."""

    @property
    def label(self) -> str:
        return LABELS[self.server]

    @property
    def started_as(self) -> str:
        """Return the name of the server to start."""
        return self.server.removesuffix("-direct")


def cases() -> tuple[Case, ...]:
    """Return all rows, in the order of the table."""
    return (*_calls(), *_lists(), *_discoveries(), *_refusals(), *_upstream())


def _calls() -> Iterator[Case]:
    for revision in (MODERN, *LEGACY):
        asked = call("add", revision, **ADD)
        yield Case(CALL, "gateway", revision, asked)
        if revision == MODERN:
            for server in ("asgi", "route", "sdk-json", "sdk-stream", "worker-direct"):
                yield Case(CALL, server, revision, asked)
        if revision in (MODERN, LEGACY[0]):
            yield Case(CALL, "worker", revision, asked)
            yield Case(CALL, "fastmcp", revision, asked)
        if revision == LEGACY[0]:
            yield Case(CALL, "sdk-stream", revision, asked)


def _lists() -> Iterator[Case]:
    for revision in (MODERN, LEGACY[0]):
        asked = message("tools/list", revision)
        yield Case(LIST, "gateway", revision, asked)
        if revision == MODERN:
            for server in ("route-60", "sdk-60", "fastmcp-60", "worker-60"):
                yield Case(LIST, server, revision, asked)


def _discoveries() -> Iterator[Case]:
    asked = message("server/discover", MODERN)
    for server in ("gateway", "sdk-json", "fastmcp", "worker"):
        yield Case(DISCOVER, server, MODERN, asked)


def _refusals() -> Iterator[Case]:
    asked = call("add", MODERN, **ADD)
    for server in ("gateway", "sdk-json", "fastmcp", "worker"):
        yield Case(REFUSED, server, MODERN, asked, refused=True)


def _upstream() -> Iterator[Case]:
    for revision in (MODERN, LEGACY[0]):
        yield Case(TWO_REQUESTS, "gateway", revision, call("get_me", revision))
