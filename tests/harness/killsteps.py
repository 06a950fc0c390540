"""The steps of a sign-in in which a gateway is killed, and what must be true afterwards.

The client got no answer, or lost it, and repeats its request. Each step ends with a client that is
signed in, or that was told in plain words to sign in again, and can.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Final

import httpx

from harness.deployment import Deployment
from harness.grantrequests import opens_everywhere, stored, works_everywhere
from harness.kills import Cell
from harness.pages import is_page
from harness.processes import eventually, pause
from harness.signin import Registered, Visitor, query_of
from productive_gateway.oauth.clients.client import client_label

DEAD_WITHIN: Final = 10.0
"""Seconds; twice what is promised while the watches are healthy."""
PATIENT: Final = 30.0
"""Seconds for which a client repeats what was answered 503."""
WAYS_ON: Final = ("start again from", "connect it again", "Start again from", "Connect again")
"""One of these is in each message that ends a sign-in."""


def audited(site: Deployment, event: str, **facts: str) -> list[dict[str, Any]]:
    """Return the audit lines of all gateways, also of killed ones, with these facts."""
    return [
        line
        for gateway in site.gateways
        for line in _audit_lines(gateway.output())
        if line["event"] == event and all(line.get(name) == facts[name] for name in facts)
    ]


def _audit_lines(output: str) -> Iterator[dict[str, Any]]:
    for text in output.splitlines():
        # A killed gateway may leave half a line.
        if text.startswith("{") and text.endswith("}"):
            line = json.loads(text)
            if line.get("audit"):
                yield line


def says_what_to_do(message: str) -> bool:
    return any(way in message for way in WAYS_ON)


def is_over(answer: httpx.Response) -> bool:
    """Report whether a client is told in words that it must sign in again."""
    if answer.status_code != httpx.codes.BAD_REQUEST:
        return False
    document = answer.json()
    over: bool = document["error"] == "invalid_grant"
    return over and says_what_to_do(document["error_description"])


class Step(ABC):
    """One request of a client, prepared for one person of its own."""

    secret = False
    """Whether the client is a confidential one."""

    def __init__(self, visitor: Visitor, email: str) -> None:
        """Prepare the request.

        Args:
            visitor: a new browser.
            email: of a person who has not signed in yet.
        """
        self.visitor = visitor
        self.site = visitor.deployment
        self.email = email
        method = "client_secret_post" if self.secret else "none"
        self.client: Registered = visitor.register(token_endpoint_auth_method=method)
        self.prepare()

    @abstractmethod
    def prepare(self) -> None:
        """Do everything that comes before the request."""

    @abstractmethod
    def request(self) -> httpx.Response:
        """Send the request in which the gateway is killed."""

    @abstractmethod
    def recover(self, cell: Cell, answer: httpx.Response | None) -> None:
        """Repeat the request, and assert that the client is signed in or can be again.

        Args:
            cell: where the gateway was killed.
            answer: what it answered before; None if nothing.
        """

    def repeat(self) -> httpx.Response:
        """Repeat the request until the answer is not "try again shortly"."""
        deadline = time.monotonic() + PATIENT
        while (answer := self.request()).status_code == httpx.codes.SERVICE_UNAVAILABLE:
            assert time.monotonic() < deadline, answer.text
            pause(0.5)
        return answer

    def states(self) -> list[str]:
        return sorted(grant["state"] for grant in stored(self.site, self.email))

    def count(self, event: str) -> int:
        """Return the number of audit lines about this client."""
        return len(audited(self.site, event, client=client_label(self.client.id)))

    def signs_in_again(self) -> None:
        """Assert that the person can sign in, and has one more live grant for it."""
        before = self.states()
        tokens = self.visitor.tokens(self.client, self.email)
        assert self.states() == sorted([*before, "active"])
        self.works(tokens)

    def works(self, tokens: dict[str, Any]) -> None:
        """Assert that the tokens work at each replica."""
        for number in range(self.site.plan.replicas):
            self.site.until_ready(number)
        works_everywhere(self.visitor, self.client, tokens)

    def is_dead(self, tokens: dict[str, Any]) -> None:
        """Assert that the tokens open nothing at any replica."""
        for number in range(self.site.plan.replicas):
            self.site.until_ready(number)
            self.site.ingress.pin(number)
            eventually(
                lambda: self._opens(tokens) == httpx.codes.UNAUTHORIZED,
                seconds=DEAD_WITHIN,
                what=f"the access token is dead at {number}",
            )
            assert is_over(self.visitor.refresh(self.client, tokens["refresh_token"]))
        self.site.ingress.pin(None)

    def _opens(self, tokens: dict[str, Any]) -> int:
        return self.visitor.call(tokens["access_token"]).status_code


class SignIn(Step):
    """The first sign-in of a person, when the provider sends the browser back."""

    def prepare(self) -> None:
        self.back = self.visitor.sign_in_upstream(self.visitor.approve(self.client), self.email)
        self.cookies = httpx.Cookies(self.visitor.http.cookies)
        self.before = self.states()

    def request(self) -> httpx.Response:
        # The browser that got no answer still has its cookies.
        self.visitor.http.cookies = httpx.Cookies(self.cookies)
        return self.visitor.callback(self.back)

    def recover(self, cell: Cell, answer: httpx.Response | None) -> None:
        created = [call for call in cell.written if call.kind == "grant"]
        assert self.states() == sorted([*self.before, *(["pending"] * len(created))])
        signed_in = self.count("signed_in")
        reloaded = self.repeat()
        code = _code(reloaded if answer is None else answer)
        assert len(self.states()) <= len(self.before) + 1
        if code is None:
            told = query_of(reloaded.headers["location"]) if reloaded.has_redirect_location else {}
            assert is_page(reloaded) or told["error"] == "server_error", reloaded.text
            assert says_what_to_do(told.get("error_description", reloaded.text))
            assert (self.count("signed_in"), self.count("sign_in_refused")) == (signed_in, 1)
            self.signs_in_again()
        else:
            redeemed = self.visitor.exchange(self.client, code)
            assert redeemed.status_code == httpx.codes.OK, redeemed.text
            assert self.states() == sorted([*self.before, "active"])
            self.works(redeemed.json())


class LaterSignIn(SignIn):
    """A sign-in of somebody who has signed in before."""

    def prepare(self) -> None:
        self.visitor.tokens(self.client, self.email)
        super().prepare()


class Redemption(Step):
    """A code that is exchanged for tokens."""

    def prepare(self) -> None:
        self.code = self.visitor.code(self.client, self.email)

    def request(self) -> httpx.Response:
        return self.visitor.exchange(self.client, self.code)

    def recover(self, cell: Cell, answer: httpx.Response | None) -> None:
        assert self.states() == ["active" if cell.written else "pending"]
        if answer is not None:
            assert self._opens(answer.json()) == httpx.codes.OK
        again = self.repeat()
        if not cell.written:
            assert again.status_code == httpx.codes.OK, again.text
            assert self.states() == ["active"]
            self.works(again.json())
        else:
            # Nobody can know whether the client or a thief got the tokens of the first redemption.
            assert is_over(again)
            assert self.states() == ["gone"]
            assert self.count("code_replay") == 1
            if answer is not None:
                self.is_dead(answer.json())
        answered = (answer is not None) + (not cell.written)
        assert self.count("token_issued") == answered <= 1
        assert is_over(self.request())
        self.signs_in_again()


class ConfidentialRedemption(Redemption):
    """The same by a client that has a secret."""

    secret = True


class Refresh(Step):
    """A refresh token that is exchanged for its successor."""

    earlier = 0
    """Refreshes before the one that is met."""

    def prepare(self) -> None:
        self.token = self.visitor.tokens(self.client, self.email)["refresh_token"]

    def request(self) -> httpx.Response:
        return self.visitor.refresh(self.client, self.token)

    def recover(self, cell: Cell, answer: httpx.Response | None) -> None:
        (before,) = stored(self.site, self.email)
        assert before["state"] == "active"
        again = self.repeat()
        assert again.status_code == httpx.codes.OK, again.text
        (after,) = stored(self.site, self.email)
        assert after["state"] == "active"
        steps = int(after["generation"]) - int(before["generation"])
        assert steps == (0 if cell.written else 1)
        assert self.count("token_refreshed") == 1 + (answer is not None) + self.earlier
        successors = [one.json()["refresh_token"] for one in (answer, again) if one is not None]
        assert set(successors) == {self.request().json()["refresh_token"]}
        self.works(again.json())


class LaterRefresh(Refresh):
    """The same in a later generation, by a client that has a secret."""

    secret = True
    earlier = 1

    def prepare(self) -> None:
        super().prepare()
        self.token = self.request().json()["refresh_token"]


class AskedRefresh(Refresh):
    """The same where the provider is asked first, and takes each of its own tokens once."""

    def recover(self, cell: Cell, answer: httpx.Response | None) -> None:
        again = self.repeat()
        if again.status_code == httpx.codes.OK:
            assert stored(self.site, self.email) == [{"state": "active", "generation": "2"}]
            assert self.count("token_refreshed") == 1 + (answer is not None)
            assert again.json()["refresh_token"] == self.request().json()["refresh_token"]
            self.works(again.json())
        else:
            # The gateway died with the new token of the provider.
            assert (str(cell), answer) == ("update grant 1, unsent", None)
            assert is_over(again)
            assert self.states() == ["gone"]
            self.signs_in_again()


class Revocation(Step):
    """A refresh token that its client gives back."""

    kind = "refresh_token"

    def prepare(self) -> None:
        self.tokens = self.visitor.tokens(self.client, self.email)
        opens_everywhere(self.visitor, self.tokens["access_token"])

    def request(self) -> httpx.Response:
        form = {"token": self.tokens[self.kind], "client_id": self.client.id}
        return self.visitor.http.post("/revoke", data=form)

    def recover(self, cell: Cell, answer: httpx.Response | None) -> None:
        assert self.states() == ["gone" if cell.written else "active"]
        assert {one.status_code for one in (answer, self.repeat()) if one} == {httpx.codes.OK}
        assert self.states() == ["gone"]
        # The line is written after the grant is; a gateway that is killed in between writes none.
        assert self.count("grant_ended") == (cell.moment != "committed" or not cell.written)
        self.is_dead(self.tokens)
        self.signs_in_again()


class RevocationByAccessToken(Revocation):
    """The same with an access token."""

    kind = "access_token"


def _code(answer: httpx.Response) -> str | None:
    """Return the code that a browser brings to its client; None if there is none."""
    if not answer.has_redirect_location:
        return None
    return query_of(answer.headers["location"]).get("code")
