"""The composed gateway serves clients that describe themselves in a document."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from harness.documenthost import ADDRESS, CLIENT_ID, HOST, DocumentHost, document_host
from harness.oauthkit import CALLBACK, parameters
from productive_gateway.app import compose
from productive_gateway.settings import load_settings

PUBLIC_URL = "http://localhost:8787"
ENVIRONMENT = {
    "PUBLIC_URL": PUBLIC_URL,
    "PRODUCTIVE_ORG_ID": "1200",
    "OIDC_ISSUER": "https://idp.example.com",
    "OIDC_CLIENT_ID": "gateway",
    "OIDC_CLIENT_SECRET": "client-secret",
    "USER_MAPPING": '{"version":1,"revision":1,"namespace":"users","users":{}}',
    "COOKIE_ENCRYPTION_KEY": "b41f0c7d92e8a653f7d01b2c3e4958677a8b9c0d1e2f30415263748596a7b8c9",
}


async def page(host: DocumentHost, folder: Path, **changes: str) -> httpx.Response:
    """Open /authorize of a gateway with these settings."""
    bundle = folder / "ca.pem"
    bundle.write_bytes(host.bundle)
    settings = load_settings(ENVIRONMENT | {"CA_BUNDLE": str(bundle)} | changes)
    async with compose(settings, resolve=host.resolve, connect=host.connect) as gateway:
        transport = httpx.ASGITransport(app=gateway.public)
        async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:
            query = parameters(CLIENT_ID, redirect_uri=CALLBACK, resource=f"{PUBLIC_URL}/mcp")
            return await http.get("/authorize", params=query)


async def test_a_document_is_fetched_with_the_authorities_of_the_settings(tmp_path: Path) -> None:
    async with document_host() as host:
        answer = await page(host, tmp_path)
        assert f"<dt>Described by</dt><dd>{HOST}</dd>" in answer.text
        assert host.connected == [ADDRESS]


@pytest.mark.attack("K-12")
async def test_hosts_are_limited_by_a_setting(tmp_path: Path) -> None:
    async with document_host() as host:
        answer = await page(host, tmp_path, CLIENT_DOCUMENT_HOSTS="claude.ai")
        assert "CLIENT_DOCUMENT_HOSTS" in answer.text
        assert host.resolved == []


@pytest.mark.attack("K-02")
async def test_addresses_are_denied_by_a_setting(tmp_path: Path) -> None:
    async with document_host() as host:
        answer = await page(host, tmp_path, DENIED_ADDRESSES=f"{ADDRESS}/32")
        assert answer.status_code == 503
        assert host.connected == []
