"""Attacks on /connections, and what a person ends there, over two replicas."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import httpx
import pytest

from harness.deployment import Deployment
from harness.evidence import asked_upstream, audited, nothing_stored
from harness.grantrequests import opens_everywhere, stored
from harness.pages import is_page
from harness.processes import eventually
from harness.signin import Visitor, gone_on, handle_of, new_person

SECONDS = 5.0
"""In which what was taken away is gone everywhere while watches are healthy."""


@pytest.fixture
def visitor(deployment: Deployment) -> Iterator[Visitor]:
    with Visitor(deployment) as one:
        yield one
    deployment.ingress.pin(None)


def press(visitor: Visitor, path: str, **form: str) -> httpx.Response:
    """Press a button of the page; each request goes to the next replica."""
    headers = {
        "Origin": visitor.deployment.url,
        "Sec-Fetch-Site": "same-origin",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return visitor.http.post(f"/connections/{path}", data=form, headers=headers)


def open_page(visitor: Visitor, email: str) -> httpx.Response:
    """Sign in for the page and open it."""
    url = gone_on(press(visitor, "sign-in"))
    answer = visitor.callback(visitor.sign_in_upstream(url, email))
    assert answer.headers["location"] == f"{visitor.deployment.url}/connections", answer.text
    return visitor.http.get("/connections")


def grants_on(page: httpx.Response) -> list[str]:
    return [html.unescape(one) for one in re.findall(r'name="grant" value="(g-[^"]+)"', page.text)]


def gone_everywhere(visitor: Visitor, access_token: str) -> None:
    """Assert that no replica accepts an access token any more."""
    ingress = visitor.deployment.ingress
    for number in range(visitor.deployment.plan.replicas):
        ingress.pin(number)
        eventually(
            lambda: visitor.call(access_token).status_code == httpx.codes.UNAUTHORIZED,
            seconds=SECONDS,
            what=f"replica {number} refuses the token",
        )
    ingress.pin(None)


@pytest.mark.attack("S-04")
def test_what_a_person_ends_is_gone_at_every_replica(visitor: Visitor) -> None:
    site = visitor.deployment
    email, other_email = new_person(site), new_person(site)
    first, second = visitor.register(client_name="First"), visitor.register(client_name="Second")
    ended, kept = visitor.tokens(first, email), visitor.tokens(second, email)
    others = visitor.tokens(first, other_email)
    for tokens in (ended, kept, others):
        opens_everywhere(visitor, tokens["access_token"])
    page = open_page(visitor, email)
    [_, name] = grants_on(page)
    assert page.text.index("Second") < page.text.index("First"), "the newest first"

    with audited(site) as trail:
        assert is_page(press(visitor, "disconnect", handle=handle_of(page), grant=name), 200)
        gone_everywhere(visitor, ended["access_token"])
    assert trail.reasons("grant_ended") == ["revoked_by_person"]
    refused = visitor.refresh(first, ended["refresh_token"])
    assert refused.json()["error"] == "invalid_grant"
    opens_everywhere(visitor, kept["access_token"])
    opens_everywhere(visitor, others["access_token"])

    kept_too = visitor.tokens(first, email)
    page = visitor.http.get("/connections")
    with audited(site) as trail:
        assert is_page(press(visitor, "disconnect", handle=handle_of(page), grant="all"), 200)
        gone_everywhere(visitor, kept["access_token"])
        gone_everywhere(visitor, kept_too["access_token"])
    assert trail.reasons("grant_ended") == ["revoked_by_person"] * 2
    assert {one["state"] for one in stored(site, email)} == {"gone"}
    assert "No app is connected" in visitor.http.get("/connections").text
    opens_everywhere(visitor, others["access_token"])


@pytest.mark.attack("S-01", "S-02")
def test_nobody_ends_what_is_not_theirs(visitor: Visitor) -> None:
    site = visitor.deployment
    email, victim = new_person(site), new_person(site)
    visitor.tokens(visitor.register(), email)
    victims = visitor.tokens(visitor.register(), victim)
    with Visitor(site) as theirs:
        [name] = grants_on(open_page(theirs, victim))
    page = open_page(visitor, email)
    handle = handle_of(page)
    with nothing_stored(site):
        for _ in site.gateways:
            assert name not in visitor.http.get("/connections").text
            assert is_page(press(visitor, "disconnect", handle=handle, grant=name), 404)
            assert is_page(press(visitor, "disconnect", grant="all"), 403)
            link = visitor.http.get("/connections/disconnect", params={"grant": "all"})
            assert link.status_code == httpx.codes.METHOD_NOT_ALLOWED
            foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
            form = {"handle": handle, "grant": "all"}
            answer = visitor.http.post("/connections/disconnect", data=form, headers=foreign)
            assert is_page(answer, 403)
    opens_everywhere(visitor, victims["access_token"])


@pytest.mark.attack("S-01", "C-04")
def test_opening_the_page_stores_nothing_and_asks_nobody(visitor: Visitor) -> None:
    asked = asked_upstream(visitor.deployment)
    with nothing_stored(visitor.deployment):
        for _ in visitor.deployment.gateways:
            page = visitor.http.get("/connections")
            assert is_page(page, 200)
            assert "set-cookie" not in page.headers
            assert grants_on(page) == []
    assert asked_upstream(visitor.deployment) == asked
    with nothing_stored(visitor.deployment):
        open_page(visitor, new_person(visitor.deployment))


@pytest.mark.attack("C-01", "C-02")
@pytest.mark.parametrize("replica", [0, 1])
def test_sign_in_that_was_begun_in_another_browser_is_not_completed(
    visitor: Visitor, replica: int
) -> None:
    site = visitor.deployment
    email = new_person(site)
    with Visitor(site) as attacker:
        url = gone_on(press(attacker, "sign-in"))
        back = attacker.sign_in_upstream(url, email)
    press(visitor, "sign-in")
    with audited(site) as trail:
        site.ingress.pin(replica)
        page = visitor.callback(back)
    assert is_page(page, 403)
    assert trail.reasons() == ["binding_mismatch"]
    assert "pmcp-person" not in visitor.cookies()
