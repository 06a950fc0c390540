"""What the server says about itself."""

from __future__ import annotations

from typing import Any

import pytest

from harness.oauthkit import PUBLIC_URL, RESOURCE, authorization_server
from productive_gateway.oauth.clients.client import ALL_KINDS
from productive_gateway.oauth.clients.redirect_policy import RedirectPolicy
from productive_gateway.oauth.config import OAuthConfig
from productive_gateway.oauth.metadata import (
    resource_metadata_url,
    resource_paths,
    server_metadata,
    server_paths,
)

SERVER = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"
PROTECTED = "/.well-known/oauth-protected-resource"


async def get(path: str, **headers: str) -> tuple[dict[str, Any], Any]:
    async with authorization_server() as server:
        answer = await server.browser().http.get(path, headers=headers)
        assert answer.status_code == 200
        return answer.json(), answer.headers


@pytest.mark.attack("H-06", "P-07")
async def test_the_server_metadata_names_exactly_what_exists() -> None:
    document, _ = await get(SERVER)
    assert document == {
        "issuer": PUBLIC_URL,
        "authorization_endpoint": f"{PUBLIC_URL}/authorize",
        "token_endpoint": f"{PUBLIC_URL}/token",
        "registration_endpoint": f"{PUBLIC_URL}/register",
        "revocation_endpoint": f"{PUBLIC_URL}/revoke",
        "scopes_supported": ["productive:read", "productive:write"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": [
            "none",
            "client_secret_post",
            "client_secret_basic",
        ],
        "revocation_endpoint_auth_methods_supported": [
            "none",
            "client_secret_post",
            "client_secret_basic",
        ],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": True,
        "protected_resources": [RESOURCE],
    }


@pytest.mark.attack("H-06")
async def test_the_openid_alias_is_the_same_document() -> None:
    assert (await get(OPENID))[0] == (await get(SERVER))[0]


@pytest.mark.attack("H-06")
async def test_every_endpoint_that_is_named_is_served() -> None:
    async with authorization_server() as server:
        document = server_metadata(server.config, ALL_KINDS)
        for name, url in document.items():
            if name.endswith("_endpoint"):
                answer = await server.browser().http.request("PATCH", url)
                assert answer.status_code == 405, name


@pytest.mark.rule("R1")
@pytest.mark.attack("H-05")
@pytest.mark.parametrize("path", [PROTECTED, f"{PROTECTED}/mcp"])
async def test_the_resource_metadata_is_at_the_root_and_at_the_endpoints_path(path: str) -> None:
    document, _ = await get(path)
    assert document["resource"] == RESOURCE
    assert document["authorization_servers"] == [PUBLIC_URL]
    assert document["scopes_supported"] == ["productive:read", "productive:write"]
    assert document["bearer_methods_supported"] == ["header"]


@pytest.mark.attack("H-05", "L-08", "L-12")
@pytest.mark.parametrize("path", [SERVER, PROTECTED, "/"])
async def test_no_request_header_builds_a_url(path: str) -> None:
    async with authorization_server() as server:
        forged = {
            "host": "evil.example",
            "x-forwarded-host": "evil.example",
            "x-forwarded-proto": "http",
            "x-forwarded-prefix": "/evil",
            "forwarded": "host=evil.example",
        }
        answer = await server.browser().http.get(path, headers=forged)
        assert "evil" not in answer.text
        assert RESOURCE in answer.text or PUBLIC_URL in answer.text


@pytest.mark.attack("N-08")
@pytest.mark.parametrize("path", [SERVER, OPENID, PROTECTED])
async def test_any_origin_may_read_the_metadata_without_credentials(path: str) -> None:
    _, headers = await get(path, origin="https://app.example")
    assert headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in headers


@pytest.mark.rule("R1")
@pytest.mark.attack("H-05")
def test_under_a_path_prefix_both_forms_of_the_well_known_address_are_served() -> None:
    config = OAuthConfig(
        "https://host.example/pm",
        "https://host.example/pm/mcp",
        RedirectPolicy("*", "https://host.example/pm"),
    )
    assert set(server_paths(config)) == {SERVER, OPENID, f"{SERVER}/pm", f"{OPENID}/pm"}
    assert set(resource_paths(config)) == {PROTECTED, f"{PROTECTED}/mcp", f"{PROTECTED}/pm/mcp"}
    assert resource_metadata_url(config) == f"https://host.example/pm{PROTECTED}/mcp"


@pytest.mark.rule("R1")
def test_the_address_in_a_challenge_is_served() -> None:
    config = OAuthConfig(PUBLIC_URL, RESOURCE, RedirectPolicy("*", PUBLIC_URL))
    assert resource_metadata_url(config) == f"{PUBLIC_URL}{PROTECTED}/mcp"
    assert f"{PROTECTED}/mcp" in resource_paths(config)


@pytest.mark.attack("Q-07")
@pytest.mark.parametrize(
    "url",
    [
        "http://mcp.example.com",
        "ftp://mcp.example.com",
        "https://mcp.example.com/",
        "https://mcp.example.com?x=1",
        "mcp.example.com",
        "",
    ],
)
def test_an_unsafe_public_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="public URL"):
        OAuthConfig(url, f"{url}/mcp", RedirectPolicy("*", url))


@pytest.mark.attack("N-09")
@pytest.mark.parametrize("path", ["/introspect", "/token/introspect", "/introspection"])
async def test_tokens_cannot_be_introspected(path: str) -> None:
    async with authorization_server() as server:
        client_id = (await server.register())["client_id"]
        http = server.browser().http
        answer = await http.post(path, data={"token": "pmcp_at_x", "client_id": client_id})
        document = (await http.get(SERVER)).json()
    assert answer.status_code == 404
    assert not [name for name in document if "introspection" in name]
