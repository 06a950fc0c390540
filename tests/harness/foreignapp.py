"""A client of a standalone gateway, over plain HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import httpx

from harness.forms import ends, follow
from harness.signin import challenge_of, query_of
from harness.standalone import Standalone

LOOPBACK: Final = "http://127.0.0.1:49152/callback"
VERIFIER: Final = "v" * 64


class App:
    """A client of the gateway, over plain HTTP."""

    def __init__(self, site: Standalone) -> None:
        self._site = site
        self._http = httpx.Client(base_url=site.url, timeout=15, trust_env=False)
        document = {"redirect_uris": [LOOPBACK], "token_endpoint_auth_method": "none"}
        self.id = self._http.post("/register", json=document).json()["client_id"]

    def answer(self, answers: Mapping[str, str]) -> dict[str, str]:
        """Let a person sign in with these answers, and return what comes back to the app."""
        return query_of(follow(self._address(), answers, until=LOOPBACK))

    def page(self, answers: Mapping[str, str]) -> str:
        """Let a person sign in, and return the page of the gateway on which they end."""
        return ends(self._address(), answers)

    def tokens(self, answers: Mapping[str, str]) -> httpx.Response:
        """Sign in and redeem the code."""
        form = {"grant_type": "authorization_code", "code": self.answer(answers)["code"]}
        return self._token(form | {"code_verifier": VERIFIER, "redirect_uri": LOOPBACK})

    def _address(self) -> str:
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
        return str(request)

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
