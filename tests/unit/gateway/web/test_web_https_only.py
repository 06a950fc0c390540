"""Plain http in front of the gateway is refused, never redirected."""

from __future__ import annotations

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from structlog.testing import capture_logs

from productive_gateway.app import mcp_routes, public_app
from productive_gateway.web.caller_address import CallerAddresses, parse_proxies
from productive_gateway.web.endpoint import Endpoint

PUBLIC = "https://mcp.example.test"
TRUSTED = CallerAddresses(parse_proxies(["10.0.0.0/8"]))


async def served(_: Request) -> Response:
    return PlainTextResponse("served")


def client(
    *, peer: str = "10.0.0.1", addresses: CallerAddresses = TRUSTED, public: str = PUBLIC
) -> httpx.AsyncClient:
    routes = [
        Route("/token", Endpoint({"POST": served}, cors=True)),
        *mcp_routes(PlainTextResponse("served")),
    ]
    app = public_app(routes, resource=f"{public}/mcp", addresses=addresses)
    transport = httpx.ASGITransport(app=app, client=(peer, 1))
    return httpx.AsyncClient(transport=transport, base_url=public)


@pytest.mark.attack("L-17")
@pytest.mark.parametrize("path", ["/mcp", "/token", "/other"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_in_clear_is_refused_with_words_and_no_redirect(
    path: str, method: str
) -> None:
    headers = {"x-forwarded-proto": "http", "authorization": "Bearer pmcp_at_x"}
    async with client() as http:
        answer = await http.request(method, path, headers=headers)
    assert answer.status_code == 400
    assert "location" not in answer.headers
    body = answer.json()
    assert body["error"] == "https_required"
    assert PUBLIC in body["error_description"]
    assert "sign in again" in body["error_description"]
    assert "pmcp_at_x" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


async def test_a_browser_gets_a_page_with_the_encrypted_address() -> None:
    headers = {"x-forwarded-proto": "http", "accept": "text/html"}
    async with client() as http:
        answer = await http.get("/mcp", headers=headers)
    assert answer.status_code == 400
    assert f'href="{PUBLIC}"' in answer.text
    assert "refresh" not in answer.headers


async def test_the_log_explains_it_once_a_minute() -> None:
    with capture_logs() as lines:
        async with client() as http:
            for _ in range(20):
                await http.post("/mcp", headers={"x-forwarded-proto": "http"})
    assert [line["event"] for line in lines] == ["http.in_clear"]


@pytest.mark.attack("L-12")
async def test_only_a_trusted_proxy_can_say_so() -> None:
    headers = {"x-forwarded-proto": "http"}
    for other in (
        client(peer="192.0.2.1"),
        client(addresses=CallerAddresses(())),
        # A person's own machine has no TLS at all.
        client(public="http://localhost:8787"),
    ):
        async with other as http:
            assert (await http.post("/mcp", headers=headers)).text == "served"
    async with client() as http:
        for said in ("https", "https, http"):
            answer = await http.post("/mcp", headers={"x-forwarded-proto": said})
            assert answer.text == "served"
