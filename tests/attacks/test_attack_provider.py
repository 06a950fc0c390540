"""The provider is asked again at each refresh: one replica at a time uses its token.

Two gateways at a real API server, and a provider whose refresh tokens are good for one use.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, Literal

import httpx
import pytest

from harness.cluster import Cluster
from harness.deployment import CLIENT_ID, CLIENT_SECRET, Deployment, Plan
from harness.evidence import audited, idp_faults
from harness.faults import Hold, Predicate, Seen, Trap
from harness.grantrequests import (
    changes_a_grant,
    opens_everywhere,
    proxies,
    reads_a_grant,
    stored,
    works_everywhere,
)
from harness.kube import secrets_path
from harness.plane import Plane
from harness.processes import eventually
from harness.signin import Visitor, challenge_of, new_person, query_of
from productive_contract.names import LABEL_USER

PARALLEL = 20
GONE_WITHIN = 10.0
"""Seconds; twice what is promised while the watches are healthy."""
ARRIVES = 20.0
"""Seconds within which a request comes to the proxy."""
VICTIM, SURVIVOR = 0, 1


@pytest.fixture(scope="module")
def site(plane: Plane) -> Iterator[Deployment]:
    """A deployment behind proxies that asks its provider for refresh tokens."""
    plan = Plan(proxied=True, gateway={"OIDC_OFFLINE": "true"})
    with closing(Cluster(plane)) as cluster, Deployment(cluster, plan).running() as running:
        yield running


@pytest.fixture
def visitor(site: Deployment) -> Iterator[Visitor]:
    with Visitor(site) as one:
        yield one
    site.ingress.pin(None)
    site.until_ready(VICTIM)


def uses(site: Deployment) -> int:
    """Return how often the provider's token endpoint was asked."""
    counts: dict[str, int] = httpx.get(f"{site.idp_url}/_counts", trust_env=False).json()
    return counts.get("token", 0)


def disable(site: Deployment, email: str) -> None:
    user = {"email": email, "disabled": True}
    httpx.put(f"{site.idp_url}/_users", json=user, trust_env=False).raise_for_status()


def written(site: Deployment) -> int:
    """Return how many updates of grants the API server accepted so far."""
    seen = [seen for proxy in proxies(site) for seen in proxy.seen(changes_a_grant)]
    return sum(one.upstream_status == httpx.codes.OK for one in seen)


def lease_in(seen: Seen) -> str:
    data: dict[str, str] = json.loads(seen.body)["data"]
    return base64.b64decode(data["lease"]).decode()


def takes_the_lease(seen: Seen) -> bool:
    return changes_a_grant(seen) and lease_in(seen) != ""


def stores_the_answer(seen: Seen) -> bool:
    return changes_a_grant(seen) and lease_in(seen) == ""


def unavailable(answer: httpx.Response) -> bool:
    return (
        answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
        and answer.json()["error"] == "temporarily_unavailable"
        and int(answer.headers["retry-after"]) > 0
    )


def no_use(answer: httpx.Response) -> bool:
    return (
        answer.status_code == httpx.codes.BAD_REQUEST and answer.json()["error"] == "invalid_grant"
    )


@pytest.mark.attack("J-01", "J-13")
def test_a_refresh_asks_the_provider_once_and_writes_twice(
    site: Deployment, visitor: Visitor
) -> None:
    email, client = new_person(site), visitor.register()
    tokens = visitor.tokens(client, email)
    for generation in (2, 3):
        asked, before = uses(site), written(site)
        answer = visitor.refresh(client, tokens["refresh_token"])
        assert answer.status_code == httpx.codes.OK, answer.text
        tokens = answer.json()
        assert (uses(site), written(site)) == (asked + 1, before + 2)
        assert stored(site, email) == [{"state": "active", "generation": str(generation)}]
    works_everywhere(visitor, client, tokens)


