"""Attacks through ProductiveUsers, as they look to the person whose address is wanted."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from harness.deployment import Deployment
from harness.evidence import audited
from harness.kube import ApiRefused, Object
from harness.mcpkit import result_of
from harness.pages import is_page
from harness.processes import eventually
from harness.signin import Visitor, code_of, new_person

REPLICAS = (0, 1)
ANA_KOVAC, ANA_HORVAT = "9104", "9105"


@dataclass
class Contest:
    """Two ProductiveUsers who want one address: the first one's person is connected."""

    deployment: Deployment
    visitor: Visitor
    first: str = field(default_factory=lambda: f"first-{secrets.token_hex(6)}")
    second: str = field(default_factory=lambda: f"second-{secrets.token_hex(6)}")
    held: dict[str, Any] = field(default_factory=dict)

    @property
    def email(self) -> str:
        return f"{self.first}@northlight.example"

    def begin(self) -> None:
        made = self._add(self.first, ANA_KOVAC)
        self.held = self.visitor.tokens(self.visitor.register(), self.email)
        # Creation times have whole seconds; within one, the uid decides.
        second = datetime.fromisoformat(made["metadata"]["creationTimestamp"])
        eventually(
            lambda: datetime.now(UTC) >= second + timedelta(seconds=1), what="the next second"
        )

    def compete(self) -> None:
        self._add(self.second, ANA_HORVAT)

    def sign_in(self) -> dict[str, Any]:
        """Sign in anew with the address; return the tokens."""
        return self.visitor.tokens(self.visitor.register(), self.email)

    def who(self, tokens: dict[str, Any]) -> str:
        """Return the id of the person in Productive as whom tokens act, at every replica."""
        seen = set()
        for number in REPLICAS:
            self.deployment.ingress.pin(number)
            result = result_of(self._get_me(tokens))["result"]
            assert not result.get("isError"), result
            seen.add(result["structuredContent"]["person"]["id"])
        self.deployment.ingress.pin(None)
        [person] = seen
        return str(person)

    def told(self) -> str:
        """Return the code with which the first one's tokens are refused, at every replica."""
        seen = set()
        for number in REPLICAS:
            self.deployment.ingress.pin(number)
            answer = self._get_me(self.held)
            if answer.status_code == httpx.codes.OK:
                seen.add(result_of(answer)["result"]["structuredContent"]["error"]["code"])
            else:
                seen.add(answer.json()["error"])
        self.deployment.ingress.pin(None)
        [code] = seen
        return str(code)

    def entry(self) -> Object | None:
        """Return what is published under the address."""
        found: Object | None = self.deployment.people.published()["users"].get(self.email)
        return found

    def used(self, name: str) -> bool:
        """Tell whether Productive was ever asked with the token of one of the two."""
        answer = httpx.get(f"{self.deployment.simulator_url}/__simulator/log", trust_env=False)
        return any(entry["token"] == name for entry in answer.json())

    def events(self, reason: str) -> list[str]:
        """Return about whom of the two there are Events of that reason."""
        names = self.deployment.cluster.names
        found = self.deployment.cluster.kube.items(f"/api/v1/namespaces/{names.users}/events")
        about = [e["involvedObject"]["name"] for e in found if e["reason"] == reason]
        return [name for name in about if name in {self.first, self.second}]

    def _add(self, name: str, person: str) -> Object:
        value = f"simulator-{name}"
        httpx.post(
            f"{self.deployment.simulator_url}/__simulator/tokens",
            json={"value": value, "label": name, "people": {"1200": person}},
            trust_env=False,
        ).raise_for_status()
        people = self.deployment.people
        return people.add(name, email=self.email, user_id=int(person), token=value)

    def _get_me(self, tokens: dict[str, Any]) -> httpx.Response:
        access = tokens["access_token"]
        return self.visitor.call(access, "tools/call", name="get_me", arguments={})


@pytest.fixture
def contest(deployment: Deployment) -> Iterator[Contest]:
    with Visitor(deployment) as visitor:
        mine = Contest(deployment, visitor)
        mine.begin()
        yield mine
    deployment.ingress.pin(None)


