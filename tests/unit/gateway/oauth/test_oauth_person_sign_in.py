"""The sign-in for /connections: as safe as that for a client."""

from __future__ import annotations

import pytest
from starlette.responses import PlainTextResponse

from harness.connectionskit import (
    COOKIE,
    URL,
    asks_to_sign_in,
    cookie_line,
    cookie_names,
    cookie_value,
    running,
    text_of,
)
from harness.oauthkit import (
    CALLBACK,
    audit_log,
    handle_of,
    moved_on,
    query_of,
)
from harness.oidcstub import Person, signed
from harness.pages import is_page


@pytest.mark.attack("C-01", "C-02", "E-03")
async def test_sign_in_that_was_begun_in_another_browser_is_not_completed() -> None:
    async with running() as site:
        attacker, victim = site.server.browser(), site.server.browser()
        query = site.server.provider.sign_in(moved_on(await attacker.press("sign-in")))
        await victim.press("sign-in")
        with audit_log() as log:
            answer = await victim.http.get(f"/callback?{query}")
        assert is_page(answer, 403)
        assert log.reasons("sign_in_refused") == ["binding_mismatch"]
        assert "/token" not in site.server.provider.calls
        assert COOKIE not in cookie_names(victim)


@pytest.mark.attack("C-01", "E-03")
async def test_cookie_of_one_sign_in_does_not_open_another() -> None:
    async with running() as site:
        mine, other = site.server.browser(), site.server.browser()
        query = site.server.provider.sign_in(moved_on(await mine.press("sign-in")))
        await other.press("sign-in")
        [name] = [name for name in cookie_names(mine) if "-p-" in name]
        answer = await site.server.browser().http.get(
            f"/callback?{query}", headers={"cookie": f"{name}={cookie_value(other, '-p-')}"}
        )
        assert is_page(answer, 403)


@pytest.mark.attack("C-03", "S-01")
async def test_neither_kind_of_sign_in_can_be_finished_as_the_other() -> None:
    """Only what was sealed decides: not the name of the cookie, and no parameter."""
    async with running() as site:
        client, _ = await site.connect()
        before = await site.versions()
        for begin, sent, other in (("client", "-t-", "-p-"), ("person", "-p-", "-t-")):
            browser = site.server.browser()
            url = (
                await browser.approve(client)
                if begin == "client"
                else moved_on(await browser.press("sign-in"))
            )
            query = site.server.provider.sign_in(url)
            [name] = [name for name in cookie_names(browser) if sent in name]
            line = f"{name.replace(sent, other)}={cookie_value(browser, sent)}"
            answer = await site.server.browser().http.get(
                f"/callback?{query}", headers={"cookie": line}
            )
            assert is_page(answer, 403)
        assert await site.versions() == before


@pytest.mark.parametrize("name", ["kind", "page", "next", "return_to", "redirect_uri", "client_id"])
@pytest.mark.attack("G-02", "C-03")
async def test_no_parameter_of_the_callback_changes_what_a_sign_in_is_for(name: str) -> None:
    async with running() as site:
        client = (await site.server.register())["client_id"]
        for value in ("/connections", "connections", "//evil.example", client):
            browser = site.server.browser()
            query = site.server.provider.sign_in(moved_on(await browser.press("sign-in")))
            answer = await browser.http.get(
                f"/callback?{query}", params=with_parameter(query, name, value)
            )
            assert answer.headers["location"] == URL
            browser = site.server.browser()
            query = site.server.provider.sign_in(await browser.approve(client))
            answer = await browser.http.get(
                f"/callback?{query}", params=with_parameter(query, name, value)
            )
            assert answer.headers["location"].startswith(f"{CALLBACK}?code=")
            assert COOKIE not in cookie_names(browser)


def with_parameter(query: str, name: str, value: str) -> dict[str, str]:
    return query_of(f"x?{query}") | {name: value}


@pytest.mark.attack("C-03")
async def test_unknown_state_and_malformed_answers_get_a_page() -> None:
    async with running() as site:
        browser = site.server.browser()
        query = site.server.provider.sign_in(moved_on(await browser.press("sign-in")))
        state = query_of(f"x?{query}")["state"]
        for wrong in ("", "x", state[:-1], state + "A", "é", "A" * 5000):
            answer = await browser.http.get("/callback", params={"code": "c", "state": wrong})
            assert is_page(answer, 400)
        twice = await browser.http.get(f"/callback?{query}&error=access_denied")
        assert is_page(twice, 400)
        assert "/token" not in site.server.provider.calls


@pytest.mark.attack("C-05", "I-17")
async def test_repeated_callback_says_already_completed() -> None:
    async with running() as site:
        browser = site.server.browser()
        query = site.server.provider.sign_in(moved_on(await browser.press("sign-in")))
        before = {"cookie": cookie_line(browser)}
        assert (await browser.http.get(f"/callback?{query}")).status_code == 302
        again = await browser.http.get(f"/callback?{query}")
        assert is_page(again, 400)
        assert "already complete" in again.text
        lost = site.server.browser()
        answer = await lost.http.get(f"/callback?{query}", headers=before)
        assert is_page(answer, 502)
        assert f'href="{URL}"' in answer.text
        assert COOKIE not in cookie_names(lost)


@pytest.mark.attack("C-06")
async def test_sign_in_that_took_ten_minutes_is_too_late() -> None:
    async with running() as site:
        browser = site.server.browser()
        query = site.server.provider.sign_in(moved_on(await browser.press("sign-in")))
        site.server.clock.forward(600)
        answer = await browser.http.get(f"/callback?{query}")
        assert is_page(answer, 400)
        assert "open the page again that you came from" in answer.text
        assert cookie_names(browser) == []
        assert "/token" not in site.server.provider.calls


