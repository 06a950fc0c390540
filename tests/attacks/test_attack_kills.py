"""A gateway that is killed (SIGKILL) while it signs in, redeems, refreshes or revokes.

Its client gets no answer and tries again, at the other replica, as browsers and clients do. It ends
signed in or is told to sign in again, and can. Each write is met at three moments: before it is
sent, after the API server committed it, and after the gateway answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Literal

import httpx
import pytest

from harness.cluster import Cluster
from harness.deployment import Deployment, Plan
from harness.faults import Predicate, Trap
from harness.grantrequests import (
    changes_a_grant,
    creates_a_binding,
    creates_a_grant,
    opens_everywhere,
    proxies,
    stored,
    works_everywhere,
)
from harness.plane import Plane
from harness.processes import eventually
from harness.signin import Registered, Visitor, code_of, is_page, new_person, query_of

VICTIM, SURVIVOR = 0, 1
Moment = Literal["unsent", "committed", "answered"]
MOMENTS: tuple[Moment, ...] = ("unsent", "committed", "answered")
ARRIVES = 20.0
"""Seconds within which a request comes to the proxy."""
DEAD_WITHIN = 10.0
"""Seconds; twice what is promised while the watches are healthy."""


@pytest.fixture(scope="module")
def site(plane: Plane) -> Iterator[Deployment]:
    """A deployment behind proxies, whose first gateway every test kills."""
    plan = Plan(proxied=True)
    with closing(Cluster(plane)) as cluster, Deployment(cluster, plan).running() as running:
        yield running


@pytest.fixture
def visitor(site: Deployment) -> Iterator[Visitor]:
    with Visitor(site) as one:
        yield one
    site.ingress.pin(None)
    site.until_ready(VICTIM)


def killed(
    visitor: Visitor, request: Callable[[], httpx.Response], write: Predicate, moment: Moment
) -> None:
    """Kill the gateway at this moment of a request, whose answer is lost; start another."""
    site = visitor.deployment
    site.refresh_mounts()
    site.ingress.pin(VICTIM)
    cookies = httpx.Cookies(visitor.http.cookies)
    if moment == "answered":
        answer = request()
        assert answer.status_code < httpx.codes.BAD_REQUEST, answer.text
        site.gateways[VICTIM].kill()
    else:
        trap = Trap("before" if moment == "unsent" else "after")
        rule = proxies(site)[VICTIM].rule(write, trap)
        with ThreadPoolExecutor(1) as thread:
            answering = thread.submit(request)
            try:
                assert trap.reached.wait(ARRIVES), proxies(site)[VICTIM].transcript()
                site.gateways[VICTIM].kill()
            finally:
                rule.remove()
            assert answering.result().status_code >= httpx.codes.INTERNAL_SERVER_ERROR
        committed = [seen.upstream_status for seen in rule.hits]
        assert (committed == [None]) == (moment == "unsent")
    visitor.http.cookies = cookies
    site.ingress.pin(SURVIVOR)
    site.gateways[VICTIM].restart()


def states(site: Deployment, email: str) -> list[str]:
    return sorted(grant["state"] for grant in stored(site, email))


def signs_in_again(visitor: Visitor, client: Registered, email: str) -> None:
    """Assert that the person can sign in and has one live grant for it, at each replica."""
    before = states(visitor.deployment, email)
    tokens = visitor.tokens(client, email)
    assert states(visitor.deployment, email) == sorted([*before, "active"])
    visitor.deployment.until_ready(VICTIM)
    works_everywhere(visitor, client, tokens)


def no_use(answer: httpx.Response) -> bool:
    """Report whether a client is told that it must sign in again."""
    return (
        answer.status_code == httpx.codes.BAD_REQUEST and answer.json()["error"] == "invalid_grant"
    )


@pytest.mark.attack("R-06")
@pytest.mark.parametrize(
    ("write", "moment"),
    [
        (creates_a_binding, "unsent"),
        (creates_a_binding, "committed"),
        (creates_a_grant, "unsent"),
        (creates_a_grant, "committed"),
        (creates_a_grant, "answered"),
    ],
)
def test_sign_in_that_a_kill_interrupts_is_done_or_begun_again(
    visitor: Visitor, write: Predicate, moment: Moment
) -> None:
    site = visitor.deployment
    email, client = new_person(site), visitor.register()
    back = visitor.sign_in_upstream(visitor.approve(client), email)
    killed(visitor, lambda: visitor.callback(back), write, moment)
    written = write is creates_a_grant and moment != "unsent"
    assert states(site, email) == ["pending"] * written

    reloaded = visitor.callback(back)
    assert len(states(site, email)) <= 1
    if reloaded.status_code == httpx.codes.FOUND and "code" in query_of(
        reloaded.headers["location"]
    ):
        redeemed = visitor.exchange(client, code_of(reloaded))
        assert redeemed.status_code == httpx.codes.OK
        assert states(site, email) == ["active"]
        site.until_ready(VICTIM)
        works_everywhere(visitor, client, redeemed.json())
    else:
        told = reloaded.headers.get("location", "")
        assert is_page(reloaded) or query_of(told)["error"] == "server_error", reloaded.text
        signs_in_again(visitor, client, email)


@pytest.mark.attack("R-06")
@pytest.mark.parametrize("moment", MOMENTS)
def test_code_that_a_kill_interrupts_is_redeemed_once_at_most(
    visitor: Visitor, moment: Moment
) -> None:
    site = visitor.deployment
    email, client = new_person(site), visitor.register()
    code = visitor.code(client, email)
    killed(visitor, lambda: visitor.exchange(client, code), changes_a_grant, moment)
    assert states(site, email) == ["pending" if moment == "unsent" else "active"]

    again = visitor.exchange(client, code)
    if moment == "unsent":
        assert again.status_code == httpx.codes.OK, again.text
        assert states(site, email) == ["active"]
        site.until_ready(VICTIM)
        works_everywhere(visitor, client, again.json())
    else:
        # Nobody can know whether the client or a thief got the tokens of the first redemption.
        assert no_use(again)
        assert states(site, email) == ["gone"]
        signs_in_again(visitor, client, email)
    assert no_use(visitor.exchange(client, code))


@pytest.mark.attack("R-06", "J-06")
@pytest.mark.parametrize("moment", MOMENTS)
def test_refresh_that_a_kill_interrupts_gives_its_successor_to_the_next_try(
    visitor: Visitor, moment: Moment
) -> None:
    site = visitor.deployment
    email, client = new_person(site), visitor.register()
    token = visitor.tokens(client, email)["refresh_token"]
    killed(visitor, lambda: visitor.refresh(client, token), changes_a_grant, moment)
    written = "1" if moment == "unsent" else "2"
    assert stored(site, email) == [{"state": "active", "generation": written}]

    again = visitor.refresh(client, token)
    assert again.status_code == httpx.codes.OK, again.text
    assert stored(site, email) == [{"state": "active", "generation": "2"}]
    assert again.json()["refresh_token"] == visitor.refresh(client, token).json()["refresh_token"]
    site.until_ready(VICTIM)
    works_everywhere(visitor, client, again.json())


@pytest.mark.attack("R-06")
@pytest.mark.parametrize("moment", MOMENTS)
def test_revocation_that_a_kill_interrupts_is_done_by_the_next_try(
    visitor: Visitor, moment: Moment
) -> None:
    site = visitor.deployment
    email, client = new_person(site), visitor.register()
    tokens = visitor.tokens(client, email)
    opens_everywhere(visitor, tokens["access_token"])

    def revoke() -> httpx.Response:
        form = {"token": tokens["refresh_token"], "client_id": client.id}
        return visitor.http.post("/revoke", data=form)

    killed(visitor, revoke, changes_a_grant, moment)
    assert states(site, email) == ["active" if moment == "unsent" else "gone"]

    assert revoke().status_code == httpx.codes.OK
    assert states(site, email) == ["gone"]
    site.until_ready(VICTIM)
    for number in (VICTIM, SURVIVOR):
        site.ingress.pin(number)
        eventually(
            lambda: visitor.call(tokens["access_token"]).status_code == httpx.codes.UNAUTHORIZED,
            seconds=DEAD_WITHIN,
            what=f"the access token is dead at {number}",
        )
        assert no_use(visitor.refresh(client, tokens["refresh_token"]))
    signs_in_again(visitor, client, email)