@pytest.mark.attack("J-03", "J-13")
async def test_parallel_refreshes_over_two_replicas_use_the_providers_token_once(
    site: Deployment, visitor: Visitor
) -> None:
    """All have read the grant before the first of them takes the lease."""
    email, client = new_person(site), visitor.register()
    token = visitor.tokens(client, email)["refresh_token"]
    form = {"grant_type": "refresh_token", "client_id": client.id, "refresh_token": token}
    asked, before, read = uses(site), written(site), Hold("after")
    rules = [proxy.rule(reads_a_grant, read, times=PARALLEL // 2) for proxy in proxies(site)]
    try:
        with audited(site) as trail:
            async with httpx.AsyncClient(base_url=site.url, timeout=30, trust_env=False) as http:
                sent = [
                    asyncio.create_task(http.post("/token", data=form)) for _ in range(PARALLEL)
                ]
                for proxy in proxies(site):
                    await proxy.wait(_held, count=PARALLEL // 2)
                read.release()
                answers = await asyncio.gather(*sent)
    finally:
        for rule in rules:
            rule.remove()
    assert [answer.status_code for answer in answers] == [httpx.codes.OK] * PARALLEL
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert (uses(site), written(site)) == (asked + 1, before + 2)
    assert trail.events() == ["token_refreshed"] * PARALLEL
    works_everywhere(visitor, client, answers[0].json())


def _held(seen: Seen) -> bool:
    return reads_a_grant(seen) and seen.upstream_status == httpx.codes.OK and seen.status is None


@pytest.mark.attack("J-13")
def test_an_account_that_is_disabled_at_the_provider_is_out_at_its_next_refresh(
    site: Deployment, visitor: Visitor
) -> None:
    email, client = new_person(site), visitor.register()
    tokens = visitor.tokens(client, email)
    opens_everywhere(visitor, tokens["access_token"])
    disable(site, email)
    with audited(site) as trail:
        assert no_use(visitor.refresh(client, tokens["refresh_token"]))
    assert trail.reasons("grant_ended") == ["upstream_refused"]
    for replica in range(site.plan.replicas):
        site.ingress.pin(replica)
        eventually(
            lambda: visitor.call(tokens["access_token"]).status_code == httpx.codes.UNAUTHORIZED,
            seconds=GONE_WITHIN,
            what=f"the access token is dead at {replica}",
        )
        assert no_use(visitor.refresh(client, tokens["refresh_token"]))


@pytest.mark.attack("J-13")
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 429},
        {"status": 401, "body": '{"error": "invalid_client"}'},
    ],
    ids=["500", "429", "invalid_client"],
)
def test_a_provider_in_trouble_costs_nobody_their_sign_in(
    site: Deployment, visitor: Visitor, fault: dict[str, Any]
) -> None:
    email, client = new_person(site), visitor.register()
    tokens = visitor.tokens(client, email)
    with idp_faults(site, token={**fault, "unspent": True}):
        for _ in range(2):
            assert unavailable(visitor.refresh(client, tokens["refresh_token"]))
        opens_everywhere(visitor, tokens["access_token"])
    assert stored(site, email) == [{"state": "active", "generation": "1"}]
    answer = visitor.refresh(client, tokens["refresh_token"])
    assert answer.status_code == httpx.codes.OK, answer.text
    works_everywhere(visitor, client, answer.json())


@pytest.mark.attack("J-13")
def test_a_token_of_the_provider_that_got_lost_ends_in_a_new_sign_in(
    site: Deployment, visitor: Visitor
) -> None:
    email, client = new_person(site), visitor.register()
    token = visitor.tokens(client, email)["refresh_token"]
    with idp_faults(site, token={"status": 502, "times": 1}):
        assert unavailable(visitor.refresh(client, token))
    with audited(site) as trail:
        assert no_use(visitor.refresh(client, token))
    assert trail.reasons("grant_ended") == ["upstream_token_lost"]
    works_everywhere(visitor, client, visitor.tokens(client, email))


