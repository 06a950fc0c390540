"""POST /token: codes and refresh tokens."""

from __future__ import annotations

from typing import Any

import pytest

from harness.oauthanswers import token_error
from harness.oauthkit import CALLBACK, RESOURCE, audit_log, authorization_server, client_with_code


async def test_a_code_becomes_tokens() -> None:
    async with authorization_server() as server:
        client, browser, code = await client_with_code(server)
        answer = await browser.redeem(client["client_id"], code)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["pragma"] == "no-cache"
        body = answer.json()
        assert body.pop("access_token").startswith("pmcp_at_")
        assert body.pop("refresh_token").startswith("pmcp_rt_")
        assert body == {
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": "productive:read productive:write",
        }


@pytest.mark.attack("J-01")
async def test_a_refresh_token_becomes_the_next_ones() -> None:
    async with authorization_server() as server:
        client, browser, code = await client_with_code(server)
        first = (await browser.redeem(client["client_id"], code)).json()
        form = {
            "grant_type": "refresh_token",
            "client_id": client["client_id"],
            "refresh_token": first["refresh_token"],
        }
        second = (await browser.http.post("/token", data=form)).json()
        assert second["refresh_token"] != first["refresh_token"]
        assert second["scope"] == first["scope"]
        assert second["expires_in"] == 3600


@pytest.mark.attack("B-08")
async def test_the_redirect_uri_may_be_left_out_but_not_differ() -> None:
    async with authorization_server() as server:
        client, browser, code = await client_with_code(server)
        other = await browser.redeem(client["client_id"], code, redirect_uri=CALLBACK + "/")
        assert token_error(other) == "invalid_grant"
        assert (await browser.redeem(client["client_id"], code, redirect_uri=None)).is_success


@pytest.mark.attack("F-05")
async def test_a_code_presented_by_another_client_is_refused_and_stays_valid() -> None:
    async with authorization_server() as server:
        client, browser, code = await client_with_code(server)
        other = await server.register()
        assert token_error(await browser.redeem(other["client_id"], code)) == "invalid_grant"
        assert (await browser.redeem(client["client_id"], code)).is_success


@pytest.mark.attack("F-04", "F-09", "P-05")
async def test_a_wrong_verifier_is_refused_and_the_code_stays_valid() -> None:
    async with authorization_server() as server:
        client, browser, code = await client_with_code(server)
        for _ in range(5):
            answer = await browser.redeem(client["client_id"], code, code_verifier="w" * 64)
            assert token_error(answer) == "invalid_grant"
        assert (await browser.redeem(client["client_id"], code)).is_success


@pytest.mark.attack("P-04")
@pytest.mark.parametrize("verifier", [None, "", "v" * 42, "v" * 129, "v" * 63 + "+", "é" * 50])
async def test_a_verifier_of_the_wrong_form_is_refused(verifier: str | None) -> None:
    async with authorization_server() as server:
        client, browser, code = await client_with_code(server)
        answer = await browser.redeem(client["client_id"], code, code_verifier=verifier)
        assert token_error(answer) == "invalid_request"
        assert (await browser.redeem(client["client_id"], code)).is_success


@pytest.mark.attack("F-08")
@pytest.mark.parametrize("code", ["x", "pmcp_ac_", "pmcp_rt_a.b", "pmcp_ac_a.b", "c" * 10_000])
async def test_an_invented_code_is_refused(code: str) -> None:
    async with authorization_server() as server:
        client = await server.register()
        with audit_log() as log:
            answer = await server.browser().redeem(client["client_id"], code)
        assert token_error(answer) == "invalid_grant"
        assert log.reasons("token_refused") == ["malformed"]
        assert f"'{code}'" not in str(log.lines)


@pytest.mark.attack("J-15", "F-08")
async def test_one_kind_of_token_is_not_accepted_as_another() -> None:
    async with authorization_server() as server:
        client, browser, code = await client_with_code(server)
        tokens = (await browser.redeem(client["client_id"], code)).json()
        for wrong in (tokens["access_token"], code):
            form = {
                "grant_type": "refresh_token",
                "client_id": client["client_id"],
                "refresh_token": wrong,
            }
            assert token_error(await browser.http.post("/token", data=form)) == "invalid_grant"
        wrong_code = await browser.redeem(client["client_id"], tokens["refresh_token"])
        assert token_error(wrong_code) == "invalid_grant"


