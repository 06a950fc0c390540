"""The outermost layer: ids of requests, and labels that nobody outside can choose."""

from __future__ import annotations

import re

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from harness.measured import counted
from productive_gateway.observability.request_id import REQUEST_ID
from productive_gateway.web.request_log import RequestLog

REQUESTS = "productive_mcp_http_requests_total"
SECONDS = "productive_mcp_http_request_seconds_count"


async def shows_id(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(REQUEST_ID.get())(scope, receive, send)


def client() -> httpx.AsyncClient:
    transport = httpx.ASGITransport(RequestLog(shows_id, routes={"/known": "/known"}))
    return httpx.AsyncClient(transport=transport, base_url="https://mcp.example.test")


@pytest.mark.parametrize(
    ("method", "path", "labels"),
    [
        ("GET", "/known", ("GET", "/known")),
        ("GET", "/canary", ("GET", "other")),
        ("GET", "/known/", ("GET", "other")),
        ("CANARY", "/known", ("other", "/known")),
        ("get", "/known", ("GET", "/known")),
        ("PROPFIND", "/canary?canary", ("other", "other")),
    ],
)
async def test_labels_are_of_a_fixed_set(method: str, path: str, labels: tuple[str, str]) -> None:
    async with client() as http:
        with counted(REQUESTS) as requests, counted(SECONDS) as seconds:
            await http.request(method, path)
    known, route = labels
    assert requests == {(("method", known), ("route", route), ("status", "200")): 1}
    assert seconds == {(("route", route),): 1}


async def test_id_that_a_client_sends_is_ignored() -> None:
    canary = "0123456789abcdef"
    async with client() as http:
        for name in ("x-request-id", "request-id", "x-correlation-id"):
            answer = await http.get("/known", headers={name: canary})
            assert re.fullmatch("[0-9a-f]{16}", answer.text)
            assert answer.text != canary
            assert answer.headers.get_list("x-request-id") == [answer.text]


async def test_id_is_gone_after_the_request() -> None:
    scope = {"type": "http", "method": "GET", "path": "/known", "headers": []}

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    async def send(_: object) -> None:
        assert REQUEST_ID.get()

    await RequestLog(shows_id, routes={})(scope, receive, send)
    assert REQUEST_ID.get() == ""


async def test_client_that_went_away_before_any_answer_is_counted_as_gone() -> None:
    async def unanswered(_scope: Scope, _receive: Receive, _send: Send) -> None:
        """Return as an application does that found nobody to answer."""

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(_: object) -> None:
        raise AssertionError("nothing may be sent")

    scope = {"type": "http", "method": "POST", "path": "/known", "headers": []}
    with counted(REQUESTS) as requests:
        await RequestLog(unanswered, routes={"/known": "/known"})(scope, receive, send)
    assert requests == {(("method", "POST"), ("route", "/known"), ("status", "499")): 1}