@pytest.mark.attack("M-07")
def test_later_claimant_of_an_address_gets_nothing(contest: Contest) -> None:
    people, before = contest.deployment.people, contest.entry()
    revision = people.published_revision()
    contest.compete()
    told = people.ready(contest.second)
    assert (told["status"], told["reason"]) == ("False", "EmailConflict")
    assert people.ready(contest.first)["reason"] == "Synced"
    assert contest.entry() == before
    assert people.published_revision() == revision
    assert contest.second not in str(people.published())
    eventually(lambda: bool(contest.events("EmailConflict")), what="the event")
    assert contest.events("EmailConflict") == [contest.second]

    # Neither a takeover nor a knock-out: old and new sign-ins are the older person's.
    assert contest.who(contest.held) == ANA_KOVAC
    assert contest.who(contest.sign_in()) == ANA_KOVAC
    assert not contest.used(contest.second)

    # Nor does anything the younger one does later change that.
    people.change(contest.second, suspend=True)
    people.change(contest.second, suspend=False, revokedBefore="2099-01-01T00:00:00Z")
    people.remove(contest.second)
    assert contest.who(contest.held) == ANA_KOVAC
    assert contest.who(contest.sign_in()) == ANA_KOVAC


def suspended(contest: Contest) -> str:
    contest.deployment.people.change(contest.first, suspend=True)
    return "suspended"


def broken(contest: Contest) -> str:
    contest.deployment.people.set_token(contest.first, "")
    people = contest.deployment.people
    eventually(lambda: people.ready(contest.first)["reason"] == "TokenEmpty", what="TokenEmpty")
    people.arrive()
    return "not_connected"


@pytest.mark.attack("M-07")
@pytest.mark.parametrize("state", [suspended, broken])
@pytest.mark.parametrize("order", ["before", "after"])
def test_address_stays_with_a_person_who_cannot_use_it_now(
    contest: Contest, state: Callable[[Contest], str], order: str
) -> None:
    """Whichever came first: that state, or the other who wants the address."""
    if order == "after":
        contest.compete()
    code = state(contest)
    if order == "before":
        contest.compete()
    people = contest.deployment.people
    assert people.ready(contest.second)["reason"] == "EmailConflict"
    assert contest.told() == code
    with audited(contest.deployment) as trail:
        answer = contest.visitor.sign_in(contest.visitor.register(), contest.email)
    if state is suspended:
        assert is_page(answer, 403)
        assert trail.reasons() == ["suspended"]
    else:
        # They sign in as themselves, and the tools tell them what is wrong.
        assert code_of(answer)
        names = contest.deployment.cluster.names
        assert [line["user"] for line in trail.of("signed_in")] == [
            f"{names.users}/{contest.first}"
        ]
    assert not contest.used(contest.second)


@pytest.mark.attack("M-07")
def test_new_holder_of_an_address_gets_none_of_the_old_sign_ins(
    contest: Contest,
) -> None:
    contest.compete()
    people = contest.deployment.people
    people.remove(contest.first)
    eventually(
        lambda: people.ready(contest.second)["reason"] == "Synced", what="the address is free"
    )
    people.arrive()
    assert contest.told() == "invalid_token"
    assert contest.who(contest.sign_in()) == ANA_HORVAT
    assert contest.told() == "invalid_token"


@pytest.mark.attack("M-07")
@pytest.mark.parametrize("spelling", [str.upper, str.title, " {}".format, "{}\u200b".format])
def test_another_spelling_of_an_address_is_refused(
    deployment: Deployment, spelling: Callable[[str], str]
) -> None:
    email, name = new_person(deployment), f"second-{secrets.token_hex(6)}"
    before = deployment.people.published()
    with pytest.raises(ApiRefused) as refusal:
        deployment.people.add(name, email=spelling(email), user_id=9105, token=None)
    assert refusal.value.status == httpx.codes.UNPROCESSABLE_ENTITY
    assert "spec.email" in refusal.value.body
    assert deployment.people.published() == before