@pytest.mark.attack("H-01", "J-09")
@pytest.mark.parametrize("resource", ["https://other.example/mcp", RESOURCE + "/", "/mcp"])
async def test_another_resource_is_refused_before_the_code_or_token_is_spent(resource: str) -> None:
    async with authorization_server() as server:
        client, browser, code = await client_with_code(server)
        wrong = await browser.redeem(client["client_id"], code, resource=resource)
        assert token_error(wrong) == "invalid_target"
        tokens = (await browser.redeem(client["client_id"], code, resource=None)).json()
        form = {
            "grant_type": "refresh_token",
            "client_id": client["client_id"],
            "refresh_token": tokens["refresh_token"],
        }
        refused = await browser.http.post("/token", data=form | {"resource": resource})
        assert token_error(refused) == "invalid_target"
        assert (await browser.http.post("/token", data=form)).is_success


@pytest.mark.attack("A-04", "H-01")
async def test_two_resources_are_refused() -> None:
    async with authorization_server() as server:
        client, browser, code = await client_with_code(server)
        answer = await browser.redeem(client["client_id"], code, resource=[RESOURCE, RESOURCE])
        assert token_error(answer) == "invalid_target"


@pytest.mark.attack("J-08")
@pytest.mark.parametrize(
    ("scope", "granted"),
    [
        ("productive:read", "productive:read"),
        ("productive:read offline_access", "productive:read"),
        ("productive:read productive:write", None),
        ("productive:write", None),
        ("offline_access", "productive:read"),
        ("openid email profile", "productive:read"),
        ("offline_access productive:write", None),
        ('bad"scope', None),
    ],
)
async def test_a_refresh_can_narrow_the_scope_and_not_widen_it(
    scope: str, granted: str | None
) -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        code = await browser.code(client["client_id"], scope="productive:read")
        tokens = (await browser.redeem(client["client_id"], code)).json()
        form = {
            "grant_type": "refresh_token",
            "client_id": client["client_id"],
            "refresh_token": tokens["refresh_token"],
            "scope": scope,
        }
        answer = await browser.http.post("/token", data=form)
        if granted is None:
            assert token_error(answer) == "invalid_scope"
        else:
            assert answer.json()["scope"] == granted


@pytest.mark.attack("N-06")
@pytest.mark.parametrize(
    "grant_type",
    [
        "password",
        "client_credentials",
        "implicit",
        "unknown",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ],
)
async def test_another_grant_type_is_refused(grant_type: str) -> None:
    async with authorization_server() as server:
        client = await server.register()
        form = {"grant_type": grant_type, "client_id": client["client_id"]}
        answer = await server.browser().http.post("/token", data=form)
        assert token_error(answer) == "unsupported_grant_type"


@pytest.mark.attack("J-07")
async def test_the_refresh_token_of_another_client_is_refused() -> None:
    async with authorization_server() as server:
        client, browser, code = await client_with_code(server)
        tokens = (await browser.redeem(client["client_id"], code)).json()
        other = await server.register()
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        stolen = await browser.http.post("/token", data=form | {"client_id": other["client_id"]})
        assert token_error(stolen) == "invalid_grant"
        own = await browser.http.post("/token", data=form | {"client_id": client["client_id"]})
        assert own.is_success


@pytest.mark.attack("O-11")
async def test_a_client_whose_host_was_removed_from_the_policy_cannot_refresh() -> None:
    async with authorization_server() as server:
        client, browser, code = await client_with_code(server, redirect_uris=[CALLBACK])
        tokens = (await browser.redeem(client["client_id"], code)).json()
        form = {
            "grant_type": "refresh_token",
            "client_id": client["client_id"],
            "refresh_token": tokens["refresh_token"],
        }
        policy = {"redirect_hosts": ("claude.ai",)}
        shared: dict[str, Any] = {"store": server.store, "keys": server.keys, "clock": server.clock}
        async with authorization_server(oauth=policy, **shared) as strict:
            refused = await strict.browser().http.post("/token", data=form)
            assert token_error(refused) == "invalid_grant"


@pytest.mark.attack("J-12")
async def test_internal_failures_are_503_and_the_same_code_works_later() -> None:
    async with authorization_server() as server:
        client, browser, code = await client_with_code(server)
        people, server.people.people = server.people.people, None
        answer = await browser.redeem(client["client_id"], code)
        assert token_error(answer, 503) == "temporarily_unavailable"
        assert int(answer.headers["retry-after"]) >= 1
        server.people.people = people
        assert (await browser.redeem(client["client_id"], code)).is_success


async def test_every_refusal_is_audited_with_its_reason() -> None:
    async with authorization_server() as server:
        client, browser, code = await client_with_code(server)
        with audit_log() as log:
            await browser.redeem("pmcp_dc_x.y", code)
            await browser.redeem(client["client_id"], code, code_verifier="w" * 64)
        assert log.reasons("token_refused")[0] == "invalid_client"
        assert len(log.reasons("token_refused")) == 2
        assert code not in str(log.lines)
