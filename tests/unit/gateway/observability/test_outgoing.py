"""Requests to Productive and to the sign-in provider are measured, however they end."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from harness.mcpkit import principal, simulated_tools
from harness.measured import Labels, counted
from productive_gateway.observability.outgoing import ProviderRequest
from productive_gateway.productive.wire.errors import ProductiveError
from productive_gateway.upstream.document import fetch_object
from productive_gateway.upstream.errors import UpstreamRefused, UpstreamUnavailable

PRODUCTIVE = "http_client_request_duration_seconds_count"
JSON = {"content-type": "application/json"}
PROVIDER = "productive_mcp_provider_request_duration_seconds_count"


def productive(method: str, status: str = "", error: str = "") -> Labels:
    labels = {
        "error_type": error,
        "http_request_method": method,
        "http_response_status_code": status,
    }
    return tuple((name, value) for name, value in labels.items() if value)


async def test_a_request_to_productive_is_measured_by_method_and_status() -> None:
    async with simulated_tools() as tools:
        session = tools.api.session(principal())
        with counted(PRODUCTIVE) as grown:
            await session.identity()
            with pytest.raises(ProductiveError):
                await session.get("/projects/1")
    assert grown == {productive("GET", "200"): 1, productive("GET", "404", "404"): 1}
    assert session.seconds > 0


async def test_a_request_without_an_answer_is_measured_by_its_failure() -> None:
    async with simulated_tools() as tools:
        session = tools.api.session(principal())
        await session.identity()

        async def fail(request: httpx.Request) -> None:
            raise httpx.ReadTimeout("slow", request=request)

        tools.transport.before = fail
        with counted(PRODUCTIVE) as grown, pytest.raises(ProductiveError):
            await session.get("/projects")
    assert grown == {productive("GET", error="ReadTimeout"): 3}


async def test_a_request_that_is_cancelled_is_measured_as_such() -> None:
    async with simulated_tools() as tools:
        session = tools.api.session(principal())
        await session.identity()
        reached = asyncio.Event()

        async def hang(_: httpx.Request) -> None:
            reached.set()
            await asyncio.Event().wait()

        tools.transport.before = hang
        with counted(PRODUCTIVE) as grown:
            running = asyncio.create_task(session.get("/projects"))
            await reached.wait()
            running.cancel()
            await asyncio.wait([running])
    assert grown == {productive("GET", error="CancelledError"): 1}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (httpx.Response(200, headers=JSON, stream=httpx.ByteStream(b"{}")), "ok"),
        (httpx.Response(200, headers=JSON, stream=httpx.ByteStream(b"[]")), "refused"),
        (httpx.Response(404), "refused"),
        (httpx.Response(503), "unavailable"),
        (httpx.ConnectError("away"), "unavailable"),
    ],
)
async def test_a_document_of_the_provider_is_measured_by_its_outcome(
    answer: httpx.Response | Exception, outcome: str
) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as http:
        with counted(PROVIDER) as grown:
            try:
                await fetch_object(http, "https://idp.example/keys", what="jwks")
            except (UpstreamRefused, UpstreamUnavailable):
                assert outcome != "ok"
    assert grown == {(("outcome", outcome), ("request", "jwks")): 1}


@pytest.mark.parametrize("error", [asyncio.CancelledError(), UpstreamUnavailable("", reason="x")])
async def test_a_request_to_the_provider_that_nobody_waited_for_is_unavailable(
    error: BaseException,
) -> None:
    request = ProviderRequest("token", UpstreamUnavailable)
    with counted(PROVIDER) as grown, pytest.raises(type(error)), request:
        raise error
    assert grown == {(("outcome", "unavailable"), ("request", "token")): 1}


async def test_look_ups_in_the_cache_of_productive_are_counted() -> None:
    async with simulated_tools() as tools:
        session = tools.api.session(principal())
        go = asyncio.Event()

        async def wait(_: Any) -> None:
            await go.wait()

        tools.transport.before = wait
        with counted("productive_mcp_cache_requests_total") as grown:
            both = asyncio.gather(session.identity(), session.identity())
            await asyncio.sleep(0)
            go.set()
            await both
            await session.identity()
    assert grown == {
        (("cache", "productive"), ("outcome", outcome)): 1 for outcome in ("miss", "shared", "hit")
    }
