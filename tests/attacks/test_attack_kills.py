"""A gateway that is killed (SIGKILL) at each request that it makes to the API server.

The requests are those of a first run, so a new one is covered by itself. After each kill the client
repeats its request: at the other replica, or (in `make full`) at the same one, started again, while
no other runs. It ends signed in, or is told to sign in again in words that it can act on; no code
is redeemed twice, no grant is there twice, and nothing outlives its time.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from harness.cluster import Cluster
from harness.deployment import Deployment, Plan
from harness.grantrequests import proxies
from harness.kills import OTHER, VICTIM, Call, Cell, cells, kill, recorded, until_watching
from harness.killsteps import (
    AskedRefresh,
    ConfidentialRedemption,
    LaterRefresh,
    LaterSignIn,
    Redemption,
    Refresh,
    Revocation,
    RevocationByAccessToken,
    SignIn,
    Step,
    audited,
)
from harness.kube import secret_data, secrets_path
from harness.plane import Plane
from harness.signin import Visitor, new_person
from harness.sweeps import Leftovers, Sweeps
from productive_contract.names import GRANT_TYPE, LABEL_ABSENT_SINCE
from productive_gateway.grants.config import KEPT

REPRESENTATIVE = (SignIn, Redemption, Refresh, Revocation)
ALL = (
    *REPRESENTATIVE,
    LaterSignIn,
    ConfidentialRedemption,
    LaterRefresh,
    RevocationByAccessToken,
)


@pytest.fixture(scope="module")
def site(plane: Plane) -> Iterator[Deployment]:
    """A deployment behind proxies, whose first gateway every test kills."""
    plan = Plan(proxied=True, forked=True)
    with closing(Cluster(plane)) as cluster, Deployment(cluster, plan).running() as running:
        yield running


def meet(site: Deployment, kind: type[Step], email: str, cell: Cell, *, alone: bool) -> None:
    """Kill the first gateway in a step of a person, and let its client recover.

    Args:
        site: where.
        kind: the step.
        email: of somebody who was not there before.
        cell: at which request, and when.
        alone: whether the other gateway is killed as well, and the first one answers, started
            again.
    """
    with Visitor(site) as visitor:
        step = kind(visitor, email)
        since = [len(proxy.requests) for proxy in proxies(site)]
        answer = kill(site, cell, step.request)
        if alone:
            site.gateways[OTHER].restart()
            site.ingress.pin(VICTIM)
            site.until_ready(VICTIM)
        step.recover(cell, answer)
    site.ingress.pin(None)
    for number in (VICTIM, OTHER) if alone else (VICTIM,):
        until_watching(site, number, since=since[number])


def calls_of(site: Deployment, kind: type[Step]) -> list[Call]:
    """Return the requests that a step makes when nothing goes wrong."""
    with Visitor(site) as visitor:
        return recorded(site, kind(visitor, new_person(site)).request)


def all_kills(
    site: Deployment, kind: type[Step], subtests: pytest.Subtests, *, complete: bool, alone: bool
) -> None:
    where = list(cells(calls_of(site, kind), complete=complete))
    with ThreadPoolExecutor(len(where)) as threads:  # the operator takes up all at once
        emails = list(threads.map(lambda _: new_person(site), where))
    for email, cell in zip(emails, where, strict=True):
        with subtests.test(str(cell)):
            meet(site, kind, email, cell, alone=alone)
    # What nobody came back for is gone when its time is over, and nothing else.
    Sweeps(site).later(KEPT + 60)
    assert set(states(site)) <= {"active"}


def states(site: Deployment) -> list[str]:
    found = site.cluster.kube.items(
        secrets_path(site.cluster.names.grants), fieldSelector=f"type={GRANT_TYPE}"
    )
    return [secret_data(item)["state"].decode() for item in found]


@pytest.mark.attack("R-06", "J-06")
@pytest.mark.parametrize("kind", REPRESENTATIVE)
def test_client_recovers_at_the_other_replica_wherever_its_gateway_is_killed(
    site: Deployment, kind: type[Step], subtests: pytest.Subtests
) -> None:
    all_kills(site, kind, subtests, complete=False, alone=False)


@pytest.mark.complete
@pytest.mark.attack("R-06", "J-06")
@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("kind", ALL)
@pytest.mark.timeout(600)
def test_client_recovers_wherever_gateways_are_killed(
    site: Deployment, kind: type[Step], alone: bool, subtests: pytest.Subtests
) -> None:
    all_kills(site, kind, subtests, complete=True, alone=alone)


@pytest.mark.complete
@pytest.mark.attack("R-06", "J-13")
@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.timeout(600)
def test_client_recovers_wherever_gateways_are_killed_that_ask_the_provider(
    plane: Plane, alone: bool, subtests: pytest.Subtests
) -> None:
    plan = Plan(proxied=True, forked=True, gateway={"OIDC_OFFLINE": "true"})
    with closing(Cluster(plane)) as cluster, Deployment(cluster, plan).running() as asking:
        all_kills(asking, AskedRefresh, subtests, complete=True, alone=alone)


@pytest.mark.attack("R-06", "R-04")
def test_sweep_that_a_kill_interrupts_is_finished_by_the_other_replica(
    site: Deployment, subtests: pytest.Subtests
) -> None:
    all_sweeps(site, subtests, complete=False)


@pytest.mark.complete
@pytest.mark.attack("R-06", "R-04")
@pytest.mark.timeout(600)
def test_sweep_is_finished_wherever_its_gateway_is_killed(
    site: Deployment, subtests: pytest.Subtests
) -> None:
    all_sweeps(site, subtests, complete=True)


def all_sweeps(site: Deployment, subtests: pytest.Subtests, *, complete: bool) -> None:
    sweeps, email = Sweeps(site), new_person(site)
    left = sweeps.leave(email)
    calls = recorded(site, lambda: sweeps.ask(VICTIM))
    is_swept(site, left)
    for cell in cells(calls, complete=complete):
        with subtests.test(str(cell)):
            left = sweeps.leave(email)
            since = len(proxies(site)[VICTIM].requests)
            kill(site, cell, lambda: sweeps.ask(VICTIM))
            sweeps.ask(OTHER)
            is_swept(site, left)
            until_watching(site, VICTIM, since=since)


def is_swept(site: Deployment, left: Leftovers) -> None:
    """Assert that a sweep did all that it had to and no more; remove what it left."""
    kube, names = site.cluster.kube, site.cluster.names
    found = {name: kube.find(secrets_path(names.grants, name)) for name in left.names}
    there = {name: item for name, item in found.items() if item is not None}
    # An orphan that was ended by the gateway that died is removed by the next.
    ended = {left.over_cap, left.orphan} & {left.over_cap, *there}
    assert there.keys() == {*ended, left.bindings[0], *left.kept}
    assert LABEL_ABSENT_SINCE in there[left.bindings[0]]["metadata"]["labels"]
    grants = {name: secret_data(there[name])["state"] for name in (*ended, *left.kept)}
    assert grants == dict.fromkeys(ended, b"gone") | dict.fromkeys(left.kept, b"active")
    for name in (left.over_cap, left.orphan):
        # Not written by a gateway that was killed after the one and before the other.
        assert len(audited(site, "grant_ended", grant=name)) <= 1
    for name in there:
        kube.delete(secrets_path(names.grants, name))
