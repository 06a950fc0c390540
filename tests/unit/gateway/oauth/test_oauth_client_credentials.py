"""POST /token: how confidential clients authenticate."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest

from harness.oauthanswers import token_error
from harness.oauthkit import (
    CALLBACK,
    FORM,
    VERIFIER,
    AuthorizationServer,
    authorization_server,
    client_with_code,
    good_form,
)


def basic(client_id: str, secret: str) -> str:
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


async def redeem_with(
    server: AuthorizationServer,
    client: dict[str, Any],
    code: str,
    *,
    header: str | None = None,
    **form: Any,
) -> httpx.Response:
    data = {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": VERIFIER,
        "redirect_uri": CALLBACK,
    } | form
    headers = {"authorization": header} if header is not None else {}
    return await server.browser().http.post("/token", data=data, headers=headers)


async def test_a_confidential_client_authenticates_by_its_registered_method() -> None:
    async with authorization_server() as server:
        client, _, code = await client_with_code(
            server, token_endpoint_auth_method="client_secret_basic"
        )
        header = basic(client["client_id"], client["client_secret"])
        assert (await redeem_with(server, client, code, header=header)).is_success
        client, _, code = await client_with_code(
            server, token_endpoint_auth_method="client_secret_post"
        )
        answer = await redeem_with(
            server,
            client,
            code,
            client_id=client["client_id"],
            client_secret=client["client_secret"],
        )
        assert answer.is_success


@pytest.mark.attack("N-03")
async def test_a_client_that_registered_a_method_cannot_use_another() -> None:
    async with authorization_server() as server:
        client, _, code = await client_with_code(
            server, token_endpoint_auth_method="client_secret_post"
        )
        header = basic(client["client_id"], client["client_secret"])
        answer = await redeem_with(server, client, code, header=header)
        assert token_error(answer, 401) == "invalid_client"
        assert answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.attack("N-03")
async def test_a_client_that_registered_no_method_may_use_either() -> None:
    async with authorization_server() as server:
        client, _, code = await client_with_code(server, token_endpoint_auth_method=None)
        header = basic(client["client_id"], client["client_secret"])
        assert (await redeem_with(server, client, code, header=header)).is_success
        client, _, code = await client_with_code(server, token_endpoint_auth_method=None)
        in_body = {"client_id": client["client_id"], "client_secret": client["client_secret"]}
        assert (await redeem_with(server, client, code, **in_body)).is_success


@pytest.mark.attack("N-01")
async def test_two_authentication_methods_at_once_are_refused() -> None:
    async with authorization_server() as server:
        client, _, code = await client_with_code(server, token_endpoint_auth_method=None)
        client_id, secret = client["client_id"], client["client_secret"]
        header = basic(client_id, secret)
        both = await redeem_with(server, client, code, header=header, client_secret=secret)
        assert token_error(both) == "invalid_request"
        two_names = await redeem_with(server, client, code, header=header, client_id="other")
        assert token_error(two_names) == "invalid_request"
        twice = await server.browser().http.post(
            "/token",
            content=good_form(client_id, code),
            headers=[*FORM.items(), ("authorization", header), ("authorization", header)],
        )
        assert token_error(twice) == "invalid_request"
        assertion = await redeem_with(
            server, client, code, client_id=client_id, client_assertion="x"
        )
        assert token_error(assertion, 401) == "invalid_client"
        assert (
            await redeem_with(server, client, code, header=header, client_id=client_id)
        ).is_success


@pytest.mark.attack("N-01", "J-07")
async def test_a_client_with_missing_or_wrong_credentials_is_refused() -> None:
    async with authorization_server() as server:
        client, _, code = await client_with_code(
            server, token_endpoint_auth_method="client_secret_post"
        )
        public, _, public_code = await client_with_code(server)
        client_id = client["client_id"]
        answers = [
            await redeem_with(server, client, code),
            await redeem_with(server, client, code, client_id=client_id),
            await redeem_with(server, client, code, client_id=client_id, client_secret="wrong"),
            await redeem_with(server, client, code, client_id=client_id, client_secret="é"),
            await redeem_with(
                server, public, public_code, client_id=public["client_id"], client_secret="any"
            ),
            await redeem_with(server, public, public_code, header=basic(public["client_id"], "")),
        ]
        for answer in answers:
            assert token_error(answer, 401) == "invalid_client"
        for answer in answers[:5]:
            assert "www-authenticate" not in answer.headers
        assert answers[5].headers["www-authenticate"].startswith("Basic")
        good = {"client_id": client_id, "client_secret": client["client_secret"]}
        assert (await redeem_with(server, client, code, **good)).is_success


@pytest.mark.attack("N-02")
@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b":secret").decode(),
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
        "Bearer abc",
        "",
    ],
)
async def test_a_header_that_cannot_be_read_is_refused(header: str) -> None:
    async with authorization_server() as server:
        client, _, code = await client_with_code(server)
        answer = await redeem_with(server, client, code, header=header)
        assert token_error(answer, 401) == "invalid_client"
        assert answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.attack("N-02")
async def test_the_header_is_decoded_as_a_form_is_and_its_scheme_in_any_case() -> None:
    async with authorization_server() as server:
        client, _, code = await client_with_code(
            server, token_endpoint_auth_method="client_secret_basic"
        )
        encoded = client["client_id"].replace(".", "%2E").replace("_", "%5f")
        pair = f"{encoded}:{client['client_secret']}".encode()
        header = "basic " + base64.b64encode(pair).decode()
        assert (await redeem_with(server, client, code, header=header)).is_success
