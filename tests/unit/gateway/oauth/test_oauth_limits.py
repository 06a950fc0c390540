"""The limits of the authorization server, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from harness.grantkit import ana
from harness.oauthkit import (
    CALLBACK,
    AuthorizationServer,
    Browser,
    audit_log,
    authorization_server,
    handle_of,
    moved_on,
    parameters,
    query_of,
)
from productive_gateway.web.limits import PerMinute

INGRESS = "10.0.0.1"
DOCUMENT = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
PAGE = {"accept": "text/html"}
FEW = PerMinute(register=3, authorize=3, token=3, sign_ins=2)
SPOOFS: list[Callable[[int], dict[str, str]]] = [
    lambda number: {"x-forwarded-for": f"203.0.113.{number}, 192.0.2.1"},
    lambda number: {"x-forwarded-for": "192.0.2.1", "forwarded": f"for=203.0.113.{number}"},
    lambda number: {"x-forwarded-for": "192.0.2.1", "x-real-ip": f"203.0.113.{number}"},
    lambda number: {"x-forwarded-for": f"2001:db8::{number}, 192.0.2.1"},
]


def calls_from(address: str) -> dict[str, str]:
    return {"x-forwarded-for": address}


async def asks_register(browser: Browser, headers: dict[str, str]) -> httpx.Response:
    return await browser.http.post("/register", json=DOCUMENT, headers=headers)


async def asks_authorize(browser: Browser, headers: dict[str, str]) -> httpx.Response:
    return await browser.http.get("/authorize?client_id=x", headers=headers | PAGE)


async def asks_decide(browser: Browser, headers: dict[str, str]) -> httpx.Response:
    return await browser.http.post("/authorize", data={"handle": "x"}, headers=headers | PAGE)


async def asks_callback(browser: Browser, headers: dict[str, str]) -> httpx.Response:
    return await browser.http.get("/callback?state=x&code=y", headers=headers | PAGE)


async def asks_token(browser: Browser, headers: dict[str, str]) -> httpx.Response:
    form = {"grant_type": "refresh_token", "client_id": "x", "refresh_token": "y"}
    return await browser.http.post("/token", data=form, headers=headers)


ASKS = [asks_register, asks_authorize, asks_decide, asks_callback, asks_token]


@pytest.mark.attack("Q-05", "O-01")
@pytest.mark.parametrize("ask", ASKS)
async def test_an_address_may_ask_only_so_often_and_others_still_may(ask: Any) -> None:
    async with authorization_server(limits=FEW, proxies=[INGRESS]) as server:
        browser = server.browser(peer=INGRESS)
        async with browser.http:
            answers = [await ask(browser, calls_from("192.0.2.1")) for _ in range(6)]
            assert [one.status_code == 429 for one in answers] == [False] * 3 + [True] * 3
            assert (await ask(browser, calls_from("192.0.2.2"))).status_code != 429
            server.clock.forward(20)
            assert (await ask(browser, calls_from("192.0.2.1"))).status_code != 429
            assert (await ask(browser, calls_from("192.0.2.1"))).status_code == 429
        assert await server.records() == 0


@pytest.mark.attack("Q-05", "L-12")
@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("spoof", SPOOFS)
async def test_an_address_cannot_be_chosen_behind_the_ingress(ask: Any, spoof: Any) -> None:
    async with authorization_server(limits=FEW, proxies=[INGRESS]) as server:
        browser = server.browser(peer=INGRESS)
        answers = [await ask(browser, spoof(number)) for number in range(5)]
        assert [one.status_code == 429 for one in answers] == [False] * 3 + [True] * 2


@pytest.mark.attack("Q-05", "L-12")
@pytest.mark.parametrize("ask", ASKS)
async def test_an_address_cannot_be_chosen_past_the_ingress(ask: Any) -> None:
    async with authorization_server(limits=FEW, proxies=[INGRESS]) as server:
        browser = server.browser(peer="192.0.2.1")
        answers = [await ask(browser, calls_from(f"203.0.113.{number}")) for number in range(5)]
        assert [one.status_code == 429 for one in answers] == [False] * 3 + [True] * 2


@pytest.mark.attack("Q-05")
async def test_one_site_of_ipv6_is_one_caller() -> None:
    async with authorization_server(limits=FEW, proxies=[INGRESS]) as server:
        browser = server.browser(peer=INGRESS)
        asked = [
            await asks_register(browser, calls_from(f"2001:db8:0:7::{number:x}"))
            for number in range(5)
        ]
        assert [one.status_code for one in asked] == [201] * 3 + [429] * 2


@pytest.mark.attack("Q-05")
async def test_without_trusted_proxies_only_the_limit_for_all_holds() -> None:
    async with authorization_server(limits=PerMinute(register=1)) as server:
        browser = server.browser(peer=INGRESS)
        asked = [await asks_register(browser, calls_from(str(number))) for number in range(60)]
        assert [one.status_code for one in asked] == [201] * 50 + [429] * 10


@pytest.mark.attack("Q-05")
async def test_programs_get_json_and_people_a_page() -> None:
    limits = PerMinute(register=1, authorize=1, token=1)
    async with authorization_server(limits=limits, proxies=[INGRESS]) as server:
        browser = server.browser(peer=INGRESS)
        refused = [[await ask(browser, calls_from("192.0.2.1")) for ask in ASKS] for _ in range(2)]
        register, authorize, decide, callback, token = refused[1]
        for answer in (register, token):
            assert answer.json()["error"] == "temporarily_unavailable"
            assert "Wait 60 seconds" in answer.json()["error_description"]
            assert answer.headers["access-control-allow-origin"] == "*"
            assert "Retry-After" in answer.headers["access-control-expose-headers"]
        for answer in (authorize, decide, callback):
            assert answer.headers["content-type"].startswith("text/html")
            assert "Too many requests" in answer.text
            assert "Wait 60 seconds" in answer.text
        for answer in refused[1]:
            assert answer.status_code == 429
            assert answer.headers["retry-after"] == "60"
            assert answer.headers["cache-control"] == "no-store"


async def test_a_person_can_load_the_callback_again_after_the_wait() -> None:
    limits = PerMinute(authorize=3)
    async with authorization_server(limits=limits, proxies=[INGRESS]) as server:
        client = await server.register()
        browser = server.browser(peer=INGRESS, headers=calls_from("192.0.2.1"))
        url = await browser.approve(client["client_id"])
        came_back = f"/callback?{server.provider.sign_in(url)}"
        flood = server.browser(peer=INGRESS, headers=calls_from("192.0.2.1"))
        for _ in range(3):
            await flood.http.get("/callback")
        assert (await browser.http.get(came_back, headers=PAGE)).status_code == 429
        server.clock.forward(20)
        answer = await browser.http.get(came_back, headers=PAGE)
        assert answer.status_code == 302, answer.text


async def signed_in(server: AuthorizationServer) -> tuple[Browser, str, dict[str, Any]]:
    client = await server.register()
    browser = server.browser()
    code = await browser.code(client["client_id"])
    tokens = (await browser.redeem(client["client_id"], code)).json()
    return browser, client["client_id"], tokens


async def refresh(browser: Browser, client_id: str, token: str) -> httpx.Response:
    form = {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": token}
    return await browser.http.post("/token", data=form)


@pytest.mark.attack("Q-05")
async def test_refused_requests_with_a_public_client_id_do_not_keep_out_its_people() -> None:
    async with authorization_server(limits=PerMinute(token=2)) as server:
        browser, client_id, tokens = await signed_in(server)
        with audit_log() as log:
            refused = [await refresh(browser, client_id, "junk") for _ in range(10)]
        assert [one.json()["error"] for one in refused] == (
            ["invalid_grant"] * 2 + ["temporarily_unavailable"] * 8
        )
        assert [one.status_code for one in refused] == [400] * 2 + [429] * 8
        assert log.reasons("limit_hit") == ["token"]
        assert len(log.reasons("token_refused")) == 2
        answer = await refresh(browser, client_id, tokens["refresh_token"])
        assert answer.status_code == 200


@pytest.mark.attack("Q-05")
async def test_one_sign_in_gets_tokens_only_so_often() -> None:
    async with authorization_server(limits=PerMinute(token=3)) as server:
        browser, client_id, tokens = await signed_in(server)
        for _ in range(2):
            answer = await refresh(browser, client_id, tokens["refresh_token"])
            assert answer.status_code == 200
            tokens = answer.json()
        answer = await refresh(browser, client_id, tokens["refresh_token"])
        assert (answer.status_code, answer.json()["error"]) == (429, "temporarily_unavailable")
        assert answer.headers["retry-after"] == "20"
        # The same token is as good as before.
        server.clock.forward(20)
        answer = await refresh(browser, client_id, tokens["refresh_token"])
        assert answer.status_code == 200
        other, other_id, others = await signed_in(server)
        assert (await refresh(other, other_id, others["refresh_token"])).status_code == 200


@pytest.mark.attack("Q-05")
async def test_revocations_are_counted_by_client_and_address() -> None:
    async with authorization_server(limits=FEW, proxies=[INGRESS]) as server:
        client = (await server.register())["client_id"]
        browser = server.browser(peer=INGRESS)
        form = {"client_id": client, "token": "junk"}
        statuses = [
            (
                await browser.http.post("/revoke", data=form, headers=calls_from("192.0.2.1"))
            ).status_code
            for _ in range(5)
        ]
        assert statuses == [200] * 3 + [429] * 2
        other = await browser.http.post("/revoke", data=form, headers=calls_from("192.0.2.2"))
        assert other.status_code == 200


@pytest.mark.attack("Q-05")
async def test_a_person_makes_only_so_many_grants_and_can_return_to_the_app() -> None:
    async with authorization_server(limits=PerMinute(sign_ins=2)) as server:
        client = (await server.register())["client_id"]
        with audit_log() as log:
            answers = [await server.browser(headers=PAGE).sign_in(client) for _ in range(3)]
        assert [one.status_code for one in answers] == [302, 302, 429]
        assert await server.records() == len({"grant", "subject"}) + 1
        assert "Return to Assistant" in answers[2].text
        assert answers[2].headers["retry-after"] == "30"
        [line] = [line for line in log.lines if line["event"] == "limit_hit"]
        assert (line["reason"], line["user"]) == ("sign_ins", ana().user)


@pytest.mark.attack("Q-05")
async def test_a_failure_on_our_side_is_not_counted() -> None:
    async with authorization_server(limits=PerMinute(token=2)) as server:
        browser, client_id, tokens = await signed_in(server)
        server.people.people = None
        server.clock.forward(60)
        for _ in range(2):
            answer = await refresh(browser, client_id, tokens["refresh_token"])
            assert answer.status_code == 503
        server.clock.forward(60)
        junk = await refresh(browser, client_id, "junk")
        assert junk.status_code == 400


@pytest.mark.attack("Q-06")
async def test_strangers_without_number_leave_a_bounded_table() -> None:
    limits = PerMinute(register=10, authorize=10, token=10)
    async with authorization_server(limits=limits, proxies=[INGRESS]) as server:
        browser = server.browser(peer=INGRESS)
        for number in range(600):
            headers = calls_from(f"198.51.{number // 250}.{number % 250}")
            assert (await asks_register(browser, headers)).status_code in {201, 429}
        assert server.limits.register.keys <= 500
        server.clock.forward(61)
        await asks_register(browser, calls_from("192.0.2.1"))
        assert server.limits.register.keys == 1


async def test_the_limits_hold_in_the_middle_of_a_sign_in_too() -> None:
    async with authorization_server(limits=PerMinute(authorize=2)) as server:
        client = (await server.register())["client_id"]
        browser = server.browser()
        page = await browser.http.get("/authorize", params=parameters(client))
        assert handle_of(page)
        assert moved_on(await browser.decide(page))
        code = query_of((await browser.sign_in(client)).headers["location"])["code"]
        assert (await browser.redeem(client, code)).status_code == 200


@pytest.mark.attack("E-04")
async def test_strange_cookies_do_not_matter_and_a_repeated_one_is_read_twice_at_most() -> None:
    async with authorization_server() as server:
        client = (await server.register())["client_id"]
        browser = server.browser()
        url = await browser.approve(client)
        back = f"/callback?{server.provider.sign_in(url)}"
        own = [(cookie.name, cookie.value or "") for cookie in browser.http.cookies.jar]
        own.sort(key=lambda pair: "-t-" in pair[0], reverse=True)
        name, value = own[0]
        forged = value[:-1] + ("A" if value[-1] != "A" else "B")
        stranger = server.browser()
        # Two wrong values hide the right one: a page, and never an error of the server.
        crowded = "; ".join([*(f"c{n}={'x' * 100}" for n in range(50)), f"{name}={forged}"])
        answer = await stranger.http.get(
            back, headers={"cookie": f"{crowded}; {name}={forged}; {name}={value}"}
        )
        assert answer.status_code == 403
        answer = await stranger.http.get(back, headers={"cookie": f"{crowded}; {name}={value}"})
        assert answer.status_code == 302, answer.text


@pytest.mark.attack("E-04")
@pytest.mark.parametrize(
    "cookie", ["=", ";;;", "a", "__Host-pmcp-t-", "__Host-pmcp-t-0=1.", "\xff"]
)
async def test_malformed_cookies_are_no_error_of_the_server(cookie: str) -> None:
    async with authorization_server() as server:
        client = (await server.register())["client_id"]
        browser = server.browser()
        headers = [(b"cookie", cookie.encode("latin-1"))] * 50
        answer = await browser.http.get("/authorize", params=parameters(client), headers=headers)
        assert answer.status_code == 200
        answer = await browser.http.get("/callback?state=x", headers=headers)
        assert answer.status_code in {400, 403}
