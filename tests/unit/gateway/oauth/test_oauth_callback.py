"""GET /callback: how a sign-in ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from harness.grantkit import HeldClock, HeldKeys, ana, new_key
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
from harness.oidcstub import ISSUER, Person, StubProvider, jwk, signed
from productive_contract.mapping import State
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.upstream.cached_document import COOL_DOWN


def is_page(answer: httpx.Response, status: int) -> bool:
    return (
        answer.status_code == status
        and "location" not in answer.headers
        and answer.headers["content-type"].startswith("text/html")
        and answer.headers["cache-control"] == "no-store"
        and answer.headers["x-frame-options"] == "DENY"
    )


def client_error(answer: httpx.Response) -> str:
    """Return the error that the client is told, having checked all around it."""
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(CALLBACK + "?")
    assert answer.headers["referrer-policy"] == "no-referrer"
    query = query_of(answer.headers["location"])
    assert query["state"] == "client-state"
    assert query["iss"] == PUBLIC_URL
    assert "code" not in query
    return query["error"]


def open_cookies(browser: Browser) -> list[str]:
    """Return the kinds of cookies a browser has, but for the mark of a finished transaction."""
    kinds = (cookie.name.removeprefix("__Host-pmcp-")[0] for cookie in browser.http.cookies.jar)
    return [kind for kind in kinds if kind != "f"]


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


@pytest.mark.attack("I-16")
async def test_an_address_that_is_only_in_userinfo_is_used_for_the_same_subject_only() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        person = Person(email=None, claims={})
        good = {"sub": person.sub, "email": "ana@example.com", "email_verified": True}
        server.provider.userinfo = good
        assert await browser.code(client["client_id"], person=person)
        server.provider.userinfo = good | {"sub": "another"}
        refused = await browser.sign_in(client["client_id"], person=person)
        assert client_error(refused) == "server_error"
        server.provider.answers["/userinfo"] = lambda: PlainTextResponse(
            "x.y.z", media_type="application/jwt"
        )
        refused = await browser.sign_in(client["client_id"], person=person)
        assert client_error(refused) == "server_error"


async def test_without_userinfo_a_missing_address_is_explained() -> None:
    async with authorization_server() as server:
        server.provider.discovery = {"userinfo_endpoint": None}
        client, browser = await server.register(), server.browser()
        answer = await browser.sign_in(client["client_id"], person=Person(email=None))
        assert is_page(answer, 403)
        assert "did not send your e-mail" in answer.text


@pytest.mark.attack("G-06", "Q-03")
async def test_unknown_and_suspended_people_get_the_same_page() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        pages = []
        for state in (None, State.SUSPENDED):
            server.people.people = {}
            if state is not None:
                server.people.put(ana(state=state))
            with audit_log() as log:
                page = await browser.sign_in(client["client_id"])
            assert is_page(page, 403)
            reason = "not_mapped" if state is None else "suspended"
            assert log.reasons("sign_in_refused") == [reason]
            assert open_cookies(browser) == []
            pages.append(page.text)
        assert pages[0] == pages[1]
        for words in ("ana@example.com", "it@example.com", "Return to Assistant"):
            assert words in pages[0]
        assert "error=access_denied&amp;" in pages[0]
        assert "state=client-state" in pages[0]
        assert await server.records() == 0


async def test_person_absent_from_an_unconfirmed_mapping_may_try_again() -> None:
    async with authorization_server() as server:
        server.people.people = {}
        server.people.proves_absence = False
        client, browser = await server.register(), server.browser()
        answer = await browser.sign_in(client["client_id"])
        assert query_of(answer.headers["location"])["error"] == "temporarily_unavailable"
        assert await server.records() == 0


async def test_a_program_gets_the_refusal_as_json() -> None:
    async with authorization_server() as server:
        server.people.people = {}
        client, browser = await server.register(), server.browser()
        query = server.provider.sign_in(await browser.approve(client["client_id"]))
        answer = await browser.http.get(
            f"/callback?{query}", headers={"accept": "application/json"}
        )
        assert answer.status_code == 403
        assert answer.json()["error"] == "access_denied"


async def test_a_person_whose_token_is_missing_can_sign_in() -> None:
    async with authorization_server() as server:
        server.people.put(ana(state=State.NO_TOKEN))
        client, browser = await server.register(), server.browser()
        assert await browser.code(client["client_id"])


@pytest.mark.attack("M-03", "M-04", "M-16")
@pytest.mark.parametrize(
    ("person", "reason", "words"),
    [
        (Person(email="ana@ex\u00e4mple.com"), "email_form", "xn--"),
        (Person(claims={"email_verified": False}), "email_unverified", "does not confirm"),
        (Person(claims={}), "email_unverified", "does not confirm"),
        (Person(claims={"email_verified": "true"}), "email_unverified", "does not confirm"),
        (Person(claims={"email_verified": True, "hd": "evil.com"}), "required_claim", "company"),
    ],
)
async def test_an_unusable_address_is_explained_to_the_person(
    person: Person, reason: str, words: str
) -> None:
    required = {"required_claims": {"hd": ("acme.com",)}} if reason == "required_claim" else {}
    async with authorization_server(upstream=required) as server:
        server.provider.userinfo = {"sub": person.sub}
        client, browser = await server.register(), server.browser()
        with audit_log() as log:
            page = await browser.sign_in(client["client_id"], person=person)
        assert is_page(page, 403)
        assert words in page.text
        assert log.reasons("sign_in_refused") == [reason]
        assert await server.records() == 0


@pytest.mark.attack("M-16")
async def test_a_required_claim_in_userinfo_does_not_count() -> None:
    async with authorization_server(upstream={"required_claims": {"hd": ("acme.com",)}}) as server:
        person = Person(email=None, claims={})
        server.provider.userinfo = {
            "sub": person.sub,
            "email": "ana@example.com",
            "email_verified": True,
            "hd": "acme.com",
        }
        client, browser = await server.register(), server.browser()
        assert is_page(await browser.sign_in(client["client_id"], person=person), 403)


@pytest.mark.attack("M-04")
async def test_a_trusted_issuer_may_omit_email_verified() -> None:
    async with authorization_server(upstream={"email_trust": "issuer"}) as server:
        client, browser = await server.register(), server.browser()
        assert await browser.code(client["client_id"], person=Person(claims={}))


@pytest.mark.attack("M-08")
async def test_an_address_bound_to_another_account_is_refused() -> None:
    async with authorization_server() as server:
        client, browser = await server.register(), server.browser()
        await browser.code(client["client_id"])
        before = await server.records()
        with audit_log() as log:
            page = await browser.sign_in(client["client_id"], person=Person(sub="another"))
        assert is_page(page, 403)
        assert "administrator" in page.text
        [line] = [line for line in log.lines if line["event"] == "sign_in_refused"]
        assert line["reason"] == "subject_mismatch"
        assert line["email"] == "ana@example.com"
        assert await server.records() == before


@pytest.mark.attack("R-10")
async def test_a_full_store_is_reported_to_the_person_and_audited() -> None:
    clock = HeldClock()
    async with authorization_server(
        store=MemoryGrantStore(capacity=0, clock=clock), clock=clock
    ) as server:
        client, browser = await server.register(), server.browser()
        with audit_log() as log:
            page = await browser.sign_in(client["client_id"])
        assert is_page(page, 503)
        assert page.headers["retry-after"] == "60"
        assert log.reasons("sign_in_refused") == ["store_full"]


async def test_internal_failures_are_reported_to_the_client() -> None:
    async with authorization_server() as server:
        server.people.people = None
        client, browser = await server.register(), server.browser()
        with audit_log() as log:
            answer = await browser.sign_in(client["client_id"])
        assert client_error(answer) == "temporarily_unavailable"
        assert log.reasons("sign_in_refused") == ["mapping_unconfirmed"]


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT"])
async def test_other_methods_are_not_served(method: str) -> None:
    async with authorization_server() as server:
        answer = await server.browser().http.request(method, "/callback")
        assert answer.status_code == 405