@pytest.mark.attack("J-06", "R-06")
@pytest.mark.parametrize(
    ("write", "moment", "then"),
    [
        (takes_the_lease, "before", "renewed"),
        (takes_the_lease, "after", "later"),
        (stores_the_answer, "before", "later"),
        (stores_the_answer, "after", "renewed"),
    ],
    ids=["lease unsent", "lease committed", "answer unsent", "answer committed"],
)
def test_a_gateway_that_is_killed_while_it_asks_loses_no_sign_in_by_itself(
    site: Deployment,
    visitor: Visitor,
    write: Predicate,
    moment: Literal["before", "after"],
    then: str,
) -> None:
    """Until the lease is over, nobody else uses the same token: the client is to try again."""
    email, client = new_person(site), visitor.register()
    token = visitor.tokens(client, email)["refresh_token"]
    site.refresh_mounts()
    site.ingress.pin(VICTIM)
    trap = Trap(moment)
    rule = proxies(site)[VICTIM].rule(write, trap)
    with ThreadPoolExecutor(1) as thread:
        answering = thread.submit(visitor.refresh, client, token)
        try:
            assert trap.reached.wait(ARRIVES), proxies(site)[VICTIM].transcript()
            site.gateways[VICTIM].kill()
        finally:
            rule.remove()
        assert answering.result().is_server_error
    site.ingress.pin(SURVIVOR)
    site.gateways[VICTIM].restart()
    asked = uses(site)
    answer = visitor.refresh(client, token)
    if then == "renewed":
        assert answer.status_code == httpx.codes.OK, answer.text
        site.until_ready(VICTIM)
        works_everywhere(visitor, client, answer.json())
    else:
        assert unavailable(answer)
        assert uses(site) == asked
        assert stored(site, email) == [{"state": "active", "generation": "1"}]


@pytest.mark.rule("R4")
@pytest.mark.attack("H-04")
def test_tokens_of_the_provider_open_nothing(site: Deployment, visitor: Visitor) -> None:
    """They are genuine, of a person who may sign in, and made for the gateway's own client."""
    email, client = new_person(site), visitor.register()
    own = visitor.tokens(client, email)
    tokens = provider_tokens(site, email)
    for name in ("id_token", "access_token", "refresh_token"):
        answer = visitor.call(tokens[name])
        assert answer.status_code == httpx.codes.UNAUTHORIZED, name
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert no_use(visitor.refresh(client, tokens[name]))
        assert no_use(visitor.exchange(client, tokens[name]))
    works_everywhere(visitor, client, own)


def provider_tokens(site: Deployment, email: str) -> dict[str, str]:
    """Sign in at the provider as the gateway does, and return what it would get."""
    redirect_uri, verifier = f"{site.url}/callback", "v" * 64
    with httpx.Client(base_url=site.issuer, trust_env=False) as http:
        went = http.get(
            "/authorization",
            params={
                "response_type": "code",
                "client_id": CLIENT_ID,
                "redirect_uri": redirect_uri,
                "scope": "openid email offline_access",
                "code_challenge": challenge_of(verifier),
                "code_challenge_method": "S256",
                "login_hint": email,
            },
        )
        answer = http.post(
            "/token",
            data={
                "grant_type": "authorization_code",
                "code": query_of(went.headers["location"])["code"],
                "redirect_uri": redirect_uri,
                "code_verifier": verifier,
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
            },
        )
    tokens: dict[str, str] = answer.raise_for_status().json()
    return tokens


@pytest.mark.attack("J-13")
def test_a_reader_of_the_grants_finds_no_token_of_the_provider(
    site: Deployment, visitor: Visitor
) -> None:
    """What is stored is sealed: presented to the provider, it is refused."""
    email, client = new_person(site), visitor.register()
    visitor.tokens(client, email)
    own = f"{LABEL_USER}={email.partition('@')[0]}"
    held = site.cluster.kube.items(secrets_path(site.cluster.names.grants), labelSelector=own)
    assert sum("upstream" in item["data"] for item in held) == 1
    for item in held:
        for value in item.get("data", {}).values():
            form = {
                "grant_type": "refresh_token",
                "refresh_token": base64.b64decode(value).decode("utf-8", "replace"),
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
            }
            if len(form["refresh_token"]) > 20:
                answer = httpx.post(f"{site.issuer}/token", data=form, trust_env=False)
                assert answer.json()["error"] == "invalid_grant"
