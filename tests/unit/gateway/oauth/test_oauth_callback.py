"""GET /callback: how a sign-in ends, and which browser and transaction can end it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from harness.grantkit import HeldClock, HeldKeys, new_key
from harness.oauthanswers import client_error, open_cookies
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
from harness.oidcstub import StubProvider, signed
from harness.pages import is_page
from productive_gateway.grants.store_memory import MemoryGrantStore


@pytest.mark.attack("A-11", "E-06", "F-10")
async def test_a_sign_in_ends_with_a_code_for_the_client() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        with audit_log() as log:
            answer = await browser.sign_in(client["client_id"])
        assert answer.status_code == 302
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        query = query_of(answer.headers["location"])
        assert set(query) == {"code", "state", "iss"}
        assert query["code"].startswith("pmcp_ac_")
        assert query["iss"] == PUBLIC_URL
        assert open_cookies(browser) == []
        assert log.events() == ["consent_given", "signed_in"]
        assert log.lines[-1]["email"] == "ana@example.com"
        assert query["code"] not in str(log.lines)
        tokens = await browser.redeem(client["client_id"], query["code"])
        assert tokens.status_code == 200


async def test_the_provider_gets_the_verifier_the_secret_and_our_callback() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        await browser.code(client["client_id"])
        [form] = server.provider.seen
        assert form["redirect_uri"] == f"{PUBLIC_URL}/callback"
        assert form["client_id"] == "gateway-client"
        assert form["client_secret"] == "gateway-secret"
        assert form["authorization"] == ""
        assert len(form["code_verifier"]) == 43


@pytest.mark.attack("C-01", "C-02", "E-03")
async def test_a_sign_in_approved_in_one_browser_cannot_be_finished_in_another() -> None:
    async with authorization_server() as server:
        client, attacker, victim = await server.register(), server.browser(), server.browser()
        query = server.provider.sign_in(await attacker.approve(client["client_id"]))
        await victim.approve(client["client_id"])
        with audit_log() as log:
            answer = await victim.http.get(f"/callback?{query}")
        assert is_page(answer, 403)
        assert log.reasons("sign_in_refused") == ["binding_mismatch"]
        assert "/token" not in server.provider.calls
        assert await server.records() == 0


@pytest.mark.attack("E-03", "C-01")
async def test_the_cookie_of_one_transaction_does_not_open_another() -> None:
    async with authorization_server() as server:
        client, mine, other = await server.register(), server.browser(), server.browser()
        query = server.provider.sign_in(await mine.approve(client["client_id"]))
        await other.approve(client["client_id"])
        [name] = [cookie.name for cookie in mine.http.cookies.jar if "-t-" in cookie.name]
        [value] = [cookie.value for cookie in other.http.cookies.jar if "-t-" in cookie.name]
        answer = await server.browser().http.get(
            f"/callback?{query}", headers={"cookie": f"{name}={value}"}
        )
        assert is_page(answer, 403)


@pytest.mark.attack("C-03")
async def test_an_unknown_state_gets_a_page() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        page = await browser.authorize(client["client_id"])
        state = query_of(moved_on(await browser.decide(page)))["state"]
        wrong = ["", "x", state[:-1], state + "A", handle_of(page), "client-state", "é", "A" * 5000]
        for text in wrong:
            answer = await browser.http.get("/callback", params={"code": "c", "state": text})
            assert is_page(answer, 400)
        assert is_page(await browser.http.get("/callback?code=c"), 400)
        assert is_page(await browser.http.get("/callback"), 400)
        assert "/token" not in server.provider.calls


@pytest.mark.attack("C-05", "I-17")
async def test_a_repeated_callback_says_already_completed() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        url = await browser.approve(client["client_id"])
        query = server.provider.sign_in(url)
        first = await browser.http.get(f"/callback?{query}")
        assert first.status_code == 302
        with audit_log() as log:
            second = await browser.http.get(f"/callback?{query}")
        assert is_page(second, 400)
        assert "already" in second.text
        assert log.reasons("sign_in_refused") == ["already_completed"]


def cookie_line(browser: Browser) -> str:
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.http.cookies.jar)


@pytest.mark.attack("C-05", "I-17")
async def test_a_callback_whose_answer_was_lost_says_already_completed() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        query = server.provider.sign_in(await browser.approve(client["client_id"]))
        before = {"cookie": cookie_line(browser)}
        assert (await server.browser().http.get(f"/callback?{query}", headers=before)).is_redirect
        with audit_log() as log:
            second = await server.browser().http.get(f"/callback?{query}", headers=before)
        assert is_page(second, 400)
        assert "already" in second.text
        assert log.reasons("sign_in_refused") == ["already_completed"]
        assert await server.records() == 2, "one grant and one subject binding"


async def test_a_code_that_was_spent_elsewhere_is_an_error_for_the_client() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        query = server.provider.sign_in(await browser.approve(client["client_id"]))
        server.provider.sessions.clear()
        with audit_log() as log:
            answer = await browser.http.get(f"/callback?{query}")
        assert client_error(answer) == "server_error"
        assert log.reasons("sign_in_refused") == ["token_invalid_grant"]


@pytest.mark.attack("C-05", "I-17")
@pytest.mark.parametrize("same_code", [True, False])
async def test_two_replicas_that_finish_one_transaction_make_one_grant(same_code: bool) -> None:
    clock, keys = HeldClock(), HeldKeys()
    store, provider = MemoryGrantStore(clock=clock), StubProvider(clock)
    shared: dict[str, Any] = {"clock": clock, "keys": keys, "store": store, "provider": provider}
    async with authorization_server(**shared) as first, authorization_server(**shared) as second:
        client, browser = await first.register(), first.browser()
        url = await browser.approve(client["client_id"])
        headers = {"cookie": cookie_line(browser)}
        queries = [provider.sign_in(url) for _ in range(4)]
        if same_code:
            queries = queries[:1] * 4
        answers = await asyncio.gather(
            *(
                replica.browser().http.get(f"/callback?{query}", headers=headers)
                for replica, query in zip((first, second, first, second), queries, strict=True)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [302, 400, 400, 400]
        assert all("already" in answer.text for answer in answers if answer.status_code == 400)
        assert await first.records() == 2, "one grant and one subject binding"


@pytest.mark.attack("C-06")
async def test_a_sign_in_that_took_ten_minutes_is_too_late() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        query = server.provider.sign_in(await browser.approve(client["client_id"]))
        server.clock.forward(601)
        answer = await browser.http.get(f"/callback?{query}")
        assert is_page(answer, 400)
        assert "connect it again" in answer.text
        assert open_cookies(browser) == []
        assert "/token" not in server.provider.calls


@pytest.mark.attack("C-07")
async def test_two_clients_in_two_tabs_each_get_their_own_answer() -> None:
    async with authorization_server() as server:
        browser = server.browser()
        first = await server.register(client_name="First")
        second = await server.register(client_name="Second")
        one_url = await browser.approve(first["client_id"], state="one")
        two_url = await browser.approve(
            second["client_id"], state="two", redirect_uri=LOOPBACK, code_challenge="c" * 43
        )
        two = await browser.http.get(f"/callback?{server.provider.sign_in(two_url)}")
        answer = await browser.http.get(f"/callback?{server.provider.sign_in(one_url)}")
        assert two.headers["location"].startswith(LOOPBACK + "?")
        assert query_of(two.headers["location"])["state"] == "two"
        location = answer.headers["location"]
        assert location.startswith(CALLBACK + "?")
        assert query_of(location)["state"] == "one"
        refused = await browser.redeem(second["client_id"], query_of(location)["code"])
        assert refused.json()["error"] == "invalid_grant"
        tokens = await browser.redeem(first["client_id"], query_of(location)["code"])
        assert tokens.status_code == 200


@pytest.mark.attack("C-12", "I-11")
async def test_the_token_of_another_transaction_is_refused() -> None:
    async with authorization_server() as server:
        client, mine, other = await server.register(), server.browser(), server.browser()
        victim = server.provider.sign_in(await other.approve(client["client_id"]))
        stolen = query_of(f"x?{victim}")["code"]
        state = query_of(await mine.approve(client["client_id"]))["state"]
        answer = await mine.http.get(f"/callback?code={stolen}&state={state}")
        assert client_error(answer) == "server_error", "PKCE of the provider already refuses it"
        server.provider.forge = lambda claims: signed(claims | {"nonce": "n" * 43})
        with audit_log() as log:
            answer = await mine.sign_in(client["client_id"])
        assert client_error(answer) == "server_error"
        assert log.reasons("sign_in_refused") == ["id_token_nonce"]
        assert await server.records() == 0


@pytest.mark.attack("E-02")
async def test_a_changed_cookie_is_ignored() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        query = server.provider.sign_in(await browser.approve(client["client_id"]))
        [cookie] = [cookie for cookie in browser.http.cookies.jar if "-t-" in cookie.name]
        value = cookie.value or ""
        for changed in (value[:-1] + ("A" if value[-1] != "A" else "B"), value[:-2], "1.x.y", ""):
            answer = await server.browser().http.get(
                f"/callback?{query}", headers={"cookie": f"{cookie.name}={changed}"}
            )
            assert is_page(answer, 403)


@pytest.mark.attack("E-05")
async def test_a_key_rotation_during_a_sign_in_does_not_matter() -> None:
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
        authorization_server(keys=old, **shared) as before,
        authorization_server(keys=new, **shared) as after,
    ):
        for begin, end in ((before, after), (after, before)):
            client, browser = await begin.register(), begin.browser()
            url = await browser.approve(client["client_id"])
            line = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.http.cookies.jar)
            answer = await end.browser().http.get(
                f"/callback?{begin.provider.sign_in(url)}", headers={"cookie": line}
            )
            assert "code" in query_of(answer.headers["location"])


async def test_a_replica_that_does_not_know_the_key_yet_reads_the_ring_again() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        query = server.provider.sign_in(await browser.approve(client["client_id"]))
        known = server.keys.ring()
        server.keys.loaded, server.keys.stored = HeldKeys().ring(), known
        answer = await browser.http.get(f"/callback?{query}")
        assert "code" in query_of(answer.headers["location"])
        server.keys.loaded, server.keys.stored = HeldKeys().ring(), None
        answer = await browser.authorize(client["client_id"])
        assert is_page(answer, 503)


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT"])
async def test_other_methods_are_not_served(method: str) -> None:
    async with authorization_server() as server:
        answer = await server.browser().http.request(method, "/callback")
        assert answer.status_code == 405
