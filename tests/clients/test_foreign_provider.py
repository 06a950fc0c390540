"""A provider that we did not write, npm's oidc-provider: two faults of ours cannot match here."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from harness.forms import follow
from harness.signin import challenge_of, query_of
from harness.standalone import ANA, Standalone, standalone

LOOPBACK = "http://127.0.0.1:49152/callback"
VERIFIER = "v" * 64


@pytest.fixture(scope="module")
def site() -> Iterator[Standalone]:
    with standalone() as mine:
        mine.start_foreign_provider()
        mine.start_gateway()
        yield mine


class App:
    """A client of the gateway, over plain HTTP."""

    def __init__(self, site: Standalone) -> None:
        self._site = site
        self._http = httpx.Client(base_url=site.url, timeout=15, trust_env=False)
        document = {"redirect_uris": [LOOPBACK], "token_endpoint_auth_method": "none"}
        self.id = self._http.post("/register", json=document).json()["client_id"]

    def answer(self, email: str) -> dict[str, str]:
        """Let a person sign in, and return what the provider's answer became."""
        request = httpx.URL(
            f"{self._site.url}/authorize",
            params={
                "response_type": "code",
                "client_id": self.id,
                "redirect_uri": LOOPBACK,
                "code_challenge": challenge_of(VERIFIER),
                "code_challenge_method": "S256",
            },
        )
        return query_of(follow(str(request), {"email": email}, until=LOOPBACK))

    def tokens(self, email: str) -> httpx.Response:
        form = {"grant_type": "authorization_code", "code": self.answer(email)["code"]}
        return self._token(form | {"code_verifier": VERIFIER, "redirect_uri": LOOPBACK})

    def refresh(self, token: str) -> httpx.Response:
        return self._token({"grant_type": "refresh_token", "refresh_token": token})

    def _token(self, form: dict[str, str]) -> httpx.Response:
        return self._http.post("/token", data=form | {"client_id": self.id})

    def lists_tools(self, token: str) -> bool:
        answer = self._http.post(
            "/mcp",
            json={"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}},
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/json, text/event-stream",
            },
        )
        return answer.status_code == 200 and "log_time" in answer.text


def test_person_signs_in_and_the_client_refreshes(site: Standalone) -> None:
    app = App(site)
    first = app.tokens(ANA)
    assert first.status_code == 200, first.text
    second = app.refresh(first.json()["refresh_token"])
    assert second.status_code == 200, second.text
    assert app.lists_tools(second.json()["access_token"])


def test_refusal_at_the_provider_reaches_the_client_as_access_denied(site: Standalone) -> None:
    assert App(site).answer("deny")["error"] == "access_denied"


def test_sign_ins_go_on_after_the_provider_rotated_its_keys(site: Standalone) -> None:
    app = App(site)
    assert app.tokens(ANA).status_code == 200
    site.control("POST", "rotate-keys")
    assert app.tokens(ANA).status_code == 200


def test_disabled_account_does_not_get_in(site: Standalone) -> None:
    site.control("PUT", "account", {"email": ANA, "disabled": True})
    try:
        assert App(site).answer(ANA)["error"] == "access_denied"
    finally:
        site.control("PUT", "account", {"email": ANA, "disabled": False})
