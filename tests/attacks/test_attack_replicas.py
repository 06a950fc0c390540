"""Attacks by trouble: parallel refreshes, and an API server that is away, slow or silent.

The gateways reach the API server through recording proxies, which go wrong as told.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from typing import Self

import httpx
import pytest

from harness.cluster import Cluster
from harness.deployment import Deployment, Plan
from harness.evidence import audited, nothing_stored
from harness.faults import (
    Answer,
    CutAfter,
    CutBefore,
    Delay,
    Fault,
    HalfOpen,
    Hold,
    Predicate,
    Rule,
    Seen,
)
from harness.grantrequests import (
    changes_a_grant,
    creates_a_binding,
    creates_a_grant,
    of_one_object,
    opens_everywhere,
    proxies,
    reads_a_grant,
    stored,
    works_everywhere,
)
from harness.kube import Object, secret, secret_data, secrets_path
from harness.plane import Plane
from harness.processes import eventually
from harness.signin import Visitor, code_of, error_of, new_person
from productive_contract.names import KEY_RING_KEY
from productive_gateway.cli import main
from productive_gateway.sealing.keys import encode_ring, parse_ring
from productive_gateway.sealing.rotation import KEPT_SECONDS, SETTLED_AFTER

LOADED = re.compile(
    r'^productive_mcp_key_loaded\{current="(\w+)",kid="(\w+)"\} 1\.0$', re.MULTILINE
)
PARALLEL = 30
LOST_RACES = 5
"""Conflicts at each gateway that are made up, beside those of the API server."""
COMEBACK = 10.0
"""Seconds in which a gateway finds that the API server is back."""


@pytest.fixture(scope="module")
def site(plane: Plane) -> Iterator[Deployment]:
    """A deployment behind proxies, for this module; each test ends the faults it began."""
    plan = Plan(proxied=True)
    with closing(Cluster(plane)) as cluster, Deployment(cluster, plan).running() as running:
        yield running


@pytest.fixture
def visitor(site: Deployment) -> Iterator[Visitor]:
    with Visitor(site) as one:
        yield one
    site.ingress.pin(None)


class Trouble:
    """Faults in front of every gateway, for the time of a block."""

    def __init__(self, site: Deployment) -> None:
        self._proxies = proxies(site)
        self._rules: list[Rule] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for rule in self._rules:
            rule.remove()

    def add(self, predicate: Predicate, fault: Fault, *, times: int | None = 1) -> None:
        self._rules += [proxy.rule(predicate, fault, times=times) for proxy in self._proxies]

    def hits(self) -> list[Seen]:
        return [seen for rule in self._rules for seen in rule.hits]


@contextmanager
def outage(site: Deployment, fault: Fault) -> Iterator[None]:
    """Let no request of a gateway through as it should be."""
    with ExitStack() as stack:
        for proxy in proxies(site):
            stack.enter_context(proxy.outage(fault))
        yield


def held(seen: Seen) -> bool:
    """Tell whether a grant was read, and its reader does not know yet."""
    return reads_a_grant(seen) and seen.upstream_status == httpx.codes.OK and seen.status is None


def stored_updates(site: Deployment) -> int:
    """Return how many updates of grants the API server accepted so far."""
    seen = [seen for proxy in proxies(site) for seen in proxy.seen(changes_a_grant)]
    return sum(one.upstream_status == httpx.codes.OK for one in seen)


# --- many at once


@pytest.mark.attack("F-02")
async def test_one_of_twenty_parallel_redemptions_gets_tokens_and_the_grant_ends(
    site: Deployment, visitor: Visitor
) -> None:
    """All have read the grant before the first of them writes."""
    email, client = new_person(site), visitor.register()
    code = visitor.code(client, email)
    form = {
        "grant_type": "authorization_code",
        "client_id": client.id,
        "code": code,
        "redirect_uri": client.redirect_uri,
        "code_verifier": visitor.verifier,
    }
    read = Hold("after")
    with audited(site) as trail, Trouble(site) as trouble:
        trouble.add(reads_a_grant, read, times=10)
        async with httpx.AsyncClient(base_url=site.url, timeout=30, trust_env=False) as http:
            asked = [asyncio.create_task(http.post("/token", data=form)) for _ in range(20)]
            for proxy in proxies(site):
                await proxy.wait(held, count=10)
            read.release()
            answers = await asyncio.gather(*asked)
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [httpx.codes.OK] + [httpx.codes.BAD_REQUEST] * 19
    [tokens] = [answer.json() for answer in answers if answer.is_success]
    assert {answer.json()["error"] for answer in answers if answer.is_error} == {"invalid_grant"}
    assert stored(site, email) == [{"state": "gone", "generation": "1"}]
    assert trail.events().count("code_replay") == 1
    assert visitor.refresh(client, tokens["refresh_token"]).json()["error"] == "invalid_grant"


@pytest.mark.attack("J-03")
async def test_thirty_parallel_refreshes_over_two_replicas_get_one_successor(
    site: Deployment, visitor: Visitor
) -> None:
    """All have read the grant before the first of them writes, and writes lose made-up races."""
    email, client = new_person(site), visitor.register()
    lost = visitor.tokens(client, email)["refresh_token"]
    form = {"grant_type": "refresh_token", "client_id": client.id, "refresh_token": lost}
    since, read, updates = len(site.ingress.served), Hold("after"), stored_updates(site)
    with audited(site) as trail, Trouble(site) as trouble:
        trouble.add(reads_a_grant, read, times=PARALLEL // 2)
        trouble.add(changes_a_grant, Answer(409, "Conflict"), times=LOST_RACES)
        async with httpx.AsyncClient(base_url=site.url, timeout=30, trust_env=False) as http:
            asked = [asyncio.create_task(http.post("/token", data=form)) for _ in range(PARALLEL)]
            for proxy in proxies(site):
                await proxy.wait(held, count=PARALLEL // 2)
            read.release()
            answers = await asyncio.gather(*asked)
        made_up = [seen for seen in trouble.hits() if changes_a_grant(seen)]
    assert [answer.status_code for answer in answers] == [httpx.codes.OK] * PARALLEL
    assert len(made_up) == LOST_RACES * site.plan.replicas
    # All of them compute the same successor: only the writes show that one of them won.
    assert stored_updates(site) == updates + 1
    served = [one.replica for one in site.ingress.served[since:] if one.path == "/token"]
    assert (served.count(0), served.count(1)) == (PARALLEL // 2, PARALLEL // 2)
    [successor] = {answer.json()["refresh_token"] for answer in answers}
    assert stored(site, email) == [{"state": "active", "generation": "2"}]
    assert trail.events() == ["token_refreshed"] * PARALLEL
    works_everywhere(visitor, client, {**answers[-1].json(), "refresh_token": successor})


# --- an API server in trouble


@pytest.mark.attack("J-12")
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (CutBefore(), "grants_away"),
        (Delay(5), "grants_slow"),
        (Answer(429, "TooManyRequests", retry_after=3), "grants_away"),
        (Answer(500, "InternalError"), "grants_away"),
    ],
    ids=["down", "slow", "429", "500"],
)
def test_an_api_server_in_trouble_costs_nobody_their_tokens(
    site: Deployment, visitor: Visitor, fault: Fault, reason: str
) -> None:
    email, client = new_person(site), visitor.register()
    tokens = visitor.tokens(client, email)
    code = visitor.code(client, email)
    opens_everywhere(visitor, tokens["access_token"])
    with (
        ThreadPoolExecutor() as threads,
        audited(site) as trail,
        nothing_stored(site),
        outage(site, fault),
    ):
        asked = [
            threads.submit(ask)
            for ask in (
                lambda: visitor.refresh(client, tokens["refresh_token"]),
                lambda: visitor.exchange(client, code),
            )
        ]
        answers = [one.result() for one in asked]
        # Who is known already is served on.
        opens_everywhere(visitor, tokens["access_token"])
    assert all(unavailable(answer) for answer in answers), [one.text for one in answers]
    if isinstance(fault, Answer) and fault.retry_after:
        assert {one.headers["retry-after"] for one in answers} == {str(fault.retry_after)}
    assert trail.reasons("token_refused") == [reason] * 2
    assert trail.events() == ["token_refused"] * 2
    works_everywhere(visitor, client, visitor.exchange(client, code).json())
    works_everywhere(visitor, client, visitor.refresh(client, tokens["refresh_token"]).json())


@pytest.mark.attack("J-12")
def test_a_sign_in_during_an_outage_ends_at_the_client_who_may_try_again(
    site: Deployment, visitor: Visitor
) -> None:
    email, client = new_person(site), visitor.register()
    back = visitor.sign_in_upstream(visitor.approve(client), email)
    with audited(site) as trail, nothing_stored(site), outage(site, CutBefore()):
        answer = visitor.callback(back)
    assert error_of(site, answer) == "temporarily_unavailable"
    assert trail.reasons() == ["grants_away"]
    works_everywhere(visitor, client, visitor.tokens(client, email))


@pytest.mark.attack("J-12")
def test_a_token_that_a_replica_cannot_look_up_is_its_own_trouble(
    site: Deployment, visitor: Visitor
) -> None:
    """A client that is told 401 throws its tokens away."""
    email, client = new_person(site), visitor.register()
    proxy, path = proxies(site)[1], secrets_path(site.cluster.names.grants)
    silent = proxy.rule(lambda seen: seen.watch and seen.path == path, HalfOpen(), times=None)
    away = proxy.rule(reads_a_grant, CutBefore(), times=None)
    try:
        site.ingress.pin(0)
        token = visitor.tokens(client, email)["access_token"]
        site.ingress.pin(1)
        answer = visitor.call(token)
        assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert int(answer.headers["retry-after"]) > 0
        assert "www-authenticate" not in answer.headers
        away.remove()
        eventually(
            lambda: visitor.call(token).status_code == httpx.codes.OK,
            seconds=COMEBACK,
            what="the same token works",
        )
    finally:
        away.remove()
        silent.remove()


def unavailable(answer: httpx.Response) -> bool:
    """Tell whether the token endpoint takes the blame, so that a client keeps what it has."""
    return (
        answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
        and answer.json()["error"] == "temporarily_unavailable"
        and int(answer.headers["retry-after"]) > 0
    )


# --- answers that are lost after the API server did what it was asked


@pytest.mark.attack("R-13")
@pytest.mark.parametrize("creates", [creates_a_grant, creates_a_binding])
@pytest.mark.parametrize("more", [False, True], ids=["once", "and the next"])
def test_a_creation_whose_answer_is_cut_off_is_a_sign_in_like_any_other(
    site: Deployment, visitor: Visitor, creates: Predicate, more: bool
) -> None:
    email, client = new_person(site), visitor.register()
    back = visitor.sign_in_upstream(visitor.approve(client), email)
    with audited(site) as trail, Trouble(site) as trouble:
        trouble.add(creates, CutAfter())
        if more:
            trouble.add(lambda seen: bool(trouble.hits()) and of_one_object(seen), CutBefore())
        answer = visitor.callback(back)
        hits = trouble.hits()
    assert [seen.upstream_status for seen in hits] == [201, None][: 1 + more]
    code = code_of(answer)
    assert trail.events() == ["signed_in"]
    assert stored(site, email) == [{"state": "pending", "generation": "0"}]
    redeemed = visitor.exchange(client, code)
    assert redeemed.status_code == httpx.codes.OK
    works_everywhere(visitor, client, redeemed.json())


@pytest.mark.attack("R-13")
@pytest.mark.parametrize("more", [False, True], ids=["once", "and the next"])
def test_a_redemption_whose_answer_is_cut_off_is_no_replay(
    site: Deployment, visitor: Visitor, more: bool
) -> None:
    email, client = new_person(site), visitor.register()
    code = visitor.code(client, email)
    with audited(site) as trail, Trouble(site) as trouble:
        trouble.add(changes_a_grant, CutAfter())
        if more:
            trouble.add(lambda seen: bool(trouble.hits()) and of_one_object(seen), CutBefore())
        redeemed = visitor.exchange(client, code)
        hits = trouble.hits()
    assert [seen.upstream_status for seen in hits] == [200, None][: 1 + more]
    assert redeemed.status_code == httpx.codes.OK, redeemed.text
    assert trail.events() == ["token_issued"]
    assert stored(site, email) == [{"state": "active", "generation": "1"}]
    works_everywhere(visitor, client, redeemed.json())


@pytest.mark.attack("R-13")
def test_a_refresh_whose_answer_is_cut_off_moves_on_once(
    site: Deployment, visitor: Visitor
) -> None:
    email, client = new_person(site), visitor.register()
    first = visitor.tokens(client, email)["refresh_token"]
    with audited(site) as trail, Trouble(site) as trouble:
        trouble.add(changes_a_grant, CutAfter())
        refreshed = visitor.refresh(client, first)
        hits = trouble.hits()
    assert [seen.upstream_status for seen in hits] == [200]
    assert refreshed.status_code == httpx.codes.OK, refreshed.text
    assert trail.events() == ["token_refreshed"]
    assert stored(site, email) == [{"state": "active", "generation": "2"}]
    works_everywhere(visitor, client, refreshed.json())


# --- a rotation of keys


@pytest.mark.attack("R-07", "E-05", "O-07")
def test_no_step_of_a_rotation_loses_what_is_in_flight_or_was_issued(
    site: Deployment, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One replica sees the promotion, the other does not."""
    monkeypatch.setenv("KUBECONFIG", str(site.cluster.kubeconfig()))
    email, client = new_person(site), visitor.register()
    tokens = visitor.tokens(client, email)
    [(old, _)] = loaded(site, 0).items()

    rotate_keys(site)
    eventually(lambda: len(loaded(site, 0)) == len(loaded(site, 1)) == 2, what="both accept it")
    [new] = loaded(site, 0).keys() - {old}
    age_keys(site, SETTLED_AFTER + 60)
    site.ingress.pin(0)
    back = visitor.sign_in_upstream(visitor.approve(client), email)
    blind = proxies(site)[1].rule(partial(follows_keys, site), HalfOpen(), times=None)
    try:
        rotate_keys(site)
        eventually(lambda: loaded(site, 0)[new], what="the first replica seals with the new key")
        assert loaded(site, 1) == {old: True, new: False}
        # Sealed with the old key, opened where the new one is current; then the reverse.
        code = code_of(visitor.callback(back))
        site.ingress.pin(1)
        works_everywhere(visitor, client, visitor.exchange(client, code).json())
        site.ingress.pin(0)
        back = visitor.sign_in_upstream(visitor.approve(client), email)
        site.ingress.pin(1)
        code = code_of(visitor.callback(back))
        site.ingress.pin(0)
        works_everywhere(visitor, client, visitor.exchange(client, code).json())
        site.ingress.pin(0)
        later = visitor.register()
        site.ingress.pin(1)
        works_everywhere(visitor, later, visitor.tokens(later, email))
        works_everywhere(visitor, client, tokens)
    finally:
        blind.remove()

    age_keys(site, KEPT_SECONDS - 3600)
    rotate_keys(site, "--if-older-than=3650")
    eventually(lambda: loaded(site, 1) == {old: False, new: True}, what="both seal with it")
    works_everywhere(visitor, client, visitor.tokens(client, email))
    age_keys(site, 3660)
    rotate_keys(site, "--if-older-than=3650")
    for number in range(site.plan.replicas):
        eventually(lambda number=number: loaded(site, number) == {new: True}, what="it is removed")  # type: ignore[misc]
        site.ingress.pin(number)
        assert visitor.authorize(client).status_code == httpx.codes.BAD_REQUEST
        assert visitor.authorize(later).status_code == httpx.codes.OK


