from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from starlette.types import Message

from harness.mcpkit import (
    JSON_HEADERS,
    METADATA,
    PUBLIC,
    McpServer,
    mcp_server,
    principal,
    request,
    result_of,
)
from productive_gateway.errors import AccessDenied, Unavailable
from productive_gateway.mcp.config import McpConfig
from productive_gateway.people.scopes import READ
from productive_gateway.web.headers import bearer, stripped

CHALLENGE = f'Bearer resource_metadata="{METADATA}", scope="productive:read productive:write"'
LIST = request("tools/list")
EVERY_METHOD = (
    "initialize",
    "ping",
    "server/discover",
    "tools/list",
    "tools/call",
    "subscriptions/listen",
    "notifications/initialized",
    "made/up",
)


async def raw(
    mcp: McpServer, headers: list[tuple[bytes, bytes]], body: bytes = b"{}", method: str = "POST"
) -> tuple[int, dict[str, str], bytes]:
    """Send exactly these headers, as no HTTP client would."""
    sent: list[Message] = []
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if waiting:
            return waiting.pop()
        await asyncio.Event().wait()
        raise AssertionError("nothing further comes")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": "/mcp",
        "query_string": b"",
        "headers": headers,
    }
    await mcp.endpoint(scope, receive, send)
    answered = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return sent[0]["status"], answered, b"".join(m.get("body", b"") for m in sent[1:])


@pytest.mark.rule("R2")
@pytest.mark.attack("L-01")
async def test_request_without_token_gets_challenge_without_error_code() -> None:
    async with mcp_server() as mcp:
        response = await mcp.post(LIST, token=None)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == CHALLENGE
        assert response.headers["cache-control"] == "no-store"
        assert set(response.json()) == {"error_description"}
        assert mcp.tokens.asked == []


@pytest.mark.rule("R3")
@pytest.mark.attack("L-05")
@pytest.mark.parametrize("method", EVERY_METHOD)
@pytest.mark.parametrize("version", [None, "2025-03-26", "2025-11-25", "2026-07-28"])
async def test_every_method_of_every_revision_needs_a_token(
    method: str, version: str | None
) -> None:
    async with mcp_server() as mcp:
        response = await mcp.post(request(method), token=None, version=version)
        assert response.status_code == 401
        assert mcp.tools.requests() == []


@pytest.mark.rule("R2")
@pytest.mark.attack("L-02")
@pytest.mark.parametrize("token", ["unknown", "a.b", "x" * 4096, "good="])
async def test_invalid_token_gets_challenge_with_error_code(token: str) -> None:
    async with mcp_server() as mcp:
        response = await mcp.post(LIST, token=token)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == f'{CHALLENGE}, error="invalid_token"'
        assert response.json()["error"] == "invalid_token"
        assert response.json()["error_description"].endswith(".")


@pytest.mark.attack("L-03")
@pytest.mark.parametrize(
    ("value", "status"),
    [
        (b"Bearer good", 200),
        (b"bearer good", 200),
        (b"BEARER  good", 200),
        (b"Bearer good \t", 200),
        (b"Bearer", 401),
        (b"Bearer ", 401),
        (b"Bearer good good", 401),
        (b"Bearer Bearer good", 401),
        (b"Bearer good, Bearer good", 401),
        (b'Bearer "good"', 401),
        (b"Bearer go\xc3\xb6d", 401),
        (b"Bearer " + b"x" * 5000, 401),
        (b"Basic Z29vZA==", 401),
        (b"Bearergood", 401),
        (b"good", 401),
        (b"", 401),
    ],
)
async def test_token_is_read_strictly_and_scheme_in_any_case(value: bytes, status: int) -> None:
    async with mcp_server() as mcp:
        headers = [
            (b"host", b"mcp.example.test"),
            (b"authorization", value),
            *((k.encode(), v.encode()) for k, v in JSON_HEADERS.items()),
        ]
        answered, _, _ = await raw(mcp, headers, json.dumps(LIST).encode())
        assert answered == status


@pytest.mark.attack("L-03")
async def test_two_authorization_headers_are_refused() -> None:
    async with mcp_server() as mcp:
        headers = [
            (b"host", b"mcp.example.test"),
            (b"authorization", b"Bearer good"),
            (b"authorization", b"Bearer good"),
        ]
        status, answered, _ = await raw(mcp, headers)
        assert status == 400
        assert "www-authenticate" not in answered
        assert mcp.tokens.asked == []


