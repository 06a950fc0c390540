"""POST /token and POST /revoke."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest

from harness.oauthkit import (
    CALLBACK,
    RESOURCE,
    VERIFIER,
    AuthorizationServer,
    Browser,
    audit_log,
    authorization_server,
)

FORM = {"content-type": "application/x-www-form-urlencoded"}


def error(answer: httpx.Response, status: int = 400) -> str:
    """Return the error of a refusal, having checked its form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    body = answer.json()
    assert set(body) == {"error", "error_description"}
    assert body["error_description"].isascii()
    return str(body["error"])


def basic(client_id: str, secret: str) -> str:
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


async def start(
    server: AuthorizationServer, **metadata: Any
) -> tuple[dict[str, Any], Browser, str]:
    client, browser = await server.register(**metadata), server.browser()
    return client, browser, await browser.code(client["client_id"])


async def test_a_code_becomes_tokens() -> None:
    async with authorization_server() as server:
        client, browser, code = await start(server)
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
        client, browser, code = await start(server)
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
        client, browser, code = await start(server)
        other = await browser.redeem(client["client_id"], code, redirect_uri=CALLBACK + "/")
        assert error(other) == "invalid_grant"
        assert (await browser.redeem(client["client_id"], code, redirect_uri=None)).is_success


@pytest.mark.attack("F-05")
async def test_a_code_presented_by_another_client_is_refused_and_stays_valid() -> None:
    async with authorization_server() as server:
        client, browser, code = await start(server)
        other = await server.register()
        assert error(await browser.redeem(other["client_id"], code)) == "invalid_grant"
        assert (await browser.redeem(client["client_id"], code)).is_success


@pytest.mark.attack("F-04", "F-09", "P-05")
async def test_a_wrong_verifier_is_refused_and_the_code_stays_valid() -> None:
    async with authorization_server() as server:
        client, browser, code = await start(server)
        for _ in range(5):
            answer = await browser.redeem(client["client_id"], code, code_verifier="w" * 64)
            assert error(answer) == "invalid_grant"
        assert (await browser.redeem(client["client_id"], code)).is_success


@pytest.mark.attack("P-04")
@pytest.mark.parametrize("verifier", [None, "", "v" * 42, "v" * 129, "v" * 63 + "+", "é" * 50])
async def test_a_verifier_of_the_wrong_form_is_refused(verifier: str | None) -> None:
    async with authorization_server() as server:
        client, browser, code = await start(server)
        answer = await browser.redeem(client["client_id"], code, code_verifier=verifier)
        assert error(answer) == "invalid_request"
        assert (await browser.redeem(client["client_id"], code)).is_success


@pytest.mark.attack("F-08")
@pytest.mark.parametrize("code", ["x", "pmcp_ac_", "pmcp_rt_a.b", "pmcp_ac_a.b", "c" * 10_000])
async def test_an_invented_code_is_refused(code: str) -> None:
    async with authorization_server() as server:
        client = await server.register()
        with audit_log() as log:
            answer = await server.browser().redeem(client["client_id"], code)
        assert error(answer) == "invalid_grant"
        assert log.reasons("token_refused") == ["malformed"]
        assert f"'{code}'" not in str(log.lines)


@pytest.mark.attack("J-15", "F-08")
async def test_one_kind_of_token_is_not_accepted_as_another() -> None:
    async with authorization_server() as server:
        client, browser, code = await start(server)
        tokens = (await browser.redeem(client["client_id"], code)).json()
        for wrong in (tokens["access_token"], code):
            form = {
                "grant_type": "refresh_token",
                "client_id": client["client_id"],
                "refresh_token": wrong,
            }
            assert error(await browser.http.post("/token", data=form)) == "invalid_grant"
        wrong_code = await browser.redeem(client["client_id"], tokens["refresh_token"])
        assert error(wrong_code) == "invalid_grant"


