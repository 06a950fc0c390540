"""Attacks on /authorize: where the answer goes, PKCE, and getting past the consent page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from harness.deployment import Deployment
from harness.evidence import asked_upstream, idp_faults, nothing_stored
from harness.pages import is_page
from harness.signin import (
    REDIRECT_URI,
    Registered,
    Visitor,
    error_of,
    gone_on,
    new_person,
    query_of,
)

LOOPBACK = "http://127.0.0.1:4711/cb"
METHODS = ["none", "client_secret_post", "client_secret_basic"]


@pytest.fixture
def visitor(deployment: Deployment) -> Iterator[Visitor]:
    with Visitor(deployment) as one:
        yield one


@pytest.fixture(scope="module")
def email(deployment: Deployment) -> str:
    return new_person(deployment)


def refused_here(visitor: Visitor, client: Registered, **changes: Any) -> None:
    """Hold that a request ends at a page, at every replica, and leaves nothing behind."""
    asked = asked_upstream(visitor.deployment)
    with nothing_stored(visitor.deployment):
        for _ in visitor.deployment.gateways:
            page = visitor.authorize(client, **changes)
            assert is_page(page), (page.status_code, page.headers)
            assert "set-cookie" not in page.headers
        answer = visitor.authorize(client, headers={"Accept": "application/json"}, **changes)
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert answer.json()["error"] == "invalid_request"
    assert answer.headers["cache-control"] == "no-store"
    assert "location" not in answer.headers
    assert asked_upstream(visitor.deployment) == asked


@pytest.mark.attack("B-01")
@pytest.mark.parametrize(
    "uri",
    [
        None,
        "",
        "https://evil.example/callback",
        "https://assistant.example/other",
        "https://assistant.example/",
        "https://assistant.example",
        "https://assistant.example/callback/more",
        "https://assistant.example/callback?added=1",
        "https://assistant.example/callback?",
        "https://assistant.example/callback/",
        "https://assistant.example/CALLBACK",
        "https://assistant.example/Callback",
        "https://assistant.example/callbac%6B",
        "https://assistant.example/callbackk",
        "https://assistant.example/callbac",
        "https://assistant.example:443/callback",
        "https://assistant.example:8443/callback",
        "https://assistant.example.evil.example/callback",
        "https://sub.assistant.example/callback",
        "HTTPS://assistant.example/callback",
        "https://Assistant.example/callback",
        "http://assistant.example/callback",
        " https://assistant.example/callback",
        "https://assistant.example/callback ",
        "//assistant.example/callback",
        "/callback",
        "http://127.0.0.1:4711/callback",
        "http://127.0.0.1:4711/cb/",
        "http://127.0.0.1:4711/cb?added=1",
        "http://127.0.0.1:4711/CB",
        "http://127.0.0.1:4711",
        "http://localhost:4711/cb",
        "https://127.0.0.1:4711/cb",
    ],
)
def test_no_answer_goes_to_an_unregistered_redirect_uri(visitor: Visitor, uri: str | None) -> None:
    client = visitor.register(redirect_uris=[REDIRECT_URI, LOOPBACK])
    refused_here(visitor, client, redirect_uri=uri)


@pytest.mark.attack("B-01")
def test_a_redirect_uri_of_another_client_is_refused(visitor: Visitor) -> None:
    client = visitor.register()
    other = visitor.register(redirect_uris=["https://other.example/callback"])
    refused_here(visitor, client, redirect_uri=other.redirect_uri)


@pytest.mark.attack("B-01")
@pytest.mark.parametrize("fault", [{"response_type": "token"}, {"scope": "unknown"}])
def test_no_other_fault_brings_a_redirect_to_an_unregistered_address(
    visitor: Visitor, fault: dict[str, str]
) -> None:
    """The redirect URI is judged before anything that would be told by a redirect."""
    refused_here(visitor, visitor.register(), redirect_uri="https://evil.example/", **fault)


@pytest.mark.attack("B-01")
@pytest.mark.parametrize("uri", [REDIRECT_URI, LOOPBACK])
def test_the_registered_addresses_themselves_lead_to_the_page(visitor: Visitor, uri: str) -> None:
    client = visitor.register(redirect_uris=[REDIRECT_URI, LOOPBACK])
    assert visitor.authorize(client, redirect_uri=uri).status_code == httpx.codes.OK


def told_to_the_client(visitor: Visitor, client: Registered, **changes: Any) -> None:
    """Hold that the client is told `invalid_request` and nobody is asked anything."""
    asked = asked_upstream(visitor.deployment)
    with nothing_stored(visitor.deployment):
        for _ in visitor.deployment.gateways:
            answer = visitor.authorize(client, **changes)
            assert error_of(visitor.deployment, answer) == "invalid_request"
            assert "set-cookie" not in answer.headers
    assert asked_upstream(visitor.deployment) == asked


@pytest.mark.attack("P-01")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None},
        {"code_challenge": ""},
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": None, "code_challenge_method": "plain"},
    ],
    ids=["absent", "empty", "no-pkce-at-all", "plain-without"],
)
def test_no_client_goes_without_pkce(
    visitor: Visitor, method: str, changes: dict[str, Any]
) -> None:
    client = visitor.register(token_endpoint_auth_method=method)
    told_to_the_client(visitor, client, **changes)


@pytest.mark.attack("P-02")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("transform", ["plain", None, "", "s256", "S512", "none", "S256 ", "PLAIN"])
def test_only_s256_is_accepted(visitor: Visitor, method: str, transform: str | None) -> None:
    client = visitor.register(token_endpoint_auth_method=method)
    told_to_the_client(visitor, client, code_challenge_method=transform)


@pytest.mark.attack("P-02")
@pytest.mark.parametrize("transform", ["plain", None])
def test_a_verifier_in_the_link_is_not_a_challenge(visitor: Visitor, transform: str | None) -> None:
    verifier = visitor.verifier[:43]
    changes = {"code_challenge": verifier, "code_challenge_method": transform}
    told_to_the_client(visitor, visitor.register(), **changes)


@pytest.mark.attack("P-02")
def test_a_repeated_challenge_method_is_refused(visitor: Visitor) -> None:
    told_to_the_client(visitor, visitor.register(), code_challenge_method=["S256", "plain"])


def shows_the_page(visitor: Visitor, answer: httpx.Response) -> None:
    """Hold that it is the consent page, from which nothing but a press of a button leads on."""
    assert is_page(answer, 200), (answer.status_code, answer.headers)
    assert ">Approve<" in answer.text
    assert visitor.deployment.idp_url not in answer.text
    assert {name[:7] for name in visitor.cookies()} == {"pmcp-c-"}


@pytest.mark.attack("D-01")
@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"login_hint": "victim@northlight.example"},
        {"prompt": "login"},
        {"prompt": "consent"},
        {"decision": "approve"},
        {"consent": "true", "approved": "1", "skip_consent": "true"},
        {"handle": "x"},
    ],
    ids=["as-it-is", "login-hint", "prompt-login", "prompt-consent", "decision", "flags", "handle"],
)
@pytest.mark.parametrize("site", ["none", "same-origin", "cross-site"])
def test_a_link_of_a_new_client_shows_the_page_before_anything_goes_upstream(
    visitor: Visitor, extra: dict[str, str], site: str
) -> None:
    """Whoever registers can send this link to somebody who is signed in at the provider."""
    client = visitor.register()
    asked = asked_upstream(visitor.deployment)
    with nothing_stored(visitor.deployment):
        for _ in visitor.deployment.gateways:
            answer = visitor.authorize(client, headers={"Sec-Fetch-Site": site}, **extra)
            shows_the_page(visitor, answer)
    assert asked_upstream(visitor.deployment) == asked


@pytest.mark.attack("D-01")
def test_the_page_is_shown_to_somebody_who_approved_another_client_just_now(
    visitor: Visitor, email: str
) -> None:
    visitor.tokens(visitor.register(), email)
    newcomer = visitor.register(client_name="Newcomer")
    asked = asked_upstream(visitor.deployment)
    with nothing_stored(visitor.deployment):
        answer = visitor.authorize(newcomer, prompt="consent", login_hint=email)
    assert is_page(answer, 200)
    assert "Newcomer" in answer.text
    assert asked_upstream(visitor.deployment) == asked


@pytest.mark.attack("D-01")
def test_a_link_with_prompt_none_gets_an_error(visitor: Visitor) -> None:
    client = visitor.register()
    asked = asked_upstream(visitor.deployment)
    with nothing_stored(visitor.deployment):
        answer = visitor.authorize(client, prompt="none")
    assert error_of(visitor.deployment, answer) == "login_required"
    assert visitor.cookies() == []
    assert asked_upstream(visitor.deployment) == asked


@pytest.mark.attack("D-01")
def test_a_posted_request_does_not_approve_itself(visitor: Visitor) -> None:
    client = visitor.register()
    asked = asked_upstream(visitor.deployment)
    with nothing_stored(visitor.deployment):
        form = visitor.request(client, decision="approve")
        answer = visitor.http.post("/authorize", data=form)
    assert is_page(answer, 403)
    assert visitor.cookies() == []
    assert asked_upstream(visitor.deployment) == asked


@pytest.mark.attack("D-01")
def test_a_provider_that_signs_in_silently_is_reached_by_an_approval_only(
    visitor: Visitor, email: str
) -> None:
    """With a live session there, whoever comes to the provider comes back with a code."""
    client = visitor.register()
    with nothing_stored(visitor.deployment):
        page = visitor.authorize(client)
        shows_the_page(visitor, page)
    asked = asked_upstream(visitor.deployment)
    url = gone_on(visitor.decide(page))
    silent = visitor.http.get(url, params={**query_of(url), "login_hint": email})
    answer = visitor.callback(silent.headers["location"])
    assert query_of(answer.headers["location"])["code"]
    assert asked_upstream(visitor.deployment)["token"] == asked.get("token", 0) + 1


@pytest.mark.attack("D-01")
def test_the_page_does_not_depend_on_the_provider(visitor: Visitor) -> None:
    """Were anything asked there, this would not be answered."""
    client = visitor.register()
    down = {name: {"status": 500} for name in ("discovery", "jwks", "authorize", "token")}
    with idp_faults(visitor.deployment, **down):
        for _ in visitor.deployment.gateways:
            shows_the_page(visitor, visitor.authorize(client))