@pytest.mark.rule("R3")
@pytest.mark.attack("L-03", "L-13")
async def test_token_outside_the_authorization_header_is_ignored() -> None:
    async with mcp_server() as mcp:
        for elsewhere in (
            {"cookie": "access_token=good"},
            {"x-auth-token": "good"},
            {"x-user-email": "ana.kovac@northlight.example"},
            {"cf-access-jwt-assertion": "good"},
        ):
            response = await mcp.http.post(
                "/mcp?access_token=good",
                json={**LIST, "access_token": "good"},
                headers={**JSON_HEADERS, **elsewhere},
            )
            assert response.status_code == 401
        assert mcp.tokens.asked == []


@pytest.mark.rule("R5")
@pytest.mark.attack("L-13")
async def test_client_headers_never_reach_productive() -> None:
    async with mcp_server() as mcp:
        seen: list[httpx.Request] = []

        async def keep(sent: httpx.Request) -> None:
            seen.append(sent)

        mcp.tools.transport.before = keep
        message = request("tools/call", name="get_me", arguments={})
        await mcp.post(message, x_auth_token="canary", x_organization_id="1300")
        assert {sent.headers["x-organization-id"] for sent in seen} == {"1200"}
        assert "canary" not in str([sent.headers for sent in seen])


@pytest.mark.attack("L-06")
@pytest.mark.parametrize("session", ["of-somebody-else", "good", "x" * 4096])
async def test_session_handle_of_a_client_is_no_identity(session: str) -> None:
    async with mcp_server() as mcp:
        refused = await mcp.http.post("/mcp", json=LIST, headers={"mcp-session-id": session})
        assert refused.status_code == 401
        message = request("tools/call", name="get_me", arguments={})
        answers = [await mcp.post(message), await mcp.post(message, mcp_session_id=session)]
        people = [result_of(one)["result"]["structuredContent"]["person"] for one in answers]
        assert people[0] == people[1]
        assert "mcp-session-id" not in answers[1].headers


@pytest.mark.attack("M-09")
async def test_suspended_person_gets_the_reason_and_no_challenge() -> None:
    async with mcp_server() as mcp:
        mcp.tokens.known["good"] = AccessDenied("Suspended. Ask IT.", reason="suspended")
        response = await mcp.post(LIST)
        assert response.status_code == 403
        assert "www-authenticate" not in response.headers
        assert response.json() == {"error": "suspended", "error_description": "Suspended. Ask IT."}


async def test_unavailable_gateway_answers_503_with_retry_after() -> None:
    async with mcp_server() as mcp:
        mcp.tokens.known["good"] = Unavailable("Away.", reason="grants", retry_after=7)
        for response in (
            await mcp.post(LIST),
            await mcp.http.get("/mcp", headers={"authorization": "Bearer good"}),
        ):
            assert response.status_code == 503
            assert response.headers["retry-after"] == "7"
            assert "www-authenticate" not in response.headers


@pytest.mark.attack("L-05")
@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"])
async def test_other_http_methods_need_a_token_and_get_405(method: str) -> None:
    async with mcp_server() as mcp:
        headers = {"accept": "text/event-stream"}
        without = await mcp.http.request(method, "/mcp", headers=headers)
        assert without.status_code == 401
        assert without.headers["www-authenticate"] == CHALLENGE
        headers["authorization"] = "Bearer good"
        with_token = await mcp.http.request(method, "/mcp", headers=headers)
        assert with_token.status_code == 405
        assert with_token.headers["allow"] == "POST"


@pytest.mark.attack("L-05")
async def test_browser_without_token_gets_the_connect_page() -> None:
    async with mcp_server() as mcp:
        page = await mcp.http.get("/mcp", headers={"accept": "text/html,*/*;q=0.8"})
        assert page.status_code == 200
        assert "Connect" in page.text
        for headers in ({"accept": "*/*"}, {"accept": "text/event-stream"}, {}):
            assert (await mcp.http.get("/mcp", headers=headers)).status_code == 401
        headers = {"accept": "text/html", "authorization": "Bearer good"}
        assert (await mcp.http.get("/mcp", headers=headers)).status_code == 405


