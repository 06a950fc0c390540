"""GET /authorize, up to the consent page."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from harness.oauthkit import (
    CALLBACK,
    LOOPBACK,
    PUBLIC_URL,
    authorization_server,
    parameters,
    query_of,
)
from harness.pages import is_page
from productive_gateway.errors import Unavailable


async def ask(**changes: Any) -> httpx.Response:
    """Send one request of a good client, changed, and see that nothing was made of it."""
    async with authorization_server() as server:
        query = parameters((await server.register())["client_id"]) | changes
        given = {name: value for name, value in query.items() if value is not None}
        answer = await server.browser().http.get("/authorize", params=given)
        assert await server.records() == 0
        assert server.provider.calls == []
        return answer


async def ask_raw(add: str) -> httpx.Response:
    """Send a good request with more text at the end of its query."""
    async with authorization_server() as server:
        client = await server.register()
        query = httpx.QueryParams(parameters(client["client_id"]))
        return await server.browser().http.get(f"/authorize?{query}&{add}")


def redirected(answer: httpx.Response) -> str:
    """Return the error that the client is told, having checked all around it."""
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(CALLBACK + "?")
    assert "#" not in answer.headers["location"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    query = query_of(answer.headers["location"])
    assert query["iss"] == PUBLIC_URL
    assert query["error_description"]
    return query["error"]


@pytest.mark.attack("D-01", "C-04", "E-01")
async def test_a_good_request_shows_the_page_and_sets_the_consent_cookie_only() -> None:
    async with authorization_server() as server:
        client = await server.register()
        page = await server.browser().authorize(client["client_id"])
        assert page.status_code == 200
        cookies = page.headers.get_list("set-cookie")
        assert len(cookies) == 1
        name, _, rest = cookies[0].partition("=")
        assert name.startswith("__Host-pmcp-c-")
        attributes = {part.strip().lower() for part in rest.split(";")[1:]}
        assert attributes == {"httponly", "max-age=600", "path=/", "samesite=lax", "secure"}
        assert server.provider.calls == []
        assert await server.records() == 0


@pytest.mark.attack("D-08")
async def test_the_consent_page_names_client_server_and_permissions() -> None:
    page = await ask()
    for words in (
        "mcp.example.test",
        "Assistant",
        "unverified",
        "assistant.example",
        "See what you can see",
        "Create and change",
        "Approve",
        "Cancel",
    ):
        assert words in page.text
    assert "this computer" not in page.text


@pytest.mark.attack("D-08")
async def test_the_consent_page_warns_when_access_goes_to_this_computer() -> None:
    page = await ask(redirect_uri="http://localhost:50123/callback")
    assert "localhost:50123" in page.text
    assert "this computer" in page.text


@pytest.mark.attack("D-08")
async def test_the_consent_page_lists_only_requested_permissions() -> None:
    page = await ask(scope="productive:read")
    assert "See what you can see" in page.text
    assert "Create and change" not in page.text


@pytest.mark.attack("D-03", "D-04", "D-05", "D-06", "D-07")
@pytest.mark.parametrize("headers", [{}, {"sec-fetch-site": "cross-site"}])
async def test_the_consent_page_is_shown_again_after_an_approval(headers: dict[str, str]) -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        await browser.code(client["client_id"])
        other = await server.register(client_name="Other")
        for client_id, changes in (
            (client["client_id"], {}),
            (client["client_id"], {"redirect_uri": LOOPBACK}),
            (client["client_id"], {"scope": "productive:read"}),
            (other["client_id"], {}),
        ):
            query = parameters(client_id, **changes)
            page = await browser.http.get("/authorize", params=query, headers=headers)
            assert page.status_code == 200
            assert "Approve" in page.text


@pytest.mark.attack("D-12")
async def test_markup_and_direction_marks_in_a_name_stay_text() -> None:
    async with authorization_server() as server:
        name = "<img src=x onerror=alert(1)>\u202e\"' Approve as admin"
        client = await server.register(client_name=name)
        page = await server.browser().authorize(client["client_id"])
        assert "<img" not in page.text
        assert "&lt;img" in page.text
        assert "\u202e" not in page.text


@pytest.mark.attack("B-09")
async def test_an_internationalised_host_is_shown_in_its_ascii_form() -> None:
    async with authorization_server() as server:
        uri = "https://xn--80ak6aa92e.example/cb"
        client = await server.register(redirect_uris=[uri])
        page = await server.browser().authorize(client["client_id"], redirect_uri=uri)
        assert "xn--80ak6aa92e.example" in page.text


@pytest.mark.attack("D-15")
async def test_no_button_of_the_consent_page_has_the_focus() -> None:
    page = await ask()
    assert "autofocus" not in page.text
    assert page.text.index(">Cancel<") < page.text.index(">Approve<")


@pytest.mark.attack("A-01")
@pytest.mark.parametrize("client_id", [None, "", "unknown", "pmcp_dc_a.b", "http://evil.example"])
async def test_an_unknown_client_gets_a_page(client_id: str | None) -> None:
    page = await ask(client_id=client_id)
    assert is_page(page)
    assert "connect it again" in page.text


@pytest.mark.attack("A-01")
async def test_an_unknown_client_gets_json_if_it_asks_for_it() -> None:
    async with authorization_server() as server:
        answer = await server.browser().http.get(
            "/authorize", headers={"accept": "application/json"}
        )
        assert answer.status_code == 400
        assert answer.json()["error"] == "invalid_client"


@pytest.mark.attack("B-01", "B-02", "B-03", "B-06")
@pytest.mark.parametrize(
    "uri",
    [
        None,
        "",
        CALLBACK + "/",
        CALLBACK + "?x=1",
        CALLBACK + "#x",
        CALLBACK.upper(),
        "https://assistant.example.evil.example/callback",
        "https://assistant.example@evil.example/callback",
        "http://assistant.example/callback",
        "javascript:alert(1)",
    ],
)
async def test_an_unregistered_redirect_uri_is_never_used(uri: str | None) -> None:
    assert is_page(await ask(redirect_uri=uri))


@pytest.mark.attack("B-07")
async def test_a_registered_private_scheme_is_not_used() -> None:
    async with authorization_server() as server:
        uri = "cursor://anysphere.cursor-mcp/oauth/callback"
        client = await server.register(redirect_uris=[uri, CALLBACK])
        page = await server.browser().authorize(client["client_id"], redirect_uri=uri)
        assert is_page(page)
        assert "REDIRECT_HOSTS" not in page.text, "that could not help"
        assert "http://localhost" in page.text


async def test_the_servers_own_address_is_refused_with_the_port_to_change() -> None:
    own = "http://localhost:8787"
    async with authorization_server(
        oauth={"public_url": own, "resource": f"{own}/mcp", "local": True}
    ) as server:
        uris = [f"{own}/oauth/callback", CALLBACK]
        client = await server.register(redirect_uris=uris)
        page = await server.browser().authorize(
            client["client_id"], redirect_uri=uris[0], resource=None
        )
        assert is_page(page)
        assert "PORT" in page.text
        assert "8787" in page.text
        other = await server.browser().authorize(
            client["client_id"], redirect_uri=CALLBACK, resource=None
        )
        assert other.status_code == 200


@pytest.mark.attack("D-08")
@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        (CALLBACK, CALLBACK),
        (f"{CALLBACK}/deep/path?secret=query", f"{CALLBACK}/deep/path"),
        ("http://localhost:50123/cb?x=1", "http://localhost:50123/cb"),
    ],
)
async def test_the_consent_page_shows_the_whole_address_without_its_query(
    uri: str, shown: str
) -> None:
    async with authorization_server() as server:
        client = await server.register(redirect_uris=[uri])
        page = await server.browser().authorize(client["client_id"], redirect_uri=uri)
        assert f"<dd>{shown}</dd>" in page.text
        assert "secret" not in page.text.replace(uri, "")


@pytest.mark.attack("O-11")
async def test_a_host_removed_from_the_policy_is_refused_with_the_remedy() -> None:
    async with authorization_server(oauth={"redirect_hosts": ("claude.ai",)}) as server:
        client = await server.register()
        page = await server.browser().authorize(client["client_id"])
        assert is_page(page)
        assert "REDIRECT_HOSTS" in page.text
        assert "it@example.com" in page.text
        local = await server.browser().authorize(client["client_id"], redirect_uri=LOOPBACK)
        assert local.status_code == 200


@pytest.mark.attack("A-02", "A-11")
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (None, "invalid_request"),
        ("token", "unsupported_response_type"),
        ("id_token", "unsupported_response_type"),
        ("code token", "unsupported_response_type"),
        ("code id_token", "unsupported_response_type"),
    ],
)
async def test_only_response_type_code_is_supported(kind: str | None, error: str) -> None:
    assert redirected(await ask(response_type=kind)) == error


@pytest.mark.attack("A-03")
@pytest.mark.parametrize("mode", ["fragment", "form_post", "web_message", "query.jwt"])
async def test_only_response_mode_query_is_supported(mode: str) -> None:
    assert redirected(await ask(response_mode=mode)) == "invalid_request"


@pytest.mark.attack("A-04")
@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
async def test_a_repeated_client_id_or_redirect_uri_gets_a_page(name: str) -> None:
    assert is_page(await ask_raw(f"{name}=https%3A%2F%2Fevil.example%2F"))


@pytest.mark.attack("A-04")
@pytest.mark.parametrize(
    ("add", "error"),
    [
        ("state=other", "invalid_request"),
        ("code_challenge=" + "x" * 43, "invalid_request"),
        ("scope=productive:read", "invalid_request"),
        ("response_type=code", "invalid_request"),
        ("x=1&x=2", "invalid_request"),
        ("resource=https%3A%2F%2Fmcp.example.test%2Fmcp", "invalid_target"),
    ],
)
async def test_any_other_repeated_parameter_is_reported_to_the_client(add: str, error: str) -> None:
    answer = await ask_raw(add)
    assert redirected(answer) == error
    assert ("state" in query_of(answer.headers["location"])) == ("state=" not in add)


@pytest.mark.attack("A-05")
@pytest.mark.parametrize("scope", ['a"b', "productive:read\\", "a" * 5000, "  "])
async def test_malformed_scopes_are_refused(scope: str) -> None:
    answer = await ask(scope=scope)
    assert redirected(answer) == "invalid_scope"


@pytest.mark.attack("A-05")
@pytest.mark.parametrize("scope", ["openid email profile", "admin", "a b c", "offline_access"])
async def test_with_unknown_scopes_only_it_is_as_if_none_was_named(scope: str) -> None:
    page = await ask(scope=scope)
    assert page.status_code == 200
    assert "See what you can see" in page.text
    assert "Create and change" in page.text


@pytest.mark.attack("A-05")
async def test_unknown_scopes_beside_known_ones_are_left_out() -> None:
    page = await ask(scope="openid offline_access productive:read")
    assert page.status_code == 200
    assert "Create and change" not in page.text


async def test_without_a_scope_all_are_requested() -> None:
    page = await ask(scope=None)
    assert "See what you can see" in page.text
    assert "Create and change" in page.text


@pytest.mark.attack("A-06")
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"request": "x.y.z"}, "request_not_supported"),
        ({"request_uri": "http://169.254.169.254/"}, "request_uri_not_supported"),
    ],
)
async def test_requests_by_reference_are_refused_and_not_fetched(
    changes: dict[str, str], error: str
) -> None:
    assert redirected(await ask(**changes)) == error


@pytest.mark.attack("A-08")
@pytest.mark.parametrize("prompt", ["none", "none login"])
async def test_prompt_none_is_refused(prompt: str) -> None:
    assert redirected(await ask(prompt=prompt)) == "login_required"


@pytest.mark.attack("A-09")
@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "TRACE", "OPTIONS", "PATCH"])
async def test_other_methods_are_not_served(method: str) -> None:
    async with authorization_server() as server:
        answer = await server.browser().http.request(
            method, "/authorize", headers={"origin": "https://app.example"}
        )
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, POST"
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.attack("A-10")
async def test_a_long_address_is_refused() -> None:
    assert is_page(await ask_raw("x=" + "a" * 8192), 414)


@pytest.mark.attack("A-10", "A-12")
@pytest.mark.parametrize(
    "add",
    [
        "&".join(f"p{number}=1" for number in range(300)),
        "x=%00",
        "x=%0d%0aSet-Cookie:%20a=b",
        "x=%ed%a0%80",
        "x=%c0%ae",
        "x=%",
    ],
)
async def test_an_ambiguous_query_gets_a_page(add: str) -> None:
    answer = await ask_raw(add)
    assert is_page(answer)
    assert not answer.headers.get_list("set-cookie")


@pytest.mark.attack("A-10", "A-11")
@pytest.mark.parametrize(
    "state", ["a+b c%20d&e=f#g", "ünïcode ✓", '{"json":"/ ?"}', "x" * 1024, " ", "'\"<>"]
)
async def test_the_state_comes_back_unchanged(state: str) -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        for encode in (quote, lambda text: quote(text).replace("%20", "+")):
            query = httpx.QueryParams(parameters(client["client_id"], state=None, prompt="none"))
            answer = await browser.http.get(f"/authorize?{query}&state={encode(state)}")
            assert redirected(answer) == "login_required"
            assert query_of(answer.headers["location"])["state"] == state


@pytest.mark.attack("A-10")
async def test_a_state_that_is_too_long_is_refused_and_not_returned() -> None:
    answer = await ask(state="x" * 1025)
    assert redirected(answer) == "invalid_request"
    assert "state" not in query_of(answer.headers["location"])


async def test_a_request_that_would_not_fit_into_its_cookie_is_refused() -> None:
    async with authorization_server() as server:
        uris = [f"https://assistant.example/{secrets.token_urlsafe(360)}" for _ in range(2)]
        client, browser = await server.register(redirect_uris=uris), server.browser()
        state = secrets.token_urlsafe(768)
        answer = await browser.authorize(client["client_id"], redirect_uri=uris[0], state=state)
        assert "shorter%20state" in answer.headers["location"]
        page = await browser.authorize(client["client_id"], redirect_uri=uris[0], state=state[:500])
        assert page.status_code == 200
        [cookie] = (await browser.decide(page)).headers.get_list("set-cookie")
        assert len(cookie) < 3200


@pytest.mark.attack("P-01", "P-02", "P-03")
@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None},
        {"code_challenge": ""},
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": "s256"},
        {"code_challenge_method": "S512"},
        {"code_challenge": "x" * 42},
        {"code_challenge": "x" * 44},
        {"code_challenge": "x" * 129},
        {"code_challenge": "x" * 42 + "="},
        {"code_challenge": "x" * 42 + "+"},
        {"code_challenge": "x" * 42 + "\u00fc"},
    ],
)
@pytest.mark.parametrize("method", ["none", "client_secret_post"])
async def test_without_a_sha256_challenge_there_is_no_code(
    changes: dict[str, Any], method: str
) -> None:
    async with authorization_server() as server:
        client = await server.register(token_endpoint_auth_method=method)
        answer = await server.browser().authorize(client["client_id"], **changes)
        assert redirected(answer) == "invalid_request"


@pytest.mark.attack("H-01")
@pytest.mark.parametrize(
    "resource",
    [
        "https://other.example/mcp",
        f"{PUBLIC_URL}/other",
        f"{PUBLIC_URL}/mcp/",
        f"{PUBLIC_URL}/mcp#x",
        f"{PUBLIC_URL}/mcp?x",
        f"{PUBLIC_URL}/MCP",
        f"{PUBLIC_URL}:443/mcp",
        "/mcp",
        "https://user@mcp.example.test/mcp",
        PUBLIC_URL,
    ],
)
async def test_another_resource_is_refused(resource: str) -> None:
    assert redirected(await ask(resource=resource)) == "invalid_target"


@pytest.mark.attack("H-01", "H-02")
@pytest.mark.parametrize("resource", [None, "", "HTTPS://MCP.Example.TEST/mcp"])
async def test_the_resource_may_be_omitted_or_written_in_capitals(resource: Any) -> None:
    assert (await ask(resource=resource)).status_code == 200


@pytest.mark.attack("A-07")
async def test_an_authorization_request_by_post_is_no_consent() -> None:
    async with authorization_server() as server:
        client = await server.register()
        answer = await server.browser().http.post(
            "/authorize", data=parameters(client["client_id"])
        )
        assert is_page(answer, 403)
        assert await server.records() == 0


def no_ring() -> Any:
    raise Unavailable("The keys are away. Try again.", reason="keys_away", retry_after=7)


async def test_without_keys_the_answer_is_503(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with authorization_server() as server:
        client = await server.register()
        monkeypatch.setattr(server.keys, "ring", no_ring)
        page = await server.browser().authorize(client["client_id"])
        assert is_page(page, 503)
        assert page.headers["retry-after"] == "7"
        answer = await server.browser().http.post("/register", json={"redirect_uris": [CALLBACK]})
        assert answer.status_code == 503
        assert answer.json()["error"] == "temporarily_unavailable"
