"""Attacks by way of /callback: a sign-in in another browser, and a person without access."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from harness.deployment import Deployment, Plan
from harness.evidence import asked_upstream, audited, nothing_stored
from harness.pages import is_page
from harness.signin import Visitor, code_of, error_at, new_person

CONTACT = "it-help@northlight.example"


@pytest.fixture
def attacker(deployment: Deployment) -> Iterator[Visitor]:
    with Visitor(deployment) as one:
        yield one


@pytest.fixture
def victim(deployment: Deployment) -> Iterator[Visitor]:
    with Visitor(deployment) as one:
        yield one


@pytest.fixture(scope="module")
def email(deployment: Deployment) -> str:
    return new_person(deployment)


def nothing_open(victim: Visitor, email: str) -> None:
    """A browser that was never here."""


def page_open(victim: Visitor, email: str) -> None:
    """The person looks at the consent page of a client of theirs."""
    victim.authorize(victim.register())


def sign_in_open(victim: Visitor, email: str) -> None:
    """The person approved a client of theirs, and is about to sign in."""
    victim.approve(victim.register())


def signed_in(victim: Visitor, email: str) -> None:
    """The person has just connected a client of theirs."""
    victim.tokens(victim.register(), email)


@pytest.mark.attack("C-01")
@pytest.mark.parametrize("earlier", [nothing_open, page_open, sign_in_open, signed_in])
@pytest.mark.parametrize("replica", [0, 1])
def test_a_sign_in_that_was_approved_in_another_browser_is_not_completed(
    attacker: Visitor,
    victim: Visitor,
    email: str,
    earlier: Callable[[Visitor, str], None],
    replica: int,
) -> None:
    earlier(victim, email)
    url = attacker.approve(attacker.register())
    asked = asked_upstream(victim.deployment)
    with audited(victim.deployment) as trail, nothing_stored(victim.deployment):
        back = victim.sign_in_upstream(url, email)
        victim.deployment.ingress.pin(replica)
        try:
            page = victim.callback(back)
        finally:
            victim.deployment.ingress.pin(None)
    assert is_page(page, 403)
    assert "assistant.example" not in page.text
    assert trail.reasons() == ["binding_mismatch"]
    assert "signed_in" not in trail.events()
    # The code that came along was not redeemed either.
    assert asked_upstream(victim.deployment).get("token", 0) == asked.get("token", 0)


@pytest.mark.attack("C-01")
def test_cookies_of_another_sign_in_are_not_accepted(
    attacker: Visitor, victim: Visitor, email: str
) -> None:
    """The victim's browser holds a genuine cookie under the very name that is looked for."""
    victim.approve(victim.register())
    own = {cookie.name[:7]: cookie.value or "" for cookie in victim.http.cookies.jar}
    url = attacker.approve(attacker.register())
    names = {cookie.name for cookie in attacker.http.cookies.jar}
    stolen = "; ".join(f"{name}={own[name[:7]]}" for name in names)
    with audited(victim.deployment) as trail, nothing_stored(victim.deployment):
        back = victim.sign_in_upstream(url, email)
        page = victim.http.get(back, headers={"Cookie": stolen})
    assert is_page(page, 403)
    assert trail.reasons() == ["binding_mismatch"]


@pytest.mark.attack("C-01")
def test_a_refused_browser_does_not_affect_the_one_that_approved(
    attacker: Visitor, victim: Visitor, email: str
) -> None:
    """Or anybody who sees a state could end other people's sign-ins."""
    url = attacker.approve(attacker.register())
    assert is_page(victim.callback(victim.sign_in_upstream(url, email)), 403)
    assert code_of(attacker.callback(attacker.sign_in_upstream(url, email)))


@pytest.mark.attack("C-01")
def test_a_program_gets_the_same_error_as_json(
    attacker: Visitor, victim: Visitor, email: str
) -> None:
    back = victim.sign_in_upstream(attacker.approve(attacker.register()), email)
    with nothing_stored(victim.deployment):
        answer = victim.http.get(back, headers={"Accept": "application/json"})
    assert answer.status_code == httpx.codes.FORBIDDEN
    assert "location" not in answer.headers


def stranger(deployment: Deployment) -> str:
    return f"nobody-{deployment.port}@elsewhere.example"


def suspended(deployment: Deployment) -> str:
    return new_person(deployment, suspend=True)


def suspended_later(deployment: Deployment) -> str:
    email = new_person(deployment)
    with Visitor(deployment) as person:
        person.tokens(person.register(), email)
    deployment.people.change(email.partition("@")[0], suspend=True)
    return email


def escaped(deployment: Deployment) -> str:
    return "they&amp@elsewhere.example"


@pytest.mark.attack("G-06")
@pytest.mark.parametrize("who", [stranger, suspended, suspended_later, escaped])
def test_a_person_without_access_sees_why_and_the_client_is_told_after_a_click(
    deployment: Deployment, victim: Visitor, who: Callable[[Deployment], str]
) -> None:
    email = who(deployment)
    client = victim.register()
    with audited(deployment) as trail, nothing_stored(deployment):
        page = victim.sign_in(client, email)
    assert is_page(page, 403)
    assert html.escape(email) in page.text
    assert "connect the app again" in page.text
    assert "administrator" in page.text
    reason = "suspended" if who in (suspended, suspended_later) else "not_mapped"
    assert trail.reasons() == [reason]
    assert [line["email"] for line in trail.of("sign_in_refused")] == [email]
    assert victim.cookies() == []
    assert error_at(deployment, link_of(page)) == "access_denied"


@pytest.mark.attack("G-06")
def test_markup_in_an_address_is_shown_as_text(deployment: Deployment, victim: Visitor) -> None:
    email = "<b>me</b>@elsewhere.example"
    with nothing_stored(deployment):
        page = victim.sign_in(victim.register(), email)
    assert is_page(page, 403)
    assert "<b>" not in page.text
    assert html.escape(email) in page.text
    assert error_at(deployment, link_of(page)) == "access_denied"


@pytest.mark.attack("G-06")
def test_the_page_does_not_reveal_who_is_known(deployment: Deployment) -> None:
    pages = []
    for email in (stranger(deployment), suspended(deployment)):
        with Visitor(deployment) as one:
            page = one.sign_in(one.register(), email)
        pages.append((page.status_code, page.text.replace(email, "E-MAIL")))
    assert pages[0] == pages[1]


@pytest.mark.attack("G-06")
def test_the_page_names_whom_to_ask(deploy: Callable[[Plan], Deployment]) -> None:
    own = deploy(Plan(gateway={"ADMIN_CONTACT": CONTACT}))
    with Visitor(own) as one, nothing_stored(own):
        page = one.sign_in(one.register(), stranger(own))
        assert is_page(page, 403)
        assert CONTACT in page.text
        assert stranger(own) in page.text


@pytest.mark.attack("G-06")
def test_a_program_without_access_gets_it_as_json(deployment: Deployment, victim: Visitor) -> None:
    back = victim.sign_in_upstream(victim.approve(victim.register()), stranger(deployment))
    with nothing_stored(deployment):
        answer = victim.http.get(back, headers={"Accept": "application/json"})
    assert answer.status_code == httpx.codes.FORBIDDEN
    assert answer.json()["error"] == "access_denied"
    assert "location" not in answer.headers


def link_of(page: httpx.Response) -> str:
    """Return where the page's only link leads."""
    found: list[Any] = re.findall(r'href="([^"]+)"', page.text)
    assert len(found) == 1, page.text
    return html.unescape(found[0])
