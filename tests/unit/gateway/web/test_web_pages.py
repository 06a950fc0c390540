"""The pages and the headers of every route."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import unescape
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from starlette.requests import Request

from harness.grantkit import ana
from harness.oauthkit import (
    PUBLIC_URL,
    RESOURCE,
    AuthorizationServer,
    authorization_server,
    handle_of,
    moved_on,
)
from productive_contract.mapping import State
from productive_gateway.web.pages import Link, connect_page, move_on, problem, render

CONNECTIONS = f"{PUBLIC_URL}/connections"


def request_of(accept: str) -> Request:
    return Request({"type": "http", "headers": [(b"accept", accept.encode())]})


async def pages(server: AuthorizationServer) -> list[httpx.Response]:
    """Return one answer of every kind of page."""
    client, browser = await server.register(), server.browser()
    consent = await browser.authorize(client["client_id"])
    approved = await browser.decide(consent)
    sign_in_page = await browser.http.get("/connections")
    await browser.tokens(client["client_id"])
    list_page = await browser.connections()
    form = {"handle": handle_of(list_page), "grant": "all"}
    disconnected = await browser.press("disconnect", form)
    server.people.people = {}
    url = moved_on(approved)
    refused = await browser.http.get(f"/callback?{server.provider.sign_in(url)}")
    return [
        await browser.http.get("/"),
        consent,
        approved,
        refused,
        await browser.http.get("/callback"),
        await browser.http.get("/authorize"),
        await browser.http.post("/authorize", data={"x": "y"}),
        sign_in_page,
        list_page,
        disconnected,
        await browser.press("disconnect"),
        await browser.http.get("/connections"),
    ]


@pytest.mark.attack("D-10", "D-11", "L-18")
async def test_every_page_is_protected() -> None:
    async with authorization_server() as server:
        for page in await pages(server):
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            policy = dict(
                part.strip().partition(" ")[::2]
                for part in page.headers["content-security-policy"].split(";")
            )
            assert policy["default-src"] == "'none'"
            assert policy["frame-ancestors"] == "'none'"
            assert policy["form-action"] == "'self'"
            assert policy["base-uri"] == "'none'"
            assert set(policy) == {
                "default-src",
                "style-src",
                "form-action",
                "frame-ancestors",
                "base-uri",
            }
            [style] = re.findall(r"<style>(.*?)</style>", page.text, re.DOTALL)
            digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
            assert policy["style-src"] == f"'sha256-{digest}'"
            assert page.headers["x-frame-options"] == "DENY"
            assert page.headers["x-content-type-options"] == "nosniff"
            assert page.headers["cache-control"] == "no-store"
            assert page.headers["referrer-policy"] in {"no-referrer", "same-origin"}
            assert page.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.attack("D-11", "D-13")
async def test_no_page_has_a_script_an_image_or_a_style_of_its_own() -> None:
    async with authorization_server() as server:
        for page in await pages(server):
            text = page.text.lower()
            for forbidden in (
                "<script",
                "<img",
                "<iframe",
                "<link",
                "style=",
                "onclick",
                "http-eq",
            ):
                assert forbidden not in text
            assert 'lang="en"' in text
            assert "<h1>" in text
            assert 'name="viewport"' in text


@pytest.mark.attack("F-10", "C-08")
async def test_only_pages_with_a_form_send_a_referrer_and_only_to_their_own_origin() -> None:
    async with authorization_server() as server:
        found = await pages(server)
        # Under no-referrer browsers would send `Origin: null` with the form.
        with_form = [page for page in found if "<form" in page.text]
        others = [page for page in found if "<form" not in page.text]
        assert len(with_form) == 4
        assert {page.headers["referrer-policy"] for page in with_form} == {"same-origin"}
        assert {page.headers["referrer-policy"] for page in others} == {"no-referrer"}


@pytest.mark.attack("L-18")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/authorize"),
        ("DELETE", "/authorize"),
        ("GET", "/callback"),
        ("GET", "/connections"),
        ("POST", "/connections/sign-in"),
        ("GET", "/connections/disconnect"),
        ("POST", "/connections/sign-out"),
        ("POST", "/callback"),
        ("POST", "/register"),
        ("OPTIONS", "/register"),
        ("GET", "/register"),
        ("POST", "/token"),
        ("POST", "/revoke"),
        ("GET", "/.well-known/oauth-authorization-server"),
        ("GET", "/.well-known/openid-configuration"),
        ("GET", "/.well-known/oauth-protected-resource"),
        ("GET", "/.well-known/oauth-protected-resource/mcp"),
    ],
)
async def test_every_answer_has_the_protective_headers(method: str, path: str) -> None:
    async with authorization_server() as server:
        answer = await server.browser().http.request(method, path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] in {"no-referrer", "same-origin"}
        assert "cross-origin-resource-policy" in answer.headers
        assert "server" not in answer.headers
        if "well-known" not in path:
            assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/.well-known/oauth-authorization-server"])
async def test_readable_paths_answer_head(path: str) -> None:
    async with authorization_server() as server:
        assert (await server.browser().http.head(path)).status_code == 200
        assert (await server.browser().http.post(path)).status_code == 405


async def test_the_start_page_says_how_to_connect() -> None:
    async with authorization_server() as server:
        page = await server.browser().http.get("/")
        text = unescape(page.text)
        assert f"claude mcp add --transport http productive {RESOURCE}" in text
        block = re.search(r"\{\s*\"mcpServers\".*?\n\}", text, re.DOTALL)
        assert block is not None
        assert json.loads(block[0]) == {
            "mcpServers": {"productive": {"type": "http", "url": RESOURCE}}
        }
        assert "it@example.com" in text
        assert "Who may sign in" not in text


def test_the_buttons_carry_the_address() -> None:
    text = unescape(bytes(connect_page(RESOURCE, connections=CONNECTIONS).body).decode())
    cursor = re.search(r"cursor://[^\"]+config=([^\"]+)", text)
    vscode = re.search(r"vscode:mcp/install\?([^\"]+)", text)
    assert cursor is not None
    assert vscode is not None
    assert json.loads(base64.b64decode(unquote(cursor[1]))) == {"url": RESOURCE}
    assert json.loads(unquote(vscode[1])) == {"name": "productive", "type": "http", "url": RESOURCE}


@pytest.mark.parametrize(
    ("local", "named"),
    [(True, True), (False, False)],
)
async def test_people_are_listed_in_local_mode_only(local: bool, named: bool) -> None:
    async with authorization_server(oauth={"local": local}) as server:
        other = ana(uid="other", email="ben@example.com", state=State.SUSPENDED)
        server.people.put(other)
        text = (await server.browser().http.get("/")).text
        assert ("ana@example.com" in text) is named
        assert "ben@example.com" not in text
        server.people.people = None
        assert (await server.browser().http.get("/")).status_code == 200


def test_the_local_page_lists_the_services_in_use() -> None:
    text = bytes(
        connect_page(
            RESOURCE, connections=CONNECTIONS, parts=[("Sign-in", "http://127.0.0.1:9/x")]
        ).body
    ).decode()
    assert "What runs here" in text
    assert "http://127.0.0.1:9/x" in text
    assert (
        "What runs here" not in bytes(connect_page(RESOURCE, connections=CONNECTIONS).body).decode()
    )


@pytest.mark.attack("G-01", "D-12")
def test_every_value_is_escaped() -> None:
    evil = "<script>alert(1)</script>\"'"
    answers: list[Any] = [
        problem(request_of("text/html"), 400, evil, evil, error="x", link=Link("https://a/", evil)),
        render(
            "consent",
            host=evil,
            action=f"{PUBLIC_URL}/authorize",
            client_name=evil,
            redirect_address=evil,
            named=False,
            loopback=False,
            scheme=evil,
            described_by=evil,
            anybody=True,
            permissions=[evil],
            handle=evil,
        ),
        render(
            "no_access",
            host=evil,
            email=evil,
            admin_contact=evil,
            again=evil,
            link=Link("https://a.example/", evil),
        ),
        connect_page(RESOURCE, connections=evil, admin_contact=evil, people=[evil]),
        move_on("https://a.example/", where=evil),
    ]
    for answer in answers:
        assert b"<script" not in answer.body


@pytest.mark.parametrize(
    ("accept", "json_asked"),
    [
        ("application/json", True),
        ("application/json, */*", True),
        ("text/html,application/xhtml+xml", False),
        ("text/html, application/json", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_accept_decides_between_json_and_a_page(accept: str, json_asked: bool) -> None:
    answer = problem(request_of(accept), 400, "Title", "Sentence.", error="invalid_request")
    kind = answer.headers["content-type"]
    assert kind.startswith("application/json" if json_asked else "text/html")
    if json_asked:
        assert json.loads(bytes(answer.body)) == {
            "error": "invalid_request",
            "error_description": "Title. Sentence.",
        }


def test_the_continue_page_moves_on_by_itself_or_by_a_click() -> None:
    page = move_on("https://idp.example/authorize?a=1&b=%22", where="your sign-in")
    assert page.headers["refresh"] == "0; url=https://idp.example/authorize?a=1&b=%22"
    assert b'href="https://idp.example/authorize?a=1&amp;b=%22"' in page.body