@pytest.mark.attack("H-01", "J-09")
@pytest.mark.parametrize("resource", ["https://other.example/mcp", RESOURCE + "/", "/mcp"])
async def test_another_resource_is_refused_before_the_code_or_token_is_spent(resource: str) -> None:
    async with authorization_server() as server:
        client, browser, code = await start(server)
        wrong = await browser.redeem(client["client_id"], code, resource=resource)
        assert error(wrong) == "invalid_target"
        tokens = (await browser.redeem(client["client_id"], code, resource=None)).json()
        form = {
            "grant_type": "refresh_token",
            "client_id": client["client_id"],
            "refresh_token": tokens["refresh_token"],
        }
        refused = await browser.http.post("/token", data=form | {"resource": resource})
        assert error(refused) == "invalid_target"
        assert (await browser.http.post("/token", data=form)).is_success


@pytest.mark.attack("A-04", "H-01")
async def test_two_resources_are_refused() -> None:
    async with authorization_server() as server:
        client, browser, code = await start(server)
        answer = await browser.redeem(client["client_id"], code, resource=[RESOURCE, RESOURCE])
        assert error(answer) == "invalid_target"


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
            assert error(answer) == "invalid_scope"
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
        assert error(answer) == "unsupported_grant_type"


def good_form(client_id: str, code: str) -> str:
    return (
        f"grant_type=authorization_code&client_id={client_id}&code={code}&code_verifier={VERIFIER}"
    )


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
        client, browser, code = await start(server)
        headers = {"content-type": content_type} if content_type else {}
        body = good_form(client["client_id"], code).encode()
        answer = await browser.http.post("/token", content=body, headers=headers)
        assert error(answer, status) == "invalid_request"


@pytest.mark.attack("N-05")
async def test_the_usual_type_may_name_its_charset() -> None:
    async with authorization_server() as server:
        client, browser, code = await start(server)
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
        client, browser, code = await start(server)
        body = change(good_form(client["client_id"], code))
        answer = await browser.http.post("/token", content=body, headers=FORM)
        assert error(answer) == expected


@pytest.mark.attack("N-05")
async def test_parameters_in_the_address_and_long_bodies_are_refused() -> None:
    async with authorization_server() as server:
        client, browser, code = await start(server)
        body = good_form(client["client_id"], code)
        in_address = await browser.http.post(f"/token?{body}", content="", headers=FORM)
        assert error(in_address) == "invalid_request"
        mixed = await browser.http.post("/token?x=1", content=body, headers=FORM)
        assert error(mixed) == "invalid_request"
        long = await browser.http.post("/token", content="x=" + "a" * 20_000, headers=FORM)
        assert error(long, 413) == "invalid_request"
        packed = await browser.http.post(
            "/token", content=body, headers=FORM | {"content-encoding": "gzip"}
        )
        assert error(packed, 415) == "invalid_request"
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
        client, _, code = await start(server, token_endpoint_auth_method="client_secret_basic")
        header = basic(client["client_id"], client["client_secret"])
        assert (await redeem_with(server, client, code, header=header)).is_success
        client, _, code = await start(server, token_endpoint_auth_method="client_secret_post")
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
        client, _, code = await start(server, token_endpoint_auth_method="client_secret_post")
        header = basic(client["client_id"], client["client_secret"])
        answer = await redeem_with(server, client, code, header=header)
        assert error(answer, 401) == "invalid_client"
        assert answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.attack("N-03")
async def test_a_client_that_registered_no_method_may_use_either() -> None:
    async with authorization_server() as server:
        client, _, code = await start(server, token_endpoint_auth_method=None)
        header = basic(client["client_id"], client["client_secret"])
        assert (await redeem_with(server, client, code, header=header)).is_success
        client, _, code = await start(server, token_endpoint_auth_method=None)
        in_body = {"client_id": client["client_id"], "client_secret": client["client_secret"]}
        assert (await redeem_with(server, client, code, **in_body)).is_success


@pytest.mark.attack("N-01")
async def test_two_authentication_methods_at_once_are_refused() -> None:
    async with authorization_server() as server:
        client, _, code = await start(server, token_endpoint_auth_method=None)
        client_id, secret = client["client_id"], client["client_secret"]
        header = basic(client_id, secret)
        both = await redeem_with(server, client, code, header=header, client_secret=secret)
        assert error(both) == "invalid_request"
        two_names = await redeem_with(server, client, code, header=header, client_id="other")
        assert error(two_names) == "invalid_request"
        twice = await server.browser().http.post(
            "/token",
            content=good_form(client_id, code),
            headers=[*FORM.items(), ("authorization", header), ("authorization", header)],
        )
        assert error(twice) == "invalid_request"
        assertion = await redeem_with(
            server, client, code, client_id=client_id, client_assertion="x"
        )
        assert error(assertion, 401) == "invalid_client"
        assert (
            await redeem_with(server, client, code, header=header, client_id=client_id)
        ).is_success