@pytest.mark.attack("C-07", "C-10")
async def test_two_tabs_and_a_double_click_do_not_disturb_each_other_or_a_client() -> None:
    async with running() as site:
        browser = site.server.browser()
        client = await site.server.register()
        clients = site.server.provider.sign_in(await browser.approve(client["client_id"]))
        first = site.server.provider.sign_in(moved_on(await browser.press("sign-in")))
        second = site.server.provider.sign_in(moved_on(await browser.press("sign-in")))
        assert (await browser.http.get(f"/callback?{second}")).headers["location"] == URL
        assert (await browser.http.get(f"/callback?{first}")).headers["location"] == URL
        answer = await browser.http.get(f"/callback?{clients}")
        assert answer.headers["location"].startswith(f"{CALLBACK}?code=")
        assert len(cookie_line(browser)) < 8192


@pytest.mark.attack("S-02", "C-08")
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example", "sec_fetch_site": ""},
        {"origin": "https://evil.example", "sec_fetch_site": "same-origin"},
        {"origin": "null"},
        {"origin": "https://sub.mcp.example.test"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"origin": "", "sec_fetch_site": "cross-site"},
        {"origin": "", "sec_fetch_site": ""},
    ],
)
@pytest.mark.parametrize("path", ["sign-in", "sign-out", "disconnect"])
async def test_form_of_another_site_changes_nothing(path: str, headers: dict[str, str]) -> None:
    async with running() as site:
        await site.connect()
        browser = site.server.browser()
        page = await browser.connections()
        before = site.store.calls.copy(), await site.versions(), cookie_line(browser)
        form = {"handle": handle_of(page), "grant": "all"}
        with audit_log() as log:
            answer = await browser.press(path, form, **headers)
        assert is_page(answer, 403)
        assert "set-cookie" not in answer.headers
        assert log.reasons("connections_refused") == ["cross_site"]
        assert (site.store.calls, await site.versions(), cookie_line(browser)) == before


@pytest.mark.attack("C-08")
@pytest.mark.parametrize("headers", [{"origin": ""}, {"sec_fetch_site": ""}])
async def test_one_of_both_headers_is_enough(headers: dict[str, str]) -> None:
    async with running() as site:
        assert moved_on(await site.server.browser().press("sign-in", **headers))


@pytest.mark.attack("C-12", "I-11")
async def test_id_token_of_another_sign_in_is_refused() -> None:
    async with running() as site:
        victim, mine = site.server.browser(), site.server.browser()
        stolen = site.server.provider.sign_in(moved_on(await victim.press("sign-in")))
        state = query_of(moved_on(await mine.press("sign-in")))["state"]
        code = query_of(f"x?{stolen}")["code"]
        answer = await mine.http.get(f"/callback?code={code}&state={state}")
        assert is_page(answer, 502), "PKCE of the provider already refuses it"
        site.server.provider.forge = lambda claims: signed(claims | {"nonce": "n" * 43})
        with audit_log() as log:
            answer = await mine.prove()
        assert is_page(answer, 502)
        assert log.reasons("sign_in_refused") == ["id_token_nonce"]
        assert COOKIE not in cookie_names(mine)


@pytest.mark.attack("I-11", "C-12")
async def test_two_sign_ins_have_secrets_of_their_own() -> None:
    async with running() as site:
        browser = site.server.browser()
        first, second = [query_of(moved_on(await browser.press("sign-in"))) for _ in range(2)]
        for name in ("state", "nonce", "code_challenge"):
            assert first[name] != second[name]


@pytest.mark.attack("G-03", "E-06")
@pytest.mark.parametrize(
    ("error", "status", "title"),
    [
        ("access_denied", 403, "You are not signed in"),
        ("temporarily_unavailable", 403, "You are not signed in"),
        ("<script>x</script>", 403, "You are not signed in"),
    ],
)
async def test_error_of_the_provider_is_a_page(error: str, status: int, title: str) -> None:
    async with running() as site:
        browser = site.server.browser()
        state = query_of(moved_on(await browser.press("sign-in")))["state"]
        answer = await browser.http.get("/callback", params={"error": error, "state": state})
        assert is_page(answer, status)
        assert title in answer.text
        assert "<script" not in answer.text
        assert f'href="{URL}"' in answer.text
        assert cookie_names(browser) == []


async def test_unverified_address_is_explained() -> None:
    async with running() as site:
        answer = await site.server.browser().prove(Person(claims={"email_verified": False}))
        assert is_page(answer, 403)
        assert "You signed in as ana@example.com" in text_of(answer)


async def test_provider_that_is_away_is_a_page() -> None:
    async with running() as site:
        site.server.provider.answers["/discovery"] = lambda: PlainTextResponse("", 503)
        with audit_log() as log:
            answer = await site.server.browser().press("sign-in")
        assert is_page(answer, 503)
        assert "set-cookie" not in answer.headers
        assert log.events() == ["connections_refused"]


@pytest.mark.attack("D-01", "D-02", "E-03")
async def test_visit_shortens_no_authorization() -> None:
    async with running() as site:
        client, _ = await site.connect()
        browser = site.server.browser()
        await browser.connections()
        page = await browser.authorize(client)
        assert page.status_code == 200
        assert "Approve" in page.text
        url = moved_on(await browser.decide(page))
        assert url.startswith("https://idp.example.test/tenant/authorize?")
        refused = await browser.http.get("/callback", params={"state": query_of(url)["state"]})
        assert is_page(refused, 400)


@pytest.mark.attack("E-03")
async def test_connecting_a_client_does_not_open_the_page() -> None:
    async with running() as site:
        client = await site.server.register()
        browser = site.server.browser()
        await browser.tokens(client["client_id"])
        assert asks_to_sign_in(await browser.http.get("/connections"))
