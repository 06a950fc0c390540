"""Client documents: what is accepted in one, and what refuses it as a whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.documenthost import CLIENT_ID, described
from productive_gateway.oauth.clients.client import AuthMethod, Registration
from productive_gateway.oauth.clients.metadata_document import MetadataDocumentError, read_document

JSON = "application/json"
URIS = "document_redirect_uris"
PUBLIC_KEY = {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "1"}


def read(kind: str = JSON, **changes: Any) -> Registration:
    return read_document(json.dumps(described(**changes)).encode(), kind, CLIENT_ID)


def reason(raw: bytes | None = None, kind: str = JSON, **changes: Any) -> str:
    content = json.dumps(described(**changes)).encode() if raw is None else raw
    with pytest.raises(MetadataDocumentError) as refused:
        read_document(content, kind, CLIENT_ID)
    return refused.value.reason


def test_a_document_describes_a_public_client() -> None:
    registration = read()
    assert registration.name == "Assistant"
    assert registration.redirect_uris == (
        "https://assistant.example/callback",
        "http://localhost/callback",
    )
    assert registration.auth_method is AuthMethod.NONE


def test_what_claude_code_publishes_is_accepted() -> None:
    registration = read(
        client_name="Claude Code",
        client_uri="https://claude.ai",
        redirect_uris=["http://localhost/callback", "http://127.0.0.1/callback"],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
    )
    assert registration.redirect_uris[1] == "http://127.0.0.1/callback"


@pytest.mark.parametrize(
    "kind", [JSON, "application/json; charset=utf-8", "Application/JSON", "application/x+json"]
)
def test_json_is_named_in_several_ways(kind: str) -> None:
    assert read(kind).name == "Assistant"


@pytest.mark.parametrize(
    "changes",
    [
        {"token_endpoint_auth_method": None},
        {"client_secret": None},
        {"logo_uri": "http://169.254.169.254/logo.svg", "jwks_uri": "https://10.0.0.1/jwks"},
        {"jwks": {"keys": [PUBLIC_KEY]}},
        {"scope": "openid", "contacts": ["a@example.com"], "software_statement": "x.y.z"},
        {"grant_types": ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"]},
        {"redirect_uris": ["cursor://anysphere.cursor-mcp/cb", "https://assistant.example/cb"]},
    ],
)
def test_what_is_not_needed_is_ignored(changes: dict[str, Any]) -> None:
    assert read(**changes).name == "Assistant"


@pytest.mark.attack("K-06")
@pytest.mark.parametrize("kind", ["", "text/html", "text/json", "application/jsonp", "image/json"])
def test_another_media_type_is_refused(kind: str) -> None:
    assert reason(kind=kind) == "document_media_type"


@pytest.mark.attack("K-06")
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<!doctype html>",
        b"[]",
        b'"text"',
        b"\xef\xbb\xbf" + json.dumps(described()).encode(),
        json.dumps(described()).encode("utf-16"),
        json.dumps(described()).encode()[:-1] + b', "x": "\xff"}',
        json.dumps(described()).encode()[:-1] + b', "client_name": "Other"}',
        json.dumps(described()).encode()[:-1] + b', "x": NaN}',
        b"[" * 5000,
    ],
)
def test_what_is_not_one_json_object_in_utf_8_is_refused(raw: bytes) -> None:
    assert reason(raw) == "document_json"


@pytest.mark.attack("K-06")
@pytest.mark.parametrize(
    "client_id",
    [
        None,
        CLIENT_ID.upper(),
        CLIENT_ID.replace("assistant", "Assistant"),
        CLIENT_ID + "/",
        CLIENT_ID.replace("https://assistant.example", "https://assistant.example:443"),
        CLIENT_ID + "?",
        "https://other.example/oauth/client.json",
        [CLIENT_ID],
    ],
)
def test_a_document_of_another_address_is_refused(client_id: object) -> None:
    assert reason(client_id=client_id) == "document_client_id"


@pytest.mark.attack("K-06")
@pytest.mark.parametrize(
    ("changes", "slug"),
    [
        ({"client_secret": "canary"}, "document_secret"),
        ({"client_secret_expires_at": 0}, "document_secret"),
        ({"jwks": {"keys": [PUBLIC_KEY | {"d": "AQAB"}]}}, "document_secret"),
        ({"jwks": {"keys": [{"kty": "oct", "k": "AQAB"}]}}, "document_secret"),
        ({"token_endpoint_auth_method": "client_secret_basic"}, "document_auth_method"),
        ({"token_endpoint_auth_method": "client_secret_post"}, "document_auth_method"),
        ({"token_endpoint_auth_method": "client_secret_jwt"}, "document_auth_method"),
        ({"token_endpoint_auth_method": ["none"]}, "document_auth_method"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "document_private_key_jwt"),
        ({"client_name": None}, "document_name"),
        ({"client_name": ""}, "document_name"),
        ({"client_name": " \u200b\u202e"}, "document_name"),
        ({"client_name": 7}, "document_name"),
        ({"grant_types": ["implicit"]}, "document_flows"),
        ({"grant_types": ["authorization_code", "password"]}, "document_flows"),
        ({"response_types": ["token"]}, "document_flows"),
        ({"redirect_uris": None}, URIS),
        ({"redirect_uris": []}, URIS),
        ({"redirect_uris": "https://assistant.example/callback"}, URIS),
        ({"redirect_uris": [7]}, URIS),
        (
            {"redirect_uris": [f"https://a.example/{n}" for n in range(51)]},
            URIS,
        ),
    ],
)
def test_a_document_that_breaks_a_rule_is_refused(changes: dict[str, Any], slug: str) -> None:
    assert reason(**changes) == slug


@pytest.mark.attack("K-06")
@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "http://remote.example/callback",
        "https://assistant.example/callback#x",
        "https://user@assistant.example/callback",
    ],
)
def test_one_dangerous_redirect_uri_refuses_the_whole(uri: str) -> None:
    uris = ["https://assistant.example/callback", uri]
    assert reason(redirect_uris=uris) == URIS


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*described(), "jwks", "grant_types", "x"]), json_values))
def test_any_values_are_read_or_refused(changes: dict[str, Any]) -> None:
    try:
        registration = read(**changes)
    except MetadataDocumentError:
        return
    assert registration.redirect_uris
    assert registration.auth_method is AuthMethod.NONE


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_a_reason(raw: bytes) -> None:
    assert reason(raw).startswith("document_")
