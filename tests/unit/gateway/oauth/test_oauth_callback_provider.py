"""GET /callback: what the identity provider may answer, and what becomes of bad answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from harness.oauthanswers import client_error, open_cookies
from harness.oauthkit import CALLBACK, audit_log, authorization_server, query_of
from harness.oidcstub import ISSUER, jwk, signed
from harness.pages import is_page
from productive_gateway.upstream.cached_document import COOL_DOWN


@pytest.mark.attack("G-01")
async def test_text_of_the_providers_answer_is_not_shown() -> None:
    async with authorization_server() as server:
        answer = await server.browser().http.get(
            "/callback", params={"error": "<script>x</script>", "error_description": "<b>y</b>"}
        )
        assert is_page(answer, 400)
        assert "script" not in answer.text
        assert "<b>y" not in answer.text


@pytest.mark.attack("G-02")
@pytest.mark.parametrize("name", ["next", "return_to", "redirect_uri", "url"])
async def test_no_parameter_of_the_callback_changes_the_redirect(name: str) -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        query = server.provider.sign_in(await browser.approve(client["client_id"]))
        answer = await browser.http.get(
            f"/callback?{query}&{name}=//evil.example",
            headers={"x-original-url": "https://evil.example/", "x-forwarded-host": "evil.example"},
        )
        assert answer.headers["location"].startswith(CALLBACK + "?")
        assert "evil" not in answer.headers["location"]


@pytest.mark.attack("G-03", "E-06")
@pytest.mark.parametrize(
    ("upstream", "own"),
    [
        ("access_denied", "access_denied"),
        ("login_required", "access_denied"),
        ("temporarily_unavailable", "temporarily_unavailable"),
        ("server_error", "server_error"),
        ("invalid_scope", "server_error"),
        ("<script>", "server_error"),
    ],
)
async def test_an_error_of_the_provider_is_reported_in_our_own_words(
    upstream: str, own: str
) -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        state = query_of(await browser.approve(client["client_id"]))["state"]
        answer = await browser.http.get(
            "/callback",
            params={"error": upstream, "error_description": "THEIR WORDS", "state": state},
        )
        assert client_error(answer) == own
        assert "THEIR" not in answer.headers["location"]
        assert open_cookies(browser) == []
        assert "/token" not in server.provider.calls


@pytest.mark.attack("G-04")
@pytest.mark.parametrize(
    "query",
    [
        "code=c&error=access_denied",
        "code=c&code=d",
        "",
        "code=",
        "code=" + "c" * 10_000,
        "error=x&error=y",
        "code=c&iss=a&iss=b",
        "code=%00",
    ],
)
async def test_an_answer_with_both_or_neither_code_and_error_is_refused(query: str) -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        state = query_of(await browser.approve(client["client_id"]))["state"]
        answer = await browser.http.get(f"/callback?{query}&state={state}")
        assert is_page(answer, 400)
        assert "/token" not in server.provider.calls


@pytest.mark.attack("I-15")
@pytest.mark.parametrize("iss", [None, "https://evil.example", ISSUER + "/", ISSUER.upper()])
async def test_an_answer_of_another_issuer_is_refused(iss: str | None) -> None:
    async with authorization_server() as server:
        server.provider.discovery = {"authorization_response_iss_parameter_supported": True}
        client, browser = await server.register(), server.browser()
        query = server.provider.sign_in(await browser.approve(client["client_id"]))
        add = "" if iss is None else f"&iss={iss}"
        with audit_log() as log:
            answer = await browser.http.get(f"/callback?{query}{add}")
        assert client_error(answer) == "server_error"
        assert log.reasons("sign_in_refused") == ["iss_mismatch"]
        assert "/token" not in server.provider.calls


@pytest.mark.attack("I-15")
@pytest.mark.parametrize("announced", [True, False])
async def test_an_answer_that_names_the_right_issuer_is_accepted(announced: bool) -> None:
    async with authorization_server() as server:
        server.provider.discovery = {"authorization_response_iss_parameter_supported": announced}
        client, browser = await server.register(), server.browser()
        query = server.provider.sign_in(await browser.approve(client["client_id"]))
        answer = await browser.http.get(f"/callback?{query}&iss={ISSUER}")
        assert "code" in query_of(answer.headers["location"])


@pytest.mark.attack("I-15")
async def test_a_wrong_issuer_is_refused_even_if_the_provider_announces_none() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        query = server.provider.sign_in(await browser.approve(client["client_id"]))
        answer = await browser.http.get(f"/callback?{query}&iss=https://evil.example")
        assert client_error(answer) == "server_error"


def json_answer(body: Any, status: int = 200, **headers: str) -> Callable[[], Response]:
    return lambda: JSONResponse(body, status, headers=headers)


@pytest.mark.attack("G-05")
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (json_answer({}, 500), "temporarily_unavailable"),
        (json_answer({}, 429), "temporarily_unavailable"),
        (lambda: PlainTextResponse("SECRET DETAIL", 502), "temporarily_unavailable"),
        (lambda: PlainTextResponse("SECRET DETAIL"), "server_error"),
        (json_answer({"error": "invalid_grant", "x": "SECRET DETAIL"}, 400), "server_error"),
        (json_answer({"error": "invalid_client"}, 401), "server_error"),
        (json_answer({"padding": "x" * 2_000_000}), "server_error"),
        (json_answer({}, 302, location="https://evil.example/"), "server_error"),
        (json_answer({"access_token": "a", "token_type": "Bearer"}), "server_error"),
        (json_answer({"id_token": "a.b.c", "token_type": "mac"}), "server_error"),
        (json_answer({"id_token": "a.b.c"}), "server_error"),
        (json_answer({"id_token": ["a"], "token_type": "Bearer"}), "server_error"),
        (json_answer([]), "server_error"),
        (json_answer("text"), "server_error"),
    ],
)
async def test_a_bad_answer_of_the_token_endpoint_ends_in_an_error(
    answer: Callable[[], Response], error: str
) -> None:
    async with authorization_server() as server:
        server.provider.answers["/token"] = answer
        client, browser = await server.register(), server.browser()
        with audit_log() as log:
            ended = await browser.sign_in(client["client_id"])
        assert client_error(ended) == error
        assert "SECRET" not in ended.headers["location"] + ended.text + str(log.lines)
        assert len(log.reasons("sign_in_refused")) == 1
        assert await server.records() == 0


@pytest.mark.attack("I-01", "I-03")
async def test_a_forged_token_makes_no_grant() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        for forge in (
            lambda claims: signed(claims, number=2, headers={"kid": "key-1"}),
            lambda claims: signed(claims, algorithm="RS512"),
            lambda claims: signed(claims).rpartition(".")[0] + ".",
        ):
            server.provider.forge = forge
            assert client_error(await browser.sign_in(client["client_id"])) == "server_error"
        assert await server.records() == 0


@pytest.mark.attack("I-13")
async def test_a_sign_in_works_right_after_the_provider_rotated_its_keys() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        await browser.code(client["client_id"])
        server.provider.numbers = [2]
        server.clock.forward(COOL_DOWN)
        await browser.code(client["client_id"])
        assert server.provider.calls.count("/jwks") == 2


@pytest.mark.attack("I-08", "I-13")
async def test_an_unknown_key_is_looked_for_once_and_then_refused() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        server.provider.forge = lambda claims: signed(claims, headers={"kid": "../../x"})
        server.provider.answers["/jwks"] = json_answer({"keys": [jwk(1)]})
        for _ in range(3):
            assert client_error(await browser.sign_in(client["client_id"])) == "server_error"
        assert server.provider.calls.count("/jwks") == 2


async def test_unavailable_keys_are_reported_as_temporarily_unavailable() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        server.provider.answers["/jwks"] = json_answer({}, 503)
        answer = await browser.sign_in(client["client_id"])
        assert client_error(answer) == "temporarily_unavailable"
