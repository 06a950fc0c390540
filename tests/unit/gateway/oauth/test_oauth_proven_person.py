"""Who may open /connections: the cookie of a person, and what ends it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.connectionskit import (
    BEN,
    BEN_UPSTREAM,
    COOKIE,
    URL,
    asks_to_sign_in,
    cookie_line,
    cookie_names,
    cookie_value,
    grants_on,
    running,
    text_of,
)
from harness.grantkit import HeldClock, HeldKeys, ana, new_key
from harness.oauthkit import (
    PUBLIC_URL,
    audit_log,
    handle_of,
    moved_on,
    query_of,
)
from harness.oidcstub import Person, StubProvider
from harness.pages import is_page
from productive_contract.mapping import State
from productive_gateway.grants.store_memory import MemoryGrantStore


@pytest.mark.attack("S-01", "C-04")
async def test_opening_the_page_sets_no_cookie_and_asks_nobody() -> None:
    async with running() as site:
        await site.connect()
        site.store.calls.clear()
        site.server.provider.calls.clear()
        page = await site.server.browser().http.get("/connections")
        assert asks_to_sign_in(page)
        assert "set-cookie" not in page.headers
        assert site.store.calls == []
        assert site.server.provider.calls == []


@pytest.mark.attack("S-01", "C-04")
async def test_sign_in_sets_the_one_cookie_that_it_comes_back_with() -> None:
    async with running() as site:
        browser = site.server.browser()
        url = moved_on(await browser.press("sign-in"))
        assert [name[:-16] for name in cookie_names(browser)] == ["__Host-pmcp-p-"]
        query = query_of(url)
        assert query["code_challenge_method"] == "S256"
        assert query["redirect_uri"] == f"{PUBLIC_URL}/callback"
        assert len(query["nonce"]) == 43
        assert site.store.calls == []


@pytest.mark.attack("E-01", "E-06", "F-10")
async def test_sign_in_ends_with_the_persons_cookie_and_none_other() -> None:
    async with running() as site:
        browser = site.server.browser()
        with audit_log() as log:
            answer = await browser.prove()
        assert answer.headers["location"] == URL
        assert answer.headers["cache-control"] == "no-store"
        names = [name for name in cookie_names(browser) if "-f-" not in name]
        assert names == [COOKIE]
        [line] = [
            one for one in answer.headers.get_list("set-cookie") if one.startswith(f"{COOKIE}=")
        ]
        attributes = {part.strip().lower() for part in line.split(";")[1:]}
        assert attributes == {"max-age=600", "path=/", "secure", "httponly", "samesite=lax"}
        assert log.events() == ["connections_opened"]
        assert log.lines[0]["email"] == "ana@example.com"
        assert site.store.writes() == 0


@pytest.mark.attack("E-01")
async def test_on_plain_http_the_cookie_has_no_prefix() -> None:
    local = {"public_url": "http://localhost:8787", "resource": "http://localhost:8787/mcp"}
    async with running(oauth=local) as site:
        browser = site.server.browser()
        answer = await browser.prove()
        assert answer.status_code == 302
        assert "pmcp-person" in cookie_names(browser)
        assert "signed in" in (await browser.http.get("/connections")).text


@pytest.mark.attack("S-01", "E-02")
async def test_no_other_sealed_text_opens_the_page() -> None:
    async with running() as site:
        client, _ = await site.connect()
        browser = site.server.browser()
        consent = await browser.authorize(client)
        sealed = [handle_of(consent), cookie_value(browser, "-c-")]
        moved_on(await browser.decide(consent))
        sealed.append(cookie_value(browser, "-t-").partition(".")[2])
        other = site.server.browser()
        await other.press("sign-in")
        sealed.append(cookie_value(other, "-p-").partition(".")[2])
        page = await site.server.browser().connections()
        sealed += [handle_of(page), client, "", "x", "x.y", "ü"]
        for text in sealed:
            for value in (text, f"1795000000.{text}"):
                line = {"cookie": f"{COOKIE}={value}".encode()}
                answer = await site.server.browser().http.get("/connections", headers=line)
                assert asks_to_sign_in(answer), value


@pytest.mark.attack("S-01", "E-02")
async def test_changed_cookie_is_ignored_and_removed() -> None:
    async with running() as site:
        browser = site.server.browser()
        await browser.connections()
        value = cookie_value(browser, "person")
        changed = value[:-1] + ("A" if value[-1] != "A" else "B")
        answer = await site.server.browser().http.get(
            "/connections", headers={"cookie": f"{COOKIE}={changed}"}
        )
        assert asks_to_sign_in(answer)
        assert f'{COOKIE}=""; HttpOnly; Max-Age=0; Path=/;' in answer.headers["set-cookie"]


@pytest.mark.attack("S-01", "E-02")
async def test_cookie_counts_for_ten_minutes() -> None:
    async with running() as site:
        await site.connect()
        browser = site.server.browser()
        page = await browser.connections()
        line = {"cookie": cookie_line(browser)}
        site.server.clock.forward(599)
        assert grants_on(await site.server.browser().http.get("/connections", headers=line))
        site.server.clock.forward(1)
        late = site.server.browser()
        assert asks_to_sign_in(await late.http.get("/connections", headers=line))
        form = {"handle": handle_of(page), "grant": grants_on(page)[0]}
        before = await site.versions()
        answer = await late.press("disconnect", form, **line)
        assert is_page(answer, 403)
        assert "ten minutes" in answer.text
        assert await site.versions() == before


@pytest.mark.attack("C-11", "E-04")
async def test_cookie_is_read_among_many_and_by_its_exact_name() -> None:
    async with running() as site:
        browser = site.server.browser()
        await browser.connections()
        value = cookie_value(browser, "person")
        many = "; ".join(f"pmcp-{number}=x" for number in range(50))
        for line, found in (
            (f"{many}; {COOKIE}={value}; x", True),
            (f"{COOKIE}=1.x; {COOKIE}={value}", True),
            (f"pmcp-person={value}", False),
            (f"__Host-pmcp-person2={value}", False),
            (f"{COOKIE}={value}x", False),
        ):
            answer = await site.server.browser().http.get("/connections", headers={"cookie": line})
            assert asks_to_sign_in(answer) is not found, line


@pytest.mark.attack("E-05", "C-09")
async def test_sign_in_survives_a_key_rotation_and_no_other_installation_accepts_it() -> None:
    clock = HeldClock()
    shared: dict[str, Any] = {
        "clock": clock,
        "store": MemoryGrantStore(clock=clock),
        "provider": StubProvider(clock),
    }
    old, new = HeldKeys(), HeldKeys()
    key = new_key()
    accepting = replace(old.ring(), keys=(*old.ring().keys, key))
    old.put(accepting)
    new.put(replace(accepting, current=key.kid))
    async with (
        running(keys=old, **shared) as before,
        running(keys=new, **shared) as after,
        running(**shared) as foreign,
    ):
        for begin, end in ((before, after), (after, before)):
            client = await begin.server.register()
            await begin.server.browser().tokens(client["client_id"])
            browser = begin.server.browser()
            url = moved_on(await browser.press("sign-in"))
            query = shared["provider"].sign_in(url)
            line = {"cookie": cookie_line(browser)}
            refused = await foreign.server.browser().http.get(f"/callback?{query}", headers=line)
            assert is_page(refused, 403)
            other = end.server.browser()
            answer = await other.http.get(f"/callback?{query}", headers=line)
            assert answer.headers["location"] == URL
            person = {"cookie": cookie_line(other)}
            page = await begin.server.browser().http.get("/connections", headers=person)
            assert grants_on(page)
            form = {"handle": handle_of(page), "grant": grants_on(page)[0]}
            assert asks_to_sign_in(
                await foreign.server.browser().http.get("/connections", headers=person)
            )
            assert is_page(await other.press("disconnect", form), 200)


@pytest.mark.attack("S-01", "M-04", "E-06")
@pytest.mark.parametrize("change", ["suspended", "gone"])
async def test_person_who_lost_access_sees_the_page_without_access(change: str) -> None:
    async with running() as site:
        await site.connect()
        browser = site.server.browser()
        page = await browser.connections()
        if change == "gone":
            site.server.people.remove(ana())
        else:
            site.server.people.put(ana(state=State.SUSPENDED))
        form = {"handle": handle_of(page), "grant": "all"}
        before = await site.versions()
        with audit_log() as log:
            answers = [
                await site.server.browser().press("disconnect", form, cookie=cookie_line(browser)),
                await browser.http.get("/connections"),
            ]
        for answer in answers:
            assert is_page(answer, 403)
            assert "Ask it@example.com for access, then open this page again." in text_of(answer)
            assert grants_on(answer) == []
        assert await site.versions() == before
        assert log.events() == ["connections_refused"] * 2
        assert COOKIE not in cookie_names(browser)
        signed_in = await site.server.browser().prove()
        assert is_page(signed_in, 403)
        assert "You signed in as ana@example.com" in text_of(signed_in)


async def test_unknown_and_suspended_people_get_one_page() -> None:
    async with running() as site:
        stranger = Person(email="cleo@example.com", sub="subject-of-cleo")
        site.server.people.put(replace(BEN, state=State.SUSPENDED))
        unknown = await site.server.browser().prove(stranger)
        suspended = await site.server.browser().prove(BEN_UPSTREAM)
        assert is_page(unknown, 403)
        assert unknown.text.replace("cleo@", "ben@") == suspended.text
        assert COOKIE not in unknown.headers.get("set-cookie", "")


@pytest.mark.attack("S-01", "M-09")
@pytest.mark.parametrize("change", ["revoked_before", "epoch", "address"])
async def test_what_ends_sign_ins_ends_the_visit_too(change: str) -> None:
    async with running() as site:
        await site.connect()
        browser = site.server.browser()
        assert grants_on(await browser.connections())
        site.server.clock.forward(1)
        match change:
            case "revoked_before":
                site.server.people.put(ana(revoked_before=site.server.clock()))
            case "epoch":
                site.server.keys.put(replace(site.server.keys.ring(), epoch=1))
            case "address":
                site.server.people.people = {"new@example.com": ana(email="new@example.com")}
        assert asks_to_sign_in(await browser.http.get("/connections"))


@pytest.mark.attack("S-01", "M-06")
async def test_another_upstream_account_with_the_address_sees_nothing() -> None:
    async with running() as site:
        await site.connect()
        browser = site.server.browser()
        with audit_log() as log:
            answer = await browser.prove(Person(sub="another-subject"))
        assert is_page(answer, 403)
        assert log.reasons("sign_in_refused") == ["subject_mismatch"]
        assert COOKIE not in cookie_names(browser)
        assert asks_to_sign_in(await browser.http.get("/connections"))


@pytest.mark.attack("S-01", "M-06")
async def test_visit_ends_when_the_address_is_bound_to_another_account() -> None:
    async with running() as site:
        browser = site.server.browser()
        await browser.connections(Person(sub="an-older-account"))
        await site.connect()
        answer = await browser.http.get("/connections")
        assert is_page(answer, 403)
        assert grants_on(answer) == []
        assert COOKIE not in cookie_names(browser)


@pytest.mark.parametrize("what", ["people", "keys", "store"])
async def test_trouble_of_ours_is_a_page_that_says_when_to_try_again(what: str) -> None:
    async with running() as site:
        await site.connect()
        browser = site.server.browser()
        await browser.connections()
        match what:
            case "people":
                site.server.people.people = None
            case "keys":
                site.server.keys.loaded, site.server.keys.stored = HeldKeys().ring(), None
            case "store":
                site.store.fail("list", "away", times=9)
        answer = await browser.http.get("/connections")
        assert is_page(answer, 503)
        assert int(answer.headers["retry-after"]) > 0
        assert COOKIE in cookie_names(browser)
