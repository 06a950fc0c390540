"""Sign-in at the example server of github.com/zitadel/oidc."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from harness.foreignapp import App
from harness.processes import listening
from harness.standalone import ANA, Standalone, standalone
from harness.zitadel import zitadel_server

USERS = {
    "id1": {"ID": "id1", "Username": "ana", "Password": "pw", "Email": ANA, "EmailVerified": True},
    "id2": {"ID": "id2", "Username": "unverified", "Password": "pw", "Email": ANA},
}


@pytest.fixture(scope="module", params=["false", "true"], ids=["asked once", "asked again"])
def site(request: pytest.FixtureRequest) -> Iterator[Standalone]:
    """A gateway at this provider; with `OIDC_OFFLINE` it asks again at each refresh."""
    settings = {"OIDC_CLIENT_ID": "web", "OIDC_CLIENT_SECRET": "secret"}
    with standalone(**settings, OIDC_OFFLINE=request.param) as mine:
        users = mine.folder / "users.json"
        users.write_text(json.dumps(USERS))
        mine.issuer = f"http://localhost:{mine.provider_port}/"
        mine.start(
            "zitadel",
            zitadel_server(),
            settings={
                "PORT": str(mine.provider_port),
                "USERS_FILE": str(users),
                "REDIRECT_URI": mine.callback,
            },
        ).until(lambda: listening(mine.provider_port))
        mine.start_gateway()
        yield mine


def test_person_signs_in_and_the_client_refreshes(site: Standalone) -> None:
    app = App(site)
    first = app.tokens({"username": "ana", "password": "pw"})
    assert first.status_code == 200, first.text
    second = app.refresh(first.json()["refresh_token"])
    assert second.status_code == 200, second.text
    third = app.refresh(second.json()["refresh_token"])
    assert third.status_code == 200, third.text
    assert app.lists_tools(third.json()["access_token"])
    output = site.programs["gateway"].output()
    kept = "kept" if site.settings["OIDC_OFFLINE"] == "true" else "none"
    assert f'"provider_token": "{kept}"' in output


def test_address_that_the_provider_does_not_confirm_is_refused(site: Standalone) -> None:
    page = App(site).page({"username": "unverified", "password": "pw"})
    assert "does not confirm that this e-mail address is yours" in page
