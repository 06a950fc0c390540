"""/connections: a person sees their connected apps, and ends one or all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from harness.connectionskit import (
    BEN_UPSTREAM,
    COOKIE,
    URL,
    Site,
    asks_to_sign_in,
    cookie_names,
    grants_on,
    running,
    text_of,
)
from harness.grantkit import ana, new_key, records
from harness.oauthkit import (
    LOOPBACK,
    Browser,
    audit_log,
    handle_of,
)
from harness.pages import is_page
from productive_contract.names import LABEL_USER_UID
from productive_gateway.grants.record import Record, decode, encode
from productive_gateway.sealing.keys import KeyRing


async def test_page_lists_the_connected_apps_of_the_person_who_signed_in() -> None:
    async with running() as site:
        await site.connect("Old", person=None)
        site.server.clock.forward(3 * 86400 + 7200)
        await site.connect("New")
        await site.connect("Ben's", person=BEN_UPSTREAM)
        site.server.clock.forward(60)
        page = await site.server.browser().connections()
        text = text_of(page)
        assert page.status_code == 200
        assert "signed in to this page as ana@example.com" in text
        assert len(grants_on(page)) == 2
        assert text.index("New") < text.index("Old"), "the newest first"
        assert "Ben's" not in text
        assert text.count("Access goes to assistant.example") == 2
        assert "Connected 18 November 2026, 11:06 UTC (3 days ago)" in text
        assert "Last renewed 21 November 2026, 13:06 UTC (1 minute ago)" in text
        assert 'datetime="2026-11-18T11:06:40Z"' in page.text


async def test_last_renewed_is_the_time_of_the_last_refresh() -> None:
    async with running() as site:
        client, tokens = await site.connect()
        site.server.clock.forward(5400)
        form = {
            "grant_type": "refresh_token",
            "client_id": client,
            "refresh_token": tokens["refresh_token"],
        }
        assert (await site.server.browser().http.post("/token", data=form)).status_code == 200
        site.server.clock.forward(7200)
        text = text_of(await site.server.browser().connections())
        assert "UTC (3 hours ago)" in text
        assert "Last renewed 18 November 2026, 12:36 UTC (2 hours ago)" in text


async def test_person_without_connected_apps_reads_that() -> None:
    async with running() as site:
        page = await site.server.browser().connections()
        assert "No app is connected: none can use Productive as you" in text_of(page)
        assert "Disconnect" not in page.text


@pytest.mark.attack("S-03", "D-12")
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        ("Claude\u202eevil", "Claudeevil"),
        ("Cl\u200baude", "Claude"),
        ("two\nlines", "two lines"),
        ("x" * 10_000, "x" * 79 + "…"),
    ],
)
async def test_name_of_an_app_is_escaped_cut_and_marked(name: str, shown: str) -> None:
    async with running() as site:
        await site.connect()
        await rename(site, name)
        browser = site.server.browser()
        page = await browser.connections()
        assert "<img" not in page.text
        assert f"{shown} unverified name" in text_of(page)
        answer = await browser.press("disconnect", {"handle": handle_of(page), "grant": "all"})
        assert f"{shown}, assistant.example" in text_of(answer)
        assert "<img" not in answer.text


async def rename(site: Site, name: str) -> None:
    """Store another client name in the only grant, as another release may have written it."""
    ring = site.server.keys.ring()
    [record] = await records(site.server.store)
    grant = replace(decode(record, ring), client_name=name)
    await site.server.store.update(encode(grant, ring, replacing=record))


async def test_page_shows_what_can_still_be_used_and_nothing_else() -> None:
    async with running() as site:
        await site.connect("Expired")
        site.server.clock.forward(7 * 86400)
        _, revoked = await site.connect("Revoked")
        client = await site.server.register(client_name="Being connected")
        await site.server.browser().code(client["client_id"])
        form = {"token": revoked["refresh_token"], "client_id": "x"}
        await site.server.browser().http.post("/revoke", data=form)
        page = await site.server.browser().connections()
        text = text_of(page)
        assert "Expired" not in text
        assert "Being connected" in text
        assert "not yet: it is being connected now" in text
        site.server.clock.forward(300)
        text = text_of(await site.server.browser().connections())
        assert "Being connected" not in text, "its code is not valid any more"
        site.server.people.put(ana(revoked_before=site.server.clock() + 1))
        site.server.clock.forward(2)
        text = text_of(await site.server.browser().connections())
        assert "No app is connected" in text


@pytest.mark.attack("S-01", "R-05")
@pytest.mark.parametrize(
    ("field", "value"),
    [("user-uid", ana().uid), ("client-name", "Ana's"), ("absolute-end", "9999999999.0")],
)
async def test_tampered_record_is_not_shown_and_not_ended(field: str, value: str) -> None:
    async with running() as site:
        await site.connect("Ben's", person=BEN_UPSTREAM)
        [bens] = await records(site.server.store)
        await site.connect("Ana's")
        labels = {**bens.labels, LABEL_USER_UID: ana().uid}
        data = {**bens.data, field: value.encode()}
        await site.server.store.update(replace(bens, data=data, labels=labels))
        browser = site.server.browser()
        page = await browser.connections()
        assert len(grants_on(page)) == 1
        assert bens.name not in page.text
        before = await site.versions()
        form = {"handle": handle_of(page), "grant": bens.name}
        assert is_page(await browser.press("disconnect", form), 404)
        assert await site.versions() == before


@pytest.mark.attack("S-01")
async def test_records_are_found_by_their_label_and_judged_by_their_content() -> None:
    """Even a store that returns the records of everybody shows nobody those of others."""
    async with running() as site:
        await site.connect("Ben's", person=BEN_UPSTREAM)
        listed = site.server.store.list

        async def of_everybody(kind: Any, decode: Any, *, user_uid: str | None = None) -> Any:
            return await listed(kind, decode)

        site.server.store.list = of_everybody  # type: ignore[method-assign]
        assert grants_on(await site.server.browser().connections()) == []


@pytest.mark.attack("E-05", "R-08")
async def test_grants_of_an_older_key_are_shown_until_the_key_is_retired() -> None:
    async with running() as site:
        await site.connect()
        old, key = site.server.keys.ring(), new_key()
        site.server.keys.put(KeyRing((key, *old.keys), key.kid))
        assert len(grants_on(await site.server.browser().connections())) == 1
        site.server.keys.loaded = KeyRing((key,), key.kid)
        assert len(grants_on(await site.server.browser().connections())) == 1, "the ring was stale"
        site.server.keys.put(KeyRing((key,), key.kid))
        assert grants_on(await site.server.browser().connections()) == []


# --- ending connections


@pytest.mark.attack("S-04")
async def test_one_app_is_disconnected_and_the_others_stay() -> None:
    async with running() as site:
        gone, gone_tokens = await site.connect("Gone")
        site.server.clock.forward(1)
        _, kept_tokens = await site.connect("Kept")
        _, bens = await site.connect("Ben's", person=BEN_UPSTREAM)
        browser = site.server.browser()
        page = await browser.connections()
        [_, name] = grants_on(page)
        with audit_log() as log:
            answer = await browser.press("disconnect", {"handle": handle_of(page), "grant": name})
        assert is_page(answer, 200)
        text = text_of(answer)
        assert "1 app is disconnected" in text
        assert "Gone, assistant.example" in text
        assert "connect it again from the app" in text
        assert [await site.works(one) for one in (gone_tokens, kept_tokens, bens)] == [
            False,
            True,
            True,
        ]
        form = {
            "grant_type": "refresh_token",
            "client_id": gone,
            "refresh_token": gone_tokens["refresh_token"],
        }
        refused = await site.server.browser().http.post("/token", data=form)
        assert refused.json()["error"] == "invalid_grant"
        [line] = [one for one in log.lines if one["event"] == "grant_ended"]
        assert line["reason"] == "revoked_by_person"
        assert (line["user"], line["grant"]) == ("acme-users/ana", name)
        assert len(line["client"]) == 20
        page = await browser.http.get("/connections")
        assert len(grants_on(page)) == 1
        assert "Kept" in page.text


@pytest.mark.attack("S-04")
async def test_all_apps_of_the_person_are_disconnected_and_nobody_elses() -> None:
    async with running() as site:
        mine = [(await site.connect(f"App {number}"))[1] for number in range(3)]
        pending = await site.server.register(client_name="Pending")
        code = await site.server.browser().code(pending["client_id"])
        _, bens = await site.connect("Ben's", person=BEN_UPSTREAM)
        browser = site.server.browser()
        page = await browser.connections()
        assert "Disconnect all 4 apps" in page.text
        with audit_log() as log:
            answer = await browser.press("disconnect", {"handle": handle_of(page), "grant": "all"})
        assert "4 apps are disconnected" in text_of(answer)
        assert log.reasons("grant_ended") == ["revoked_by_person"] * 4
        assert [await site.works(one) for one in (*mine, bens)] == [False, False, False, True]
        redeemed = await site.server.browser().redeem(pending["client_id"], code)
        assert redeemed.json()["error"] == "invalid_grant"
        assert "No app is connected" in text_of(await browser.http.get("/connections"))


@pytest.mark.attack("S-04")
async def test_grant_that_is_older_than_its_transaction_is_deleted() -> None:
    async with running() as site:
        _, tokens = await site.connect()
        site.server.clock.forward(3000)
        browser = site.server.browser()
        page = await browser.connections()
        answer = await browser.press("disconnect", {"handle": handle_of(page), "grant": "all"})
        assert "1 app is disconnected" in text_of(answer)
        assert await records(site.server.store) == []
        assert not await site.works(tokens)


@pytest.mark.attack("S-02")
@pytest.mark.parametrize("path", ["sign-in", "disconnect", "sign-out"])
async def test_no_link_changes_anything(path: str) -> None:
    async with running() as site:
        await site.connect()
        browser = site.server.browser()
        page = await browser.connections()
        query = {"handle": handle_of(page), "grant": grants_on(page)[0]}
        before = await site.versions()
        answer = await browser.http.get(f"/connections/{path}", params=query)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST"
        assert "set-cookie" not in answer.headers
        assert grants_on(await browser.http.get("/connections", params=query))
        assert await site.versions() == before


Handle = Callable[[Site, Browser, str], Awaitable[list[str]]]


async def none(site: Site, browser: Browser, own: str) -> list[str]:
    return []


async def empty(site: Site, browser: Browser, own: str) -> list[str]:
    return [""]


async def twice(site: Site, browser: Browser, own: str) -> list[str]:
    return [own, own]


async def of_another_visit(site: Site, browser: Browser, own: str) -> list[str]:
    return [handle_of(await site.server.browser().connections())]


async def of_another_person(site: Site, browser: Browser, own: str) -> list[str]:
    return [handle_of(await site.server.browser().connections(BEN_UPSTREAM))]


async def of_a_consent_page(site: Site, browser: Browser, own: str) -> list[str]:
    client = await site.server.register()
    return [handle_of(await browser.authorize(client["client_id"]))]


async def of_another_installation(site: Site, browser: Browser, own: str) -> list[str]:
    async with running() as foreign:
        await foreign.connect()
        return [handle_of(await foreign.server.browser().connections())]


@pytest.mark.attack("S-02", "C-08", "C-09")
@pytest.mark.parametrize(
    "handle",
    [
        none,
        empty,
        twice,
        of_another_visit,
        of_another_person,
        of_a_consent_page,
        of_another_installation,
    ],
)
async def test_form_without_the_handle_of_the_persons_page_changes_nothing(handle: Handle) -> None:
    async with running() as site:
        await site.connect()
        await site.connect("Ben's", person=BEN_UPSTREAM)
        browser = site.server.browser()
        page = await browser.connections()
        sent = await handle(site, browser, handle_of(page))
        before = await site.versions()
        with audit_log() as log:
            answer = await browser.press("disconnect", {"grant": "all", "handle": sent})
        assert is_page(answer, 403), answer.text
        assert await site.versions() == before
        assert log.reasons("connections_refused") == ["wrong_form"]


@pytest.mark.attack("S-02", "C-08")
async def test_form_without_the_cookie_of_its_page_changes_nothing() -> None:
    async with running() as site:
        await site.connect()
        form = {"grant": "all", "handle": handle_of(await site.server.browser().connections())}
        before = await site.versions()
        with audit_log() as log:
            answer = await site.server.browser().press("disconnect", form)
        assert is_page(answer, 403)
        assert await site.versions() == before
        assert log.reasons("connections_refused") == ["not_signed_in"]


@pytest.mark.attack("S-02")
async def test_form_in_the_address_changes_nothing() -> None:
    async with running() as site:
        await site.connect()
        browser = site.server.browser()
        handle = handle_of(await browser.connections())
        before = await site.versions()
        answer = await browser.press(f"disconnect?grant=all&handle={handle}")
        assert is_page(answer, 400)
        assert await site.versions() == before


@pytest.mark.attack("C-09")
async def test_handle_with_any_changed_character_is_refused() -> None:
    async with running() as site:
        await site.connect()
        browser = site.server.browser()
        handle = handle_of(await browser.connections())
        before = await site.versions()
        for place in range(len(handle)):
            other = "A" if handle[place] != "A" else "B"
            form = {"handle": handle[:place] + other + handle[place + 1 :], "grant": "all"}
            assert (await browser.press("disconnect", form)).status_code == 403, place
        assert await site.versions() == before


@pytest.mark.attack("S-02")
async def test_another_persons_grant_and_one_that_never_was_look_the_same() -> None:
    async with running() as site:
        await site.connect()
        await site.connect("Ben's", person=BEN_UPSTREAM)
        [bens] = grants_on(await site.server.browser().connections(BEN_UPSTREAM))
        browser = site.server.browser()
        page = await browser.connections()
        before = await site.versions()
        answers = []
        for name in (bens, "g-" + "a" * 26, "", f"subject-{ana().uid}", "../secrets/x"):
            form = {"handle": handle_of(page), "grant": name}
            with audit_log() as log:
                answers.append(await browser.press("disconnect", form))
            assert log.reasons("connections_refused") == ["unknown_connection"]
        assert all(is_page(answer, 404) for answer in answers)
        assert len({answer.text for answer in answers}) == 1
        assert await site.versions() == before


async def test_second_click_says_that_it_may_have_ended_already() -> None:
    async with running() as site:
        await site.connect()
        browser = site.server.browser()
        page = await browser.connections()
        form = {"handle": handle_of(page), "grant": grants_on(page)[0]}
        assert is_page(await browser.press("disconnect", form), 200)
        again = await browser.press("disconnect", form)
        assert is_page(again, 404)
        assert "may have ended already" in again.text


@pytest.mark.attack("S-04", "R-13")
async def test_lost_answer_of_the_store_counts_as_done() -> None:
    async with running() as site:
        _, tokens = await site.connect()
        browser = site.server.browser()
        page = await browser.connections()
        site.store.fail("update", "lost")
        with audit_log() as log:
            answer = await browser.press("disconnect", {"handle": handle_of(page), "grant": "all"})
        assert "1 app is disconnected" in text_of(answer)
        assert log.reasons("grant_ended") == ["revoked_by_person"]
        assert not await site.works(tokens)


async def test_store_that_goes_away_meanwhile_is_reported_with_what_was_done() -> None:
    async with running() as site:
        await site.connect("First")
        await site.connect("Second")
        browser = site.server.browser()
        page = await browser.connections()
        update = site.store.update

        async def last_update(record: Record) -> Record:
            stored = await update(record)
            site.store.fail("get", "away", times=9)
            return stored

        site.store.update = last_update
        answer = await browser.press("disconnect", {"handle": handle_of(page), "grant": "all"})
        assert is_page(answer, 503)
        assert "1 of 2 connections had ended" in text_of(answer)
        assert int(answer.headers["retry-after"]) > 0


@pytest.mark.attack("E-06")
async def test_signing_out_removes_the_cookie_and_keeps_the_apps() -> None:
    async with running() as site:
        _, tokens = await site.connect()
        browser = site.server.browser()
        await browser.connections()
        answer = await browser.press("sign-out")
        assert asks_to_sign_in(answer)
        assert "You are signed out of this page" in answer.text
        assert COOKIE not in cookie_names(browser)
        assert asks_to_sign_in(await browser.http.get("/connections"))
        assert await site.works(tokens)


async def test_start_page_leads_to_the_page() -> None:
    async with running() as site:
        assert f'href="{URL}"' in (await site.server.browser().http.get("/")).text


async def test_loopback_client_shows_its_address() -> None:
    async with running() as site:
        client = await site.server.register()
        await site.server.browser().code(client["client_id"], redirect_uri=LOOPBACK)
        text = text_of(await site.server.browser().connections())
        assert "Access goes to" in text
        assert "localhost" in text