# --- a restored backup


@pytest.mark.attack("R-12", "R-08", "J-14")
def test_nobody_is_in_by_a_restored_grant_after_everybody_was_signed_out(
    site: Deployment, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(site.cluster.kubeconfig()))
    email, client = new_person(site), visitor.register()
    lost, kept = visitor.tokens(client, email), visitor.tokens(client, email)
    backup = site.cluster.kube.items(secrets_path(site.cluster.names.grants))
    form = {"client_id": client.id, "token": lost["refresh_token"]}
    assert visitor.http.post("/revoke", data=form).is_success
    newer = visitor.refresh(client, kept["refresh_token"]).json()
    refused_everywhere(visitor, lost)

    # As a restored etcd: the same objects, as they were. A gateway that starts cannot see that.
    restore(site, backup)
    site.restart_gateway(0)
    site.ingress.pin(0)
    assert visitor.call(lost["access_token"]).is_success, "it was brought back"

    names = site.cluster.names
    command = ["keys", "sign-everybody-out", "--namespace", names.release]
    assert main([*command, "--name", names.key_ring, "--yes"]) == 0
    for tokens in (lost, kept, newer):
        refused_everywhere(visitor, tokens)
    # Also where the backup is restored, or restored again, after the command.
    restore(site, backup)
    for tokens in (lost, kept, newer):
        refused_everywhere(visitor, tokens)
        answer = visitor.refresh(client, tokens["refresh_token"])
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    works_everywhere(visitor, client, visitor.tokens(client, email))