@pytest.mark.attack("L-07")
@pytest.mark.parametrize(
    ("origin", "local", "status"),
    [
        (None, False, 200),
        (PUBLIC, False, 200),
        ("https://tools.example", False, 200),
        ("https://evil.example", False, 403),
        ("http://mcp.example.test", False, 403),
        ("https://sub.mcp.example.test", False, 403),
        ("https://mcp.example.test.evil.example", False, 403),
        ("https://mcp.example.test:8443", False, 403),
        ("null", False, 403),
        ("http://localhost:6274", False, 403),
        ("http://localhost:6274", True, 200),
        ("http://127.0.0.1:1", True, 200),
        ("http://[::1]:6274", True, 200),
        ("http://localhost.evil.example", True, 403),
        ("http://localhost@evil.example", True, 403),
        ("file://localhost", True, 403),
        ("null", True, 403),
    ],
)
async def test_only_allowed_origins_may_call(
    origin: str | None, status: int, *, local: bool
) -> None:
    config = {"allowed_origins": ["https://tools.example"], "local": local}
    async with mcp_server(config=config) as mcp:
        headers = {"origin": origin} if origin else {}
        response = await mcp.post(LIST, **headers)
        assert response.status_code == status
        shared = response.headers.get("access-control-allow-origin")
        assert shared == (origin if status == 200 else None)
        assert response.headers["vary"] == "Origin"


async def test_allowed_page_may_read_the_challenge() -> None:
    async with mcp_server() as mcp:
        response = await mcp.post(LIST, token=None, origin=PUBLIC)
        assert response.status_code == 401
        assert "WWW-Authenticate" in response.headers["access-control-expose-headers"]


async def test_preflight_of_an_allowed_page_is_answered() -> None:
    async with mcp_server() as mcp:
        asked = {"origin": PUBLIC, "access-control-request-method": "POST"}
        response = await mcp.http.options("/mcp", headers=asked)
        assert response.status_code == 204
        assert response.headers["access-control-allow-methods"] == "POST"
        allowed = response.headers["access-control-allow-headers"].lower().split(", ")
        assert {"authorization", "content-type", "mcp-protocol-version", "mcp-name"} <= set(allowed)
        assert "access-control-allow-credentials" not in response.headers
        evil = await mcp.http.options("/mcp", headers={**asked, "origin": "https://evil.test"})
        assert evil.status_code == 403
        assert "access-control-allow-origin" not in evil.headers


@pytest.mark.attack("L-08")
@pytest.mark.parametrize(
    ("host", "local", "served"),
    [
        ("mcp.example.test", False, True),
        ("MCP.example.test", False, True),
        ("mcp.example.test:443", False, True),
        ("mcp.example.test:8443", False, False),
        ("mcp.example.test:80", False, False),
        ("evil.example", False, False),
        ("mcp.example.test.evil.example", False, False),
        ("user@mcp.example.test", False, False),
        ("mcp.example.test/x", False, False),
        ("mcp.example.test:x", False, False),
        ("mcp.example.test\t", False, False),
        ("203.0.113.7", False, False),
        ("localhost", False, False),
        ("", False, False),
        ("[::1", True, False),
        ("localhost:8787", True, True),
        ("127.0.0.1:9", True, True),
        ("[::1]:8787", True, True),
        ("evil.example", True, False),
    ],
)
def test_only_the_public_host_is_served(host: str, *, local: bool, served: bool) -> None:
    config = McpConfig(PUBLIC, f"{PUBLIC}/mcp", METADATA, local=local)
    assert config.serves_host(host) is served


@pytest.mark.attack("L-08")
@pytest.mark.parametrize("hosts", [[], [b"evil.example"], [b"mcp.example.test"] * 2])
async def test_request_for_another_host_gets_421(hosts: list[bytes]) -> None:
    async with mcp_server() as mcp:
        headers = [(b"host", host) for host in hosts] + [(b"authorization", b"Bearer good")]
        status, answered, body = await raw(mcp, headers)
        assert status == 421
        assert PUBLIC in body.decode()
        assert "evil" not in body.decode() + str(answered)
        assert mcp.tokens.asked == []


@pytest.mark.rule("R6")
@pytest.mark.attack("L-04")
async def test_tool_that_needs_more_scope_gets_challenge_for_all_scopes() -> None:
    async with mcp_server() as mcp:
        mcp.tokens.known["good"] = principal(scopes=frozenset({READ}))
        message = request("tools/call", name="log_time", arguments={"entries": []})
        response = await mcp.post(message)
        assert response.status_code == 403
        assert response.headers["www-authenticate"] == f'{CHALLENGE}, error="insufficient_scope"'
        assert response.json()["error"] == "insufficient_scope"
        modern = await mcp.modern("tools/call", name="log_time", arguments={})
        assert modern.status_code == 403
        allowed = await mcp.post(request("tools/call", name="get_me", arguments={}))
        assert result_of(allowed)["result"]["isError"] is False
        assert mcp.tools.requests("POST") == []


