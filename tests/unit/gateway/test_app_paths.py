"""Paths of the public port: what is served where, and what a wrong address is told."""

from __future__ import annotations

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from productive_gateway.app import mcp_routes, public_app
from productive_gateway.observability.metrics import REGISTRY
from productive_gateway.web.endpoint import Endpoint

RESOURCE = "https://mcp.example.test/mcp"
MCP_ACCEPT = {"accept": "application/json, text/event-stream"}


async def home(_: Request) -> Response:
    return PlainTextResponse("home")


def client() -> httpx.AsyncClient:
    routes = [
        Route("/", Endpoint({"GET": home}, hint=f"MCP clients connect to {RESOURCE}.")),
        *mcp_routes(PlainTextResponse("mcp")),
    ]
    transport = httpx.ASGITransport(app=public_app(routes, resource=RESOURCE))
    return httpx.AsyncClient(transport=transport, base_url="https://mcp.example.test")


def counted(route: str) -> float:
    labels = {"route": route, "method": "POST", "status": "200"}
    return REGISTRY.get_sample_value("productive_mcp_http_requests_total", labels) or 0.0


@pytest.mark.attack("L-14")
@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
async def test_the_endpoint_is_served_with_and_without_a_slash(path: str) -> None:
    before = counted("/mcp")
    async with client() as http:
        answer = await http.post(path, json={})
    assert (answer.status_code, answer.text) == (200, "mcp")
    assert counted("/mcp") == before + 1


@pytest.mark.attack("L-14", "L-15")
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    "path",
    [
        "/sse",
        "/mcp/sse",
        "/MCP",
        "/mcp//",
        "//mcp",
        "/token/",
        "/docs",
        "/openapi.json",
        "/metrics",
        "/livez",
        "/readyz",
        "/debug",
        "/.well-known/other",
    ],
)
async def test_a_wrong_path_is_told_the_right_address(method: str, path: str) -> None:
    async with client() as http:
        answer = await http.request(method, f"https://mcp.example.test{path}", headers=MCP_ACCEPT)
    assert answer.status_code == 404
    body = answer.json()
    assert body["error"] == "not_found"
    assert RESOURCE in body["error_description"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS"])
async def test_a_wrong_method_at_the_root_is_told_the_right_address(method: str) -> None:
    async with client() as http:
        answer = await http.request(method, "/", headers=MCP_ACCEPT)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"
    assert answer.json()["error"] == "method_not_allowed"
    assert RESOURCE in answer.json()["error_description"]


async def test_a_browser_gets_a_page_for_a_wrong_path() -> None:
    async with client() as http:
        answer = await http.get("/other", headers={"accept": "text/html,*/*;q=0.8"})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert RESOURCE in answer.text