def restore(site: Deployment, backup: list[Object]) -> None:
    """Write all objects as they were; those that were deleted meanwhile get another uid."""
    for one in backup:
        metadata = one["metadata"]
        path = secrets_path(site.cluster.names.grants, metadata["name"])
        found = site.cluster.kube.find(path)
        if found is None:
            bare = {name: metadata[name] for name in ("name", "labels") if name in metadata}
            again = {"type": one["type"], "data": one["data"], "metadata": bare}
            site.cluster.kube.create(secrets_path(site.cluster.names.grants), again)
        else:
            found["data"], found["metadata"]["labels"] = one["data"], metadata["labels"]
            site.cluster.kube.replace(path, found)


def refused_everywhere(visitor: Visitor, tokens: dict[str, str]) -> None:
    """Wait until each replica refuses an access token."""
    ingress = visitor.deployment.ingress
    for number in range(visitor.deployment.plan.replicas):
        ingress.pin(number)
        eventually(
            lambda: visitor.call(tokens["access_token"]).status_code == httpx.codes.UNAUTHORIZED,
            what="the access token is refused",
        )
    ingress.pin(None)


def rotate_keys(site: Deployment, *options: str) -> None:
    names = site.cluster.names
    command = ["keys", "rotate", "--namespace", names.release, "--name", names.key_ring]
    assert main([*command, *options]) == 0


def age_keys(site: Deployment, seconds: float) -> None:
    """Make all times in the ring earlier, as if it had been left alone for so long."""
    path = secrets_path(site.cluster.names.release, site.cluster.names.key_ring)
    found = site.cluster.kube.get(path)
    ring = parse_ring(secret_data(found)[KEY_RING_KEY])
    keys = tuple(
        replace(
            key,
            created=key.created - seconds,
            demoted=None if key.demoted is None else key.demoted - seconds,
        )
        for key in ring.keys
    )
    document = encode_ring(replace(ring, keys=keys))
    found["data"] = secret(found["metadata"]["name"], {KEY_RING_KEY: document})["data"]
    site.cluster.kube.replace(path, found)


def loaded(site: Deployment, number: int) -> dict[str, bool]:
    """Return the keys that a replica reports, and whether each one is current."""
    url = f"http://127.0.0.1:{site.internal_ports[number]}/metrics"
    metrics = httpx.get(url, trust_env=False).text
    return {kid: current == "true" for current, kid in LOADED.findall(metrics)}


def follows_keys(site: Deployment, seen: Seen) -> bool:
    named = seen.query.get("fieldSelector", "") == f"metadata.name={site.cluster.names.key_ring}"
    return seen.method == "GET" and named
