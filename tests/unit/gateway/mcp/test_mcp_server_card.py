"""The server card and the catalog: how a client finds this server before it connects."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from harness.localsettings import LOCAL, LOCAL_SETTINGS
from harness.mcpkit import METADATA, PUBLIC, RESOURCE, McpServer, mcp_server, request, result_of
from productive_gateway.app import compose
from productive_gateway.mcp.config import McpConfig
from productive_gateway.mcp.server_card import catalog, server_card
from productive_gateway.settings import load_settings

CONFIG = McpConfig(PUBLIC, RESOURCE, METADATA, server_version="1.2.3")
CARD, CATALOG, ICON = "/mcp/server-card", "/.well-known/ai-catalog.json", "/icon.png"
PATHS = (CARD, CATALOG, ICON)


@asynccontextmanager
async def public_port() -> AsyncIterator[httpx.AsyncClient]:
    """The public port of a whole gateway."""
    async with compose(load_settings(LOCAL_SETTINGS)) as gateway:
        transport = httpx.ASGITransport(app=gateway.public)
        async with httpx.AsyncClient(transport=transport, base_url=LOCAL) as client:
            yield client


async def initialized(mcp: McpServer, revision: str) -> dict[str, Any]:
    message = request(
        "initialize",
        protocolVersion=revision,
        capabilities={},
        clientInfo={"name": "test", "version": "1"},
    )
    found: dict[str, Any] = result_of(await mcp.post(message, version=None))["result"]
    return found


def test_card_is_of_the_form_that_the_extension_prescribes() -> None:
    card = server_card(CONFIG)
    assert set(card) <= {
        "$schema",
        "name",
        "version",
        "description",
        "title",
        "websiteUrl",
        "icons",
        "remotes",
    }
    assert card["$schema"].endswith("/schemas/v1/server-card.schema.json")
    assert card["name"] == "test.example.mcp/productive"
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", card["name"])
    assert 1 <= len(card["description"]) <= 100
    assert 1 <= len(card["title"]) <= 100
    [remote] = card["remotes"]
    assert (remote["type"], remote["url"]) == ("streamable-http", RESOURCE)


@pytest.mark.parametrize(
    ("public_url", "name"),
    [
        ("https://mcp.example.com/pm", "com.example.mcp/productive"),
        ("http://localhost:8787", "localhost/productive"),
        ("http://127.0.0.1:8787", "127.0.0.1/productive"),
        ("http://[::1]:8787", "--1/productive"),
    ],
)
def test_name_of_the_card_is_of_the_public_host(public_url: str, name: str) -> None:
    config = McpConfig(public_url, f"{public_url}/mcp", METADATA)
    assert server_card(config)["name"] == name
    assert server_card(config)["icons"][0]["src"] == f"{public_url}/icon.png"
    [entry] = catalog(config)["entries"]
    assert entry["url"] == f"{public_url}/mcp/server-card"
    assert entry["identifier"].count(":") == 4


async def test_card_says_what_discover_says() -> None:
    card = server_card(CONFIG)
    async with mcp_server() as mcp:
        result = result_of(await mcp.modern("server/discover"))["result"]
    info = result["_meta"]["io.modelcontextprotocol/serverInfo"]
    assert info.pop("name") == card["name"].rpartition("/")[2]
    assert set(info) == {"version", "title", "websiteUrl", "icons"}
    assert info == {name: card[name] for name in info}
    assert set(result["supportedVersions"]) <= set(card["remotes"][0]["supportedProtocolVersions"])


async def test_every_revision_of_the_card_is_served() -> None:
    card = server_card(CONFIG)
    async with mcp_server() as mcp:
        discovered = result_of(await mcp.modern("server/discover"))["result"]["supportedVersions"]
        for revision in card["remotes"][0]["supportedProtocolVersions"]:
            if revision not in discovered:
                answer = await initialized(mcp, revision)
                assert answer["protocolVersion"] == revision
                assert answer["serverInfo"]["version"] == card["version"]


async def test_client_of_the_last_handshake_gets_the_icon() -> None:
    async with mcp_server() as mcp:
        info = (await initialized(mcp, "2025-11-25"))["serverInfo"]
    assert info["title"] == "Productive"
    assert info["websiteUrl"] == PUBLIC
    assert info["icons"] == server_card(CONFIG)["icons"]


async def test_identity_adds_little_to_each_result() -> None:
    """Every result of 2026-07-28 carries it."""
    async with mcp_server() as mcp:
        result = result_of(await mcp.modern("tools/call", name="get_me", arguments={}))["result"]
    assert len(str(result["_meta"])) < 400


async def test_catalog_leads_to_the_card_and_the_card_to_the_icon() -> None:
    async with public_port() as http:
        found = await http.get(CATALOG)
        assert found.headers["content-type"] == "application/ai-catalog+json"
        [entry] = found.json()["entries"]
        assert entry["type"] == "application/mcp-server-card+json"
        assert entry["url"] == f"{LOCAL}{CARD}"
        card = await http.get(entry["url"])
        assert card.headers["content-type"] == entry["type"]
        [icon] = card.json()["icons"]
        picture = await http.get(icon["src"])
    assert picture.headers["content-type"] == icon["mimeType"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    # Width and height are in the header chunk.
    width, height = (int.from_bytes(picture.content[at : at + 4]) for at in (16, 20))
    assert icon["sizes"] == [f"{width}x{height}"]


@pytest.mark.attack("N-08")
async def test_any_page_may_read_and_keep_what_is_public() -> None:
    asking = {
        "origin": "https://app.example",
        "access-control-request-method": "GET",
        "access-control-request-headers": "if-none-match",
    }
    async with public_port() as http:
        for path in PATHS:
            answer = await http.get(path, headers={"origin": "https://app.example"})
            assert answer.status_code == 200
            assert answer.headers["access-control-allow-origin"] == "*"
            assert "access-control-allow-credentials" not in answer.headers
            assert "ETag" in answer.headers["access-control-expose-headers"]
            assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
            assert answer.headers["cache-control"] == "public, max-age=3600"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "set-cookie" not in answer.headers
            preflight = await http.options(path, headers=asking)
            assert preflight.status_code == 204
            assert "GET" in preflight.headers["access-control-allow-methods"]
            assert "If-None-Match" in preflight.headers["access-control-allow-headers"]
            assert (await http.post(path)).status_code == 405


async def test_known_document_is_not_sent_again() -> None:
    async with public_port() as http:
        for path in PATHS:
            etag = (await http.get(path)).headers["etag"]
            for form in ("{}", "W/{}", '"other", {}', "*"):
                again = await http.get(path, headers={"if-none-match": form.format(etag)})
                assert (again.status_code, again.content) == (304, b"")
                assert again.headers["etag"] == etag
            other = await http.get(path, headers={"if-none-match": '"other"'})
            assert other.status_code == 200


@pytest.mark.attack("H-05", "L-08")
async def test_public_documents_come_from_the_settings_and_name_nobody() -> None:
    forged = {
        "host": "evil.example",
        "x-forwarded-host": "evil.example",
        "forwarded": "host=evil.example",
    }
    async with public_port() as http:
        for path in (CARD, CATALOG):
            plain = await http.get(path)
            assert (await http.get(path, headers=forged)).content == plain.content
            with_token = await http.get(path, headers={"authorization": "Bearer unknown"})
            assert with_token.content == plain.content
            for private in ("example.com", "1200", "cloudflareaccess", "tools"):
                assert private not in plain.text
