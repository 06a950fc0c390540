"""A provider that we did not write, npm's oidc-provider: two faults of ours cannot match here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from harness.foreignapp import App
from harness.standalone import ANA, Standalone, standalone

AS_ANA = {"email": ANA}


@pytest.fixture(scope="module")
def site() -> Iterator[Standalone]:
    """A gateway that does not ask the provider again."""
    with standalone() as mine:
        mine.start_foreign_provider()
        mine.start_gateway()
        yield mine


@pytest.fixture(scope="module")
def asking() -> Iterator[Standalone]:
    """A gateway that asks the provider again at each refresh."""
    with standalone(OIDC_OFFLINE="true") as mine:
        mine.start_foreign_provider()
        mine.start_gateway()
        yield mine


def test_person_signs_in_and_the_client_refreshes(site: Standalone) -> None:
    app = App(site)
    first = app.tokens(AS_ANA)
    assert first.status_code == 200, first.text
    second = app.refresh(first.json()["refresh_token"])
    assert second.status_code == 200, second.text
    assert app.lists_tools(second.json()["access_token"])


def test_refusal_at_the_provider_reaches_the_client_as_access_denied(site: Standalone) -> None:
    assert App(site).answer({"email": "deny"})["error"] == "access_denied"


def test_sign_ins_go_on_after_the_provider_rotated_its_keys(site: Standalone) -> None:
    app = App(site)
    assert app.tokens(AS_ANA).status_code == 200
    site.control("POST", "rotate-keys")
    assert app.tokens(AS_ANA).status_code == 200


def test_disabled_account_does_not_get_in(site: Standalone) -> None:
    site.control("PUT", "account", {"email": ANA, "disabled": True})
    try:
        assert App(site).answer(AS_ANA)["error"] == "access_denied"
    finally:
        site.control("PUT", "account", {"email": ANA, "disabled": False})


@pytest.mark.attack("J-13")
def test_tokens_of_the_provider_rotate_with_those_of_the_client(asking: Standalone) -> None:
    """The provider takes each of its refresh tokens once; a second use would end the sign-in."""
    app = App(asking)
    first = app.tokens(AS_ANA)
    assert first.status_code == 200, first.text
    assert signed_in(asking)["provider_token"] == "kept"
    token = first.json()["refresh_token"]
    for number in range(4):
        if number == 2:
            asking.control("POST", "rotate-keys")
        answer = app.refresh(token)
        assert answer.status_code == 200, answer.text
        assert app.lists_tools(answer.json()["access_token"])
        token = answer.json()["refresh_token"]


@pytest.mark.attack("J-13")
def test_account_that_is_disabled_is_out_at_the_next_refresh(asking: Standalone) -> None:
    app = App(asking)
    tokens = app.tokens(AS_ANA).json()
    tokens = app.refresh(tokens["refresh_token"]).json()
    asking.control("PUT", "account", {"email": ANA, "disabled": True})
    try:
        refused = app.refresh(tokens["refresh_token"])
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        assert not app.lists_tools(tokens["access_token"])
    finally:
        asking.control("PUT", "account", {"email": ANA, "disabled": False})
    assert audited(asking, "grant_ended")[-1]["reason"] == "upstream_refused"
    # It stays ended when the account is back, and the person can sign in again.
    again = app.refresh(tokens["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert app.tokens(AS_ANA).status_code == 200


def signed_in(site: Standalone) -> dict[str, Any]:
    """Return the audit line of the last sign-in."""
    return audited(site, "signed_in")[-1]


def audited(site: Standalone, event: str) -> list[dict[str, Any]]:
    """Return the audit lines about an event, oldest first."""
    lines = [json.loads(line) for line in site.programs["gateway"].output().splitlines()]
    return [line for line in lines if line.get("audit") and line["event"] == event]
