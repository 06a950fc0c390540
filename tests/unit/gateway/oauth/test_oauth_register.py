"""Dynamic client registration."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from harness.grantkit import HeldKeys, new_key
from harness.oauthkit import CALLBACK, PUBLIC_URL, audit_log, authorization_server
from productive_gateway.oauth.clients.display_name import shown_name

GOOD: dict[str, Any] = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
JSON = {"content-type": "application/json"}


async def post(document: Any, **oauth: Any) -> httpx.Response:
    async with authorization_server(oauth=oauth) as server:
        return await server.browser().http.post("/register", json=document)


async def send(raw: bytes, headers: dict[str, str] = JSON) -> httpx.Response:
    async with authorization_server() as server:
        return await server.browser().http.post("/register", content=raw, headers=headers)


@pytest.mark.attack("O-09")
async def test_a_public_client_gets_an_id_and_no_secret() -> None:
    with audit_log() as log:
        answer = await post(GOOD | {"client_name": "Assistant"})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    registered = answer.json()
    assert registered.pop("client_id").startswith("pmcp_dc_")
    assert isinstance(registered.pop("client_id_issued_at"), int)
    assert registered == {
        "client_name": "Assistant",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }
    assert log.events() == ["client_registered"]


@pytest.mark.attack("O-09")
@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic", None])
async def test_a_confidential_client_gets_a_secret_that_does_not_expire(method: str | None) -> None:
    document = GOOD | {"token_endpoint_auth_method": method} if method else dict(GOOD)
    if method is None:
        del document["token_endpoint_auth_method"]
    registered = (await post(document)).json()
    assert len(registered["client_secret"]) == 43
    assert registered["client_secret_expires_at"] == 0
    assert registered["token_endpoint_auth_method"] == (method or "client_secret_basic")
    assert not {"registration_client_uri", "registration_access_token"} & set(registered)


@pytest.mark.attack("O-01")
async def test_registering_stores_nothing() -> None:
    async with authorization_server() as server:
        ids = {(await server.register())["client_id"] for _ in range(20)}
        assert len(ids) == 20
        assert await server.records() == 0


@pytest.mark.attack("O-02")
@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"{" + b" " * (64 * 1024) + b"}", 413),
        (b"[" * 10_000, 400),
        (b'{"redirect_uris":["https://a.example/"],"redirect_uris":["https://b.example/"]}', 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b'{"redirect_uris":["https://a.example/"],"x":NaN}', 400),
        (b'{"redirect_uris":["https://a.example/\xff"]}', 400),
        (b"", 400),
    ],
)
async def test_a_body_that_is_not_a_plain_json_object_is_refused(raw: bytes, status: int) -> None:
    answer = await send(raw)
    assert answer.status_code == status
    assert answer.json()["error"] in {"invalid_client_metadata", "invalid_request"}


@pytest.mark.attack("O-02")
@pytest.mark.parametrize(
    "headers",
    [{"content-type": "text/plain"}, {}, JSON | {"content-encoding": "gzip"}],
)
async def test_another_content_type_or_encoding_is_refused(headers: dict[str, str]) -> None:
    answer = await send(json.dumps(GOOD).encode(), headers)
    assert answer.status_code in {400, 415}


@pytest.mark.attack("O-03", "B-03", "B-06")
@pytest.mark.parametrize(
    "uris",
    [
        None,
        [],
        "https://a.example/",
        [1],
        [CALLBACK] * 11,
        ["https://a.example/" + "x" * 2048],
        ["javascript:alert(1)"],
        [CALLBACK, "http://evil.example/cb"],
        [CALLBACK, CALLBACK + "#frag"],
        ["cursor://alone/callback"],
    ],
)
async def test_bad_redirect_uris_are_refused(uris: Any) -> None:
    answer = await post(GOOD | {"redirect_uris": uris})
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_redirect_uri"


@pytest.mark.attack("B-07")
async def test_a_private_scheme_is_registered_beside_usable_uris() -> None:
    uris = [
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "http://localhost:8787/callback",
    ]
    answer = await post(GOOD | {"redirect_uris": uris}, redirect_hosts=("claude.ai",))
    assert answer.status_code == 201
    assert answer.json()["redirect_uris"] == uris


@pytest.mark.attack("O-11")
async def test_a_client_whose_hosts_are_all_outside_the_policy_is_refused() -> None:
    answer = await post(GOOD, redirect_hosts=("claude.ai",))
    assert answer.json()["error"] == "invalid_redirect_uri"
    assert "REDIRECT_HOSTS" in answer.json()["error_description"]


@pytest.mark.attack("B-07")
async def test_private_schemes_alone_are_refused_with_a_remedy_that_works() -> None:
    answer = await post({"redirect_uris": ["cursor://x/cb", "urn:ietf:wg:oauth:2.0:oob"]})
    assert answer.json()["error"] == "invalid_redirect_uri"
    assert "REDIRECT_HOSTS" not in answer.json()["error_description"]
    assert "http://localhost" in answer.json()["error_description"]


async def test_the_servers_own_address_is_registered_beside_others_only() -> None:
    own = f"{PUBLIC_URL}/callback"
    alone = await post({"redirect_uris": [own]})
    assert alone.json()["error"] == "invalid_redirect_uri"
    assert "REDIRECT_HOSTS" not in alone.json()["error_description"]
    assert (await post({"redirect_uris": [own, CALLBACK]})).status_code == 201


@pytest.mark.attack("O-04")
@pytest.mark.parametrize(
    "change",
    [
        {"grant_types": ["implicit", "authorization_code"]},
        {"grant_types": ["password", "authorization_code"]},
        {"grant_types": ["refresh_token"]},
        {"grant_types": "authorization_code"},
        {"grant_types": [{}]},
        {"response_types": ["token"]},
        {"response_types": ["code", "token"]},
        {"response_types": "code"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "tls_client_auth"},
        {"token_endpoint_auth_method": {}},
        {"jwks": {"keys": [{"kty": "RSA", "n": "x", "e": "AQAB", "d": "PRIVATE"}]}},
        {"jwks": {"keys": [{"kty": "oct", "k": "PRIVATE"}]}},
        {"client_name": 7},
        {"application_type": "toaster"},
        {"application_type": []},
    ],
)
async def test_unsupported_metadata_is_refused(change: dict[str, Any]) -> None:
    answer = await post(GOOD | change)
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_client_metadata"
    assert "PRIVATE" not in answer.text


NULLS = ["client_name", "token_endpoint_auth_method", "application_type", "grant_types"]
NULLS += ["response_types", "jwks", "jwks_uri", "scope", "contacts", "software_statement"]


@pytest.mark.parametrize("names", [[name] for name in NULLS] + [NULLS])
async def test_a_null_member_is_as_if_left_out(names: list[str]) -> None:
    without = await post({"redirect_uris": [CALLBACK]})
    answer = await post({"redirect_uris": [CALLBACK], **dict.fromkeys(names)})
    assert answer.status_code == 201, answer.text
    changing = {"client_id", "client_secret", "client_id_issued_at"}
    for document in (without.json(), answer.json()):
        assert changing <= document.keys()
    assert {**answer.json(), **dict.fromkeys(changing)} == {
        **without.json(),
        **dict.fromkeys(changing),
    }


async def test_redirect_uris_that_are_null_are_missing() -> None:
    answer = await post({"redirect_uris": None})
    assert answer.json()["error"] == "invalid_redirect_uri"


@pytest.mark.attack("O-05")
@pytest.mark.parametrize(
    ("application_type", "uris", "status"),
    [
        ("web", [CALLBACK], 201),
        ("web", ["http://localhost/cb"], 400),
        ("native", ["http://localhost/cb"], 201),
        ("native", [CALLBACK], 201),
        (None, ["http://localhost/cb", CALLBACK], 201),
    ],
)
async def test_only_web_applications_must_use_https(
    application_type: str | None, uris: list[str], status: int
) -> None:
    answer = await post(GOOD | {"redirect_uris": uris, "application_type": application_type})
    assert answer.status_code == status


@pytest.mark.attack("O-06", "D-13", "D-14")
async def test_urls_in_the_metadata_are_neither_kept_nor_fetched() -> None:
    async with authorization_server() as server:
        registered = await server.register(
            software_statement="x.y.z",
            jwks_uri="http://169.254.169.254/",
            sector_identifier_uri="http://169.254.169.254/",
            initiate_login_uri="http://169.254.169.254/",
            logo_uri="http://169.254.169.254/logo.svg",
            client_uri="javascript:alert(1)",
            tos_uri="data:text/html,x",
            policy_uri="https://tracker.example/",
        )
        page = await server.browser().authorize(registered["client_id"])
        for trace in ("169.254", "javascript:", "data:", "tracker.example", "<img"):
            assert trace not in page.text
            assert trace not in json.dumps(registered)
        assert server.provider.calls == []


@pytest.mark.attack("O-07")
async def test_a_client_id_outlives_restarts_replicas_rotation_and_months() -> None:
    keys = HeldKeys()
    async with authorization_server(keys=keys) as server:
        client_id = (await server.register())["client_id"]
        key = new_key()
        ring = keys.ring()
        keys.put(replace(ring, keys=(*ring.keys, key), current=key.kid, epoch=ring.epoch + 1))
        server.clock.forward(90 * 86400)
    async with authorization_server(keys=keys, clock=server.clock) as other:
        assert (await other.browser().authorize(client_id)).status_code == 200


@pytest.mark.attack("O-08", "A-01")
async def test_a_forged_client_id_is_unknown_at_every_endpoint() -> None:
    async with authorization_server() as server, authorization_server() as other:
        client_id = (await server.register())["client_id"]
        last = "A" if client_id[-1] != "A" else "B"
        forged = [
            client_id[:-1] + last,
            client_id.replace("pmcp_dc_", ""),
            "pmcp_dc_x.AAAA",
            "pmcp_dc_",
            "x" * 3000,
            (await other.register())["client_id"],
        ]
        for one_id in forged:
            page = await server.browser().authorize(one_id)
            assert page.status_code == 400
            assert "location" not in page.headers
            token = await server.browser().redeem(one_id, "pmcp_ac_x")
            assert token.status_code == 401
            assert token.json()["error"] == "invalid_client"


@pytest.mark.attack("O-08")
async def test_a_client_id_belongs_to_one_issuer() -> None:
    keys = HeldKeys()
    async with authorization_server(keys=keys) as server:
        client_id = (await server.register())["client_id"]
    elsewhere = {"public_url": "https://b.example", "resource": "https://b.example/mcp"}
    async with authorization_server(keys=keys, oauth=elsewhere) as other:
        assert (await other.browser().authorize(client_id)).status_code == 400


async def test_client_ids_stay_below_their_limit() -> None:
    many = [f"https://assistant.example/{number}{'x' * 480}" for number in range(10)]
    answer = await post(GOOD | {"redirect_uris": many})
    assert answer.status_code == 400
    assert "too long" in answer.json()["error_description"]
    usual = (await post(GOOD | {"redirect_uris": many[:2]})).json()
    assert len(usual["client_id"]) <= 2048


@pytest.mark.attack("D-12")
@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Claude", "Claude"),
        ("  a\n\t b  ", "a b"),
        ("\u202eevil\u202c", "evil"),
        ("in\u200bvis\u2060ible\ufeff", "invisible"),
        ("\x00\x1b[31mred", "[31mred"),
        ("\ud800", "An app without a name"),
        ("", "An app without a name"),
        ("wide\u3000space", "wide space"),
    ],
)
def test_a_client_name_cannot_affect_the_text_around_it(given: str, shown: str) -> None:
    assert shown_name(given) == shown


@pytest.mark.attack("D-12")
def test_a_name_is_short() -> None:
    assert len(shown_name("x" * 10_000)) == 80