@pytest.mark.attack("N-01", "J-07")
async def test_a_client_with_missing_or_wrong_credentials_is_refused() -> None:
    async with authorization_server() as server:
        client, _, code = await start(server, token_endpoint_auth_method="client_secret_post")
        public, _, public_code = await start(server)
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
            assert error(answer, 401) == "invalid_client"
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
        client, _, code = await start(server)
        answer = await redeem_with(server, client, code, header=header)
        assert error(answer, 401) == "invalid_client"
        assert answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.attack("N-02")
async def test_the_header_is_decoded_as_a_form_is_and_its_scheme_in_any_case() -> None:
    async with authorization_server() as server:
        client, _, code = await start(server, token_endpoint_auth_method="client_secret_basic")
        encoded = client["client_id"].replace(".", "%2E").replace("_", "%5f")
        pair = f"{encoded}:{client['client_secret']}".encode()
        header = "basic " + base64.b64encode(pair).decode()
        assert (await redeem_with(server, client, code, header=header)).is_success


@pytest.mark.attack("J-07")
async def test_the_refresh_token_of_another_client_is_refused() -> None:
    async with authorization_server() as server:
        client, browser, code = await start(server)
        tokens = (await browser.redeem(client["client_id"], code)).json()
        other = await server.register()
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        stolen = await browser.http.post("/token", data=form | {"client_id": other["client_id"]})
        assert error(stolen) == "invalid_grant"
        own = await browser.http.post("/token", data=form | {"client_id": client["client_id"]})
        assert own.is_success


@pytest.mark.attack("O-11")
async def test_a_client_whose_host_was_removed_from_the_policy_cannot_refresh() -> None:
    async with authorization_server() as server:
        client, browser, code = await start(server, redirect_uris=[CALLBACK])
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
            assert error(refused) == "invalid_grant"


@pytest.mark.attack("J-12")
async def test_internal_failures_are_503_and_the_same_code_works_later() -> None:
    async with authorization_server() as server:
        client, browser, code = await start(server)
        people, server.people.people = server.people.people, None
        answer = await browser.redeem(client["client_id"], code)
        assert error(answer, 503) == "temporarily_unavailable"
        assert int(answer.headers["retry-after"]) >= 1
        server.people.people = people
        assert (await browser.redeem(client["client_id"], code)).is_success


async def test_every_refusal_is_audited_with_its_reason() -> None:
    async with authorization_server() as server:
        client, browser, code = await start(server)
        with audit_log() as log:
            await browser.redeem("pmcp_dc_x.y", code)
            await browser.redeem(client["client_id"], code, code_verifier="w" * 64)
        assert log.reasons("token_refused")[0] == "invalid_client"
        assert len(log.reasons("token_refused")) == 2
        assert code not in str(log.lines)


@pytest.mark.attack("N-07")
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "nonsense"])
async def test_revoking_either_token_ends_the_grant(kind: str, hint: str | None) -> None:
    async with authorization_server() as server:
        client, browser, code = await start(server)
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
        assert error(await browser.http.post("/token", data=refresh)) == "invalid_grant"


@pytest.mark.attack("N-07")
async def test_revoking_another_clients_token_has_no_effect() -> None:
    async with authorization_server() as server:
        client, browser, code = await start(server)
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
        assert error(answer, 401) == "invalid_client"
        named = await server.browser().http.post("/revoke", data={"token": "any"})
        assert error(named, 401) == "invalid_client"


async def test_revoking_without_a_token_is_an_invalid_request() -> None:
    async with authorization_server() as server:
        client = await server.register()
        form: dict[str, Any] = {"client_id": client["client_id"]}
        assert error(await server.browser().http.post("/revoke", data=form)) == "invalid_request"
        form["token"] = ["a", "b"]
        assert error(await server.browser().http.post("/revoke", data=form)) == "invalid_request"
