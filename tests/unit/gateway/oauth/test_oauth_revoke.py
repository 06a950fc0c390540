"""POST /revoke."""

from __future__ import annotations

from typing import Any

import pytest

from harness.oauthanswers import token_error
from harness.oauthkit import authorization_server, client_with_code


@pytest.mark.attack("N-07")
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "nonsense"])
async def test_revoking_either_token_ends_the_grant(kind: str, hint: str | None) -> None:
    async with authorization_server() as server:
        client, browser, code = await client_with_code(server)
        tokens = (await browser.redeem(client["client_id"], code)).json()
        form = {"token": tokens[kind], "client_id": client["client_id"]}
        if hint:
            form["token_type_hint"] = hint
        answer = await browser.http.post("/revoke", data=form)
        assert answer.status_code == 200
        assert answer.content == b""
        refresh = {
            "grant_type": "refresh_token",
            "client_id": client["client_id"],
            "refresh_token": tokens["refresh_token"],
        }
        assert token_error(await browser.http.post("/token", data=refresh)) == "invalid_grant"


@pytest.mark.attack("N-07")
async def test_revoking_another_clients_token_has_no_effect() -> None:
    async with authorization_server() as server:
        client, browser, code = await client_with_code(server)
        tokens = (await browser.redeem(client["client_id"], code)).json()
        other = await server.register()
        for token in (tokens["refresh_token"], tokens["access_token"], "unknown", "x" * 3000):
            form = {"token": token, "client_id": other["client_id"]}
            assert (await browser.http.post("/revoke", data=form)).status_code == 200
        refresh = {
            "grant_type": "refresh_token",
            "client_id": client["client_id"],
            "refresh_token": tokens["refresh_token"],
        }
        assert (await browser.http.post("/token", data=refresh)).is_success


@pytest.mark.attack("N-07")
async def test_a_confidential_client_must_authenticate_to_revoke() -> None:
    async with authorization_server() as server:
        client = await server.register(token_endpoint_auth_method="client_secret_post")
        form = {"token": "any", "client_id": client["client_id"]}
        answer = await server.browser().http.post("/revoke", data=form)
        assert token_error(answer, 401) == "invalid_client"
        named = await server.browser().http.post("/revoke", data={"token": "any"})
        assert token_error(named, 401) == "invalid_client"


async def test_revoking_without_a_token_is_an_invalid_request() -> None:
    async with authorization_server() as server:
        client = await server.register()
        form: dict[str, Any] = {"client_id": client["client_id"]}
        assert (
            token_error(await server.browser().http.post("/revoke", data=form)) == "invalid_request"
        )
        form["token"] = ["a", "b"]
        assert (
            token_error(await server.browser().http.post("/revoke", data=form)) == "invalid_request"
        )
