"""POST /token and POST /revoke: which requests are read at all."""

from __future__ import annotations

from typing import Any

import pytest

from harness.oauthanswers import token_error
from harness.oauthkit import FORM, VERIFIER, authorization_server, client_with_code, good_form


@pytest.mark.attack("N-05")
@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 415),
        ("multipart/form-data; boundary=x", 415),
        ("text/plain", 415),
        ("", 415),
        ("application/x-www-form-urlencoded-not", 415),
    ],
)
async def test_a_body_of_another_type_is_refused(content_type: str, status: int) -> None:
    async with authorization_server() as server:
        client, browser, code = await client_with_code(server)
        headers = {"content-type": content_type} if content_type else {}
        body = good_form(client["client_id"], code).encode()
        answer = await browser.http.post("/token", content=body, headers=headers)
        assert token_error(answer, status) == "invalid_request"


@pytest.mark.attack("N-05")
async def test_the_usual_type_may_name_its_charset() -> None:
    async with authorization_server() as server:
        client, browser, code = await client_with_code(server)
        answer = await browser.http.post(
            "/token",
            content=good_form(client["client_id"], code),
            headers={"content-type": "application/x-www-form-urlencoded; charset=UTF-8"},
        )
        assert answer.is_success


@pytest.mark.attack("N-05")
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda body: body + "&code=other", "invalid_request"),
        (lambda body: body + "&x=1&x=2", "invalid_request"),
        (lambda body: body.replace("authorization_code", ""), "invalid_request"),
        (lambda body: body.replace("grant_type=authorization_code&", ""), "invalid_request"),
        (
            lambda body: body.partition("&code=")[0] + f"&code_verifier={VERIFIER}",
            "invalid_request",
        ),
        (lambda body: body + "&x=%zz", "invalid_request"),
        (lambda body: body + "&x=%00", "invalid_request"),
        (lambda _: "", "invalid_request"),
    ],
)
async def test_an_ambiguous_form_is_refused(change: Any, expected: str) -> None:
    async with authorization_server() as server:
        client, browser, code = await client_with_code(server)
        body = change(good_form(client["client_id"], code))
        answer = await browser.http.post("/token", content=body, headers=FORM)
        assert token_error(answer) == expected


@pytest.mark.attack("N-05")
async def test_parameters_in_the_address_and_long_bodies_are_refused() -> None:
    async with authorization_server() as server:
        client, browser, code = await client_with_code(server)
        body = good_form(client["client_id"], code)
        in_address = await browser.http.post(f"/token?{body}", content="", headers=FORM)
        assert token_error(in_address) == "invalid_request"
        mixed = await browser.http.post("/token?x=1", content=body, headers=FORM)
        assert token_error(mixed) == "invalid_request"
        long = await browser.http.post("/token", content="x=" + "a" * 20_000, headers=FORM)
        assert token_error(long, 413) == "invalid_request"
        packed = await browser.http.post(
            "/token", content=body, headers=FORM | {"content-encoding": "gzip"}
        )
        assert token_error(packed, 415) == "invalid_request"
        assert (await browser.http.post("/token", content=body, headers=FORM)).is_success


@pytest.mark.attack("N-05")
@pytest.mark.parametrize("path", ["/token", "/revoke", "/register"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_other_methods_are_not_served(path: str, method: str) -> None:
    async with authorization_server() as server:
        answer = await server.browser().http.request(method, path)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "OPTIONS, POST"


@pytest.mark.attack("N-08")
@pytest.mark.parametrize("path", ["/token", "/revoke", "/register"])
async def test_a_preflight_from_any_origin_is_answered(path: str) -> None:
    async with authorization_server() as server:
        headers = {
            "origin": "https://app.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization, content-type",
        }
        answer = await server.browser().http.options(path, headers=headers)
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "POST" in answer.headers["access-control-allow-methods"]
        allowed = answer.headers["access-control-allow-headers"].lower()
        assert "authorization" in allowed
        assert "content-type" in allowed
        assert "access-control-allow-credentials" not in answer.headers