@pytest.mark.attack("L-04")
async def test_scope_check_reads_the_tool_from_the_body_not_the_header() -> None:
    async with mcp_server() as mcp:
        mcp.tokens.known["good"] = principal(scopes=frozenset({READ}))
        message = request("tools/call", name="log_time", arguments={})
        response = await mcp.post(
            message, version="2026-07-28", mcp_method="tools/call", mcp_name="get_me"
        )
        assert response.status_code == 403


async def test_read_only_person_gets_tool_error_instead_of_challenge() -> None:
    async with mcp_server(read_only=True) as mcp:
        mcp.tokens.known["good"] = principal(scopes=frozenset({READ}))
        response = await mcp.post(request("tools/call", name="log_time", arguments={}))
        result = result_of(response)["result"]
        assert result["isError"] is True
        assert result["structuredContent"]["error"]["code"] == "not_allowed_here"


@pytest.mark.attack("L-09")
async def test_body_is_bounded_whatever_content_length_says() -> None:
    async with mcp_server() as mcp:
        exact = b" " * (4 * 1024 * 1024)
        assert (await mcp.post(exact)).status_code == 400
        assert (await mcp.post(exact + b" ")).status_code == 413

        async def chunks() -> Any:
            for _ in range(65):
                yield b" " * 65536

        headers = {**JSON_HEADERS, "authorization": "Bearer good"}
        response = await mcp.http.post("/mcp", content=chunks(), headers=headers)
        assert response.status_code == 413


@pytest.mark.attack("L-09")
@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"\x1f\x8b", {"content-encoding": "gzip"}, 415),
        (b"[" * 100_000, {}, 400),
        (b'{"a":' * 100_000, {}, 400),
        (json.dumps([LIST] * 10_000).encode(), {}, 400),
        (b"\xff\xfe", {}, 400),
        (b"9" * 10_000, {}, 400),
        (b"", {}, 400),
    ],
)
@pytest.mark.parametrize("version", [None, "2025-11-25", "2026-07-28"])
async def test_malformed_bodies_are_refused(
    body: bytes, headers: dict[str, str], status: int, version: str | None
) -> None:
    async with mcp_server() as mcp:
        response = await mcp.post(body, version=version, **headers)
        assert response.status_code == status


@pytest.mark.attack("L-18")
async def test_every_response_has_the_security_headers() -> None:
    async with mcp_server() as mcp:
        call = request("tools/call", name="get_me", arguments={})
        answers = [
            await mcp.post(LIST),
            await mcp.post(LIST, token=None),
            await mcp.post(call),
            await mcp.post(call, version="2025-03-26"),
            await mcp.modern("tools/call", name="get_me", arguments={}),
            await mcp.post(b"["),
            await mcp.http.get("/mcp", headers={"accept": "text/html"}),
            await mcp.http.delete("/mcp", headers={"authorization": "Bearer good"}),
        ]
        for response in answers:
            assert response.headers["x-content-type-options"] == "nosniff"
            assert response.headers["referrer-policy"] == "no-referrer"
            assert response.headers["cross-origin-resource-policy"] == "same-origin"
            assert response.headers["cache-control"].startswith("no-store")
            assert "server" not in response.headers


def test_whitespace_around_header_values_is_ignored() -> None:
    headers = stripped({"headers": [(b"Mcp-Name", b" get_me \t"), (b"Authorization", b"Bearer a")]})
    assert headers == [(b"mcp-name", b"get_me"), (b"authorization", b"Bearer a")]
    assert bearer(headers) == "a"


async def test_whitespace_after_a_routing_header_is_ignored() -> None:
    async with mcp_server() as mcp:
        message = request(
            "tools/call",
            name="get_me",
            arguments={},
            _meta={
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        )
        headers = [
            (b"host", b"mcp.example.test"),
            (b"authorization", b"Bearer good"),
            (b"mcp-protocol-version", b"2026-07-28 "),
            (b"mcp-method", b"tools/call\t"),
            (b"mcp-name", b"get_me  "),
            *((k.encode(), v.encode()) for k, v in JSON_HEADERS.items()),
        ]
        status, _, body = await raw(mcp, headers, json.dumps(message).encode())
        assert status == 200
        assert json.loads(body)["result"]["isError"] is False
