"""POST /authorize: the decision, and what it is bound to."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from starlette.responses import Response

from harness.oauthkit import (
    CALLBACK,
    LOOPBACK,
    PUBLIC_URL,
    Browser,
    audit_log,
    authorization_server,
    handle_of,
    moved_on,
    query_of,
)
from harness.oidcstub import ISSUER


def cleared(answer: httpx.Response) -> set[str]:
    """Return the letters of the cookies that an answer takes away, with equal attributes."""
    letters = set()
    for line in answer.headers.get_list("set-cookie"):
        if "max-age=0" in line.lower():
            assert line.startswith("__Host-pmcp-")
            assert {"httponly", "path=/", "samesite=lax", "secure"} <= {
                part.strip().lower() for part in line.split(";")
            }
            letters.add(line.removeprefix("__Host-pmcp-")[0])
    return letters


def cookie_names(browser: Browser) -> list[str]:
    return sorted(cookie.name.rpartition("-")[0] for cookie in browser.http.cookies.jar)


def refused(answer: httpx.Response, status: int = 403) -> bool:
    return (
        answer.status_code == status
        and "location" not in answer.headers
        and "refresh" not in answer.headers
        and not answer.headers.get_list("set-cookie")
    )


@pytest.mark.attack("C-04", "E-01")
async def test_an_approval_sets_the_transaction_cookie_and_continues_to_the_provider() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        page = await browser.authorize(client["client_id"])
        with audit_log() as log:
            answer = await browser.decide(page)
        url = moved_on(answer)
        assert url.startswith(f"{ISSUER}/authorize?")
        query = query_of(url)
        assert query["redirect_uri"] == f"{PUBLIC_URL}/callback"
        assert query["response_type"] == "code"
        assert query["scope"] == "openid email"
        assert query["code_challenge_method"] == "S256"
        assert len(query["code_challenge"]) == 43
        assert len(query["nonce"]) == 43
        assert len(query["state"]) == 22
        assert cookie_names(browser) == ["__Host-pmcp-c", "__Host-pmcp-t"]
        assert log.events() == ["consent_given"]
        assert await server.records() == 0
        # The client's own challenge and state stay here.
        assert "client-state" not in url


async def test_the_provider_sees_no_cookie_value_and_no_secret() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        url = await browser.approve(client["client_id"])
        for cookie in browser.http.cookies.jar:
            assert (cookie.value or "") not in url
        assert client["client_id"] not in url


@pytest.mark.attack("D-02", "E-06")
async def test_a_denial_is_reported_to_the_client_and_leaves_nothing() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        page = await browser.authorize(client["client_id"])
        with audit_log() as log:
            answer = await browser.decide(page, "deny")
        url = moved_on(answer)
        assert url.startswith(CALLBACK + "?")
        query = query_of(url)
        assert query["error"] == "access_denied"
        assert query["state"] == "client-state"
        assert query["iss"] == PUBLIC_URL
        assert cleared(answer) == {"c", "t"}
        assert cookie_names(browser) == []
        assert log.events() == ["consent_denied"]
        assert await server.records() == 0
        assert server.provider.calls == []


@pytest.mark.attack("C-08")
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://mcp.example.test"},
        {"origin": "https://sub.mcp.example.test"},
        {"origin": f"{PUBLIC_URL}:444"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
    ],
)
async def test_a_form_from_another_site_is_refused(headers: dict[str, str]) -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        page = await browser.authorize(client["client_id"])
        assert refused(await browser.decide(page, **headers))


async def test_a_browser_without_these_headers_can_decide() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        page = await browser.authorize(client["client_id"])
        assert moved_on(await browser.decide(page, origin="", sec_fetch_site=""))


@pytest.mark.attack("C-08", "C-01")
async def test_the_page_of_one_browser_cannot_be_decided_in_another() -> None:
    async with authorization_server() as server:
        client, mine, other = await server.register(), server.browser(), server.browser()
        page = await mine.authorize(client["client_id"])
        with audit_log() as log:
            assert refused(await other.decide(page))
        assert log.reasons("sign_in_refused") == ["consent_refused"]
        await other.authorize(client["client_id"])
        assert refused(await other.decide(page)), "the cookie of another transaction"
        assert moved_on(await mine.decide(page))


@pytest.mark.attack("C-08")
@pytest.mark.parametrize(
    "form",
    [
        {"decision": "approve"},
        {"handle": "", "decision": "approve"},
        {"handle": "HANDLE"},
        {"handle": "HANDLE", "decision": "yes"},
        {"handle": ["HANDLE", "HANDLE"], "decision": "approve"},
        {"handle": "HANDLE", "decision": ["deny", "approve"]},
    ],
)
async def test_a_form_that_is_not_ours_is_refused(form: dict[str, object]) -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        handle = handle_of(await browser.authorize(client["client_id"]))

        def filled(value: object) -> object:
            if isinstance(value, list):
                return [filled(item) for item in value]
            return handle if value == "HANDLE" else value

        data = {name: filled(value) for name, value in form.items()}
        assert refused(await browser.http.post("/authorize", data=data))


@pytest.mark.attack("C-08")
@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data", "application/json"])
async def test_a_body_of_another_type_is_refused(content_type: str) -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        handle = handle_of(await browser.authorize(client["client_id"]))
        answer = await browser.http.post(
            "/authorize",
            content=f"handle={handle}&decision=approve",
            headers={"content-type": content_type},
        )
        assert refused(answer, 415)


@pytest.mark.attack("C-09")
async def test_a_handle_with_any_byte_changed_is_refused() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        handle = handle_of(await browser.authorize(client["client_id"]))
        kid_end = handle.index(".") + 1
        for at in range(kid_end, len(handle)):
            changed = handle[:at] + ("A" if handle[at] != "A" else "B") + handle[at + 1 :]
            data = {"handle": changed, "decision": "approve"}
            assert refused(await browser.http.post("/authorize", data=data), 400)


@pytest.mark.attack("C-09")
async def test_a_handle_of_another_deployment_or_purpose_is_refused() -> None:
    async with authorization_server() as server, authorization_server() as other:
        client, browser = await server.register(), server.browser()
        await browser.authorize(client["client_id"])
        foreign = await other.browser().authorize((await other.register())["client_id"])
        for handle in (handle_of(foreign), client["client_id"].removeprefix("pmcp_dc_")):
            data = {"handle": handle, "decision": "approve"}
            assert refused(await browser.http.post("/authorize", data=data), 400)


@pytest.mark.attack("B-10")
async def test_other_values_in_the_form_change_nothing() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        other = await server.register(client_name="Evil", redirect_uris=["https://evil.example/"])
        page = await browser.authorize(client["client_id"], scope="productive:read")
        data = {
            "handle": handle_of(page),
            "decision": "approve",
            "client_id": other["client_id"],
            "redirect_uri": "https://evil.example/",
            "scope": "productive:write",
            "state": "evil",
        }
        url = moved_on(await browser.http.post("/authorize", data=data))
        answer = await browser.http.get(f"/callback?{server.provider.sign_in(url)}")
        location = answer.headers["location"]
        assert location.startswith(CALLBACK + "?")
        assert query_of(location)["state"] == "client-state"
        tokens = await browser.redeem(client["client_id"], query_of(location)["code"])
        assert tokens.json()["scope"] == "productive:read"


@pytest.mark.attack("C-06")
async def test_a_page_that_was_open_for_ten_minutes_is_too_old() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        page = await browser.authorize(client["client_id"])
        server.clock.forward(601)
        assert refused(await browser.decide(page), 400)


@pytest.mark.attack("C-10")
async def test_approving_twice_leads_the_same_way() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        page = await browser.authorize(client["client_id"])
        first, second = moved_on(await browser.decide(page)), moved_on(await browser.decide(page))
        assert first == second
        answer = await browser.http.get(f"/callback?{server.provider.sign_in(first)}")
        assert "code" in query_of(answer.headers["location"])


@pytest.mark.attack("D-09", "C-07")
async def test_a_page_that_was_loaded_twice_can_be_decided_in_the_first_tab() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        first = await browser.authorize(client["client_id"])
        second = await browser.authorize(client["client_id"])
        assert moved_on(await browser.decide(first))
        assert moved_on(await browser.decide(second))


async def test_at_most_two_pages_are_open_and_the_oldest_is_dropped() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        pages = []
        for _ in range(3):
            pages.append(await browser.authorize(client["client_id"]))
            server.clock.forward(1)
        assert cookie_names(browser) == ["__Host-pmcp-c"] * 2
        assert refused(await browser.decide(pages[0]))
        for page in pages[1:]:
            assert moved_on(await browser.decide(page))


async def test_the_cookies_of_two_full_transactions_stay_below_eight_kilobytes() -> None:
    async with authorization_server() as server:
        uris = [f"https://assistant.example/{'x' * 300}", LOOPBACK]
        client, browser = await server.register(redirect_uris=uris), server.browser()
        for _ in range(4):
            await browser.approve(client["client_id"], redirect_uri=uris[0], state="s" * 700)
            server.clock.forward(1)
        line = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.http.cookies.jar)
        assert len(line) < 8192
        assert cookie_names(browser) == ["__Host-pmcp-c"] * 2 + ["__Host-pmcp-t"] * 2


@pytest.mark.attack("C-11", "E-04")
async def test_planted_or_repeated_cookies_have_no_effect() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        page = await browser.authorize(client["client_id"])
        [cookie] = browser.http.cookies.jar
        bare = cookie.name.removeprefix("__Host-")
        handle = handle_of(page)
        data = {"handle": handle, "decision": "approve"}

        async def post(line: str) -> httpx.Response:
            return await server.browser().http.post(
                "/authorize", data=data, headers={"cookie": line}
            )

        assert refused(await post(f"{bare}={cookie.value}")), "a sibling domain can set this name"
        assert refused(await post(f"{cookie.name}=1.planted"))
        assert moved_on(await post(f"{cookie.name}=1.planted; {cookie.name}={cookie.value}"))
        many = "; ".join(f"c{number}={'x' * 200}" for number in range(50))
        assert moved_on(await post(f"{many}; {cookie.name}={cookie.value}"))
        assert refused(await post("=; ;;; a==b; " + cookie.name))


@pytest.mark.attack("E-01")
async def test_cookies_have_no_prefix_on_plain_http() -> None:
    local = {"public_url": "http://localhost:8787", "resource": "http://localhost:8787/mcp"}
    async with authorization_server(oauth=local) as server:
        client, browser = await server.register(), server.browser()
        page = await browser.authorize(client["client_id"], resource=None)
        [line] = page.headers.get_list("set-cookie")
        assert line.startswith("pmcp-c-")
        assert "secure" not in line.lower()
        assert "httponly" in line.lower()
        url = moved_on(await browser.decide(page))
        answer = await browser.http.get(f"/callback?{server.provider.sign_in(url)}")
        assert query_of(answer.headers["location"])["iss"] == "http://localhost:8787"


@pytest.mark.attack("I-14")
async def test_a_provider_with_another_issuer_is_reported_to_the_person() -> None:
    async with authorization_server() as server:
        server.provider.discovery = {"issuer": "https://evil.example"}
        client, browser = await server.register(), server.browser()
        with audit_log() as log:
            answer = await browser.decide(await browser.authorize(client["client_id"]))
        assert answer.status_code == 502
        assert "OIDC_ISSUER" in answer.text
        assert "refresh" not in answer.headers
        assert cleared(answer) == {"c", "t"}
        assert log.reasons("sign_in_refused") == ["discovery_issuer_mismatch"]


async def test_an_unavailable_provider_is_reported_to_the_client() -> None:
    async with authorization_server() as server:
        server.provider.answers["/discovery"] = lambda: Response(status_code=503)
        client, browser = await server.register(), server.browser()
        answer = await browser.decide(await browser.authorize(client["client_id"]))
        query = query_of(moved_on(answer))
        assert query["error"] == "temporarily_unavailable"
        assert query["state"] == "client-state"


@pytest.mark.attack("D-11")
async def test_a_form_is_never_answered_by_a_redirect() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        for decision in ("approve", "deny"):
            page = await browser.authorize(client["client_id"])
            answer = await browser.decide(page, decision)
            assert answer.status_code == 200
            url = moved_on(answer)
            assert parse_qs(urlsplit(url).query)
            assert "location" not in answer.headers
