"""GET /callback: who is signed in by an address, and what everybody else sees."""

from __future__ import annotations

import pytest
from starlette.responses import PlainTextResponse

from harness.grantkit import HeldClock, ana
from harness.oauthanswers import client_error, open_cookies
from harness.oauthkit import audit_log, authorization_server, query_of
from harness.oidcstub import Person
from harness.pages import is_page
from productive_contract.mapping import State
from productive_gateway.grants.store_memory import MemoryGrantStore


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
