"""A provider that we did not write, npm's oidc-provider: two faults of ours cannot match here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.foreignapp import App
from harness.standalone import ANA, Standalone, standalone

AS_ANA = {"email": ANA}


@pytest.fixture(scope="module")
def site() -> Iterator[Standalone]:
    with standalone() as mine:
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
