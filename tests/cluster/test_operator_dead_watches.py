"""Watches that fail while the operator runs: what is taken away is published all the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from harness.cluster import Cluster
from harness.faults import HalfOpen, Seen
from harness.operatorsite import OperatorSite, RunningOperator
from harness.plane import Plane
from harness.processes import eventually
from harness.rights import RBAC

WITHOUT_A_WATCH_SECONDS = 20.0
"""What docs/security.md promises for up to 1,250 people: a resync, and room for a busy machine."""
HALF_OPEN_SECONDS = 2 * 15.0
"""Twice what docs/security.md promises."""
PROOF_SECONDS = 60.0
"""Two resyncs after the first unreported change, and room for a busy machine."""
AFTER_A_RESTART_SECONDS = 40.0
"""Kopf waits for up to 8 s before it asks again."""


@pytest.fixture
def site(cluster: Cluster) -> Iterator[OperatorSite]:
    mine = OperatorSite(cluster)
    yield mine
    mine.close()


@pytest.mark.refused("operator")
def test_a_right_to_watch_that_is_taken_away_is_noticed_and_costs_one_resync(
    site: OperatorSite,
) -> None:
    for name in ("ana", "bob"):
        site.add(name)
    proxy = site.cluster.proxy()
    operator = site.start(proxy)
    operator.until_ready()
    site.until_people("ana", "bob")
    proxy.wait_for(lambda seen: _watches_people(seen) and seen.status == httpx.codes.OK)
    assert _checks(operator)["watch_productiveusers"] == "ok"

    _grant(site, ["list"])
    proxy.wait_for(lambda seen: _watches_people(seen) and seen.status == httpx.codes.FORBIDDEN)
    begun = time.monotonic()
    site.remove("ana")
    eventually(
        lambda: site.people() == {"bob@example.com"},
        seconds=WITHOUT_A_WATCH_SECONDS,
        what="the removal is published",
    )
    assert time.monotonic() - begun <= WITHOUT_A_WATCH_SECONDS

    died = 'productive_operator_dead_watches_total{watch="productiveusers"}'
    eventually(lambda: operator.metric(died) == 1, seconds=PROOF_SECONDS, what="the proof")
    assert _checks(operator)["watch_productiveusers"].startswith("dead")
    assert operator.answers("/readyz") == httpx.codes.OK
    assert operator.metric('productive_operator_watch_age_seconds{watch="productiveusers"}') > 20
    assert operator.metric('productive_operator_watch_age_seconds{watch="secrets"}') < 20

    _grant(site, ["list", "watch"])
    opened = len(proxy.requests)
    proxy.wait_for(
        lambda seen: _watches_people(seen) and seen.status == httpx.codes.OK, since=opened
    )
    site.add("cleo")
    site.until_people("bob", "cleo")
    eventually(lambda: _checks(operator)["watch_productiveusers"] == "ok", what="it is alive again")
    assert operator.metric(died) == 1
    assert operator.program.running


@pytest.mark.attack("R-02")
def test_removal_is_published_although_every_connection_of_the_operator_is_half_open(
    site: OperatorSite,
) -> None:
    for name in ("ana", "bob"):
        site.add(name)
    proxy = site.cluster.proxy()
    operator = site.start(proxy)
    operator.until_ready()
    site.until_people("ana", "bob")
    proxy.wait_for(lambda seen: _watches_people(seen) and seen.status == httpx.codes.OK)

    silent, begun = proxy.connections(), len(proxy.requests)
    proxy.rule(lambda seen: seen.connection in silent, HalfOpen(), times=None)
    site.remove("ana")
    eventually(
        lambda: site.people() == {"bob@example.com"},
        seconds=HALF_OPEN_SECONDS,
        what="the removal is published",
    )
    # A full pass may be what published it: the watch must have noticed by itself, too.
    proxy.wait_for(
        lambda seen: _watches_people(seen) and seen.status == httpx.codes.OK,
        HALF_OPEN_SECONDS,
        since=begun,
    )
    assert operator.program.running


def test_somebody_deleted_while_the_watch_has_a_gap_is_removed(own_plane: Plane) -> None:
    """An API server that was restarted holds no version from before: Kopf lists anew, and nothing
    in that list is new."""
    with closing(Cluster(own_plane)) as cluster, closing(OperatorSite(cluster)) as site:
        for name in ("ana", "bob"):
            site.add(name)
        operator = site.start()
        operator.until_ready()
        site.until_people("ana", "bob")
        site.until_reason("bob", "Synced")
        lists = 'productive_operator_enqueued_total{kind="list"}'
        before = operator.metric(lists)
        own_plane.api_server.kill()
        own_plane.api_server.restart()
        own_plane.until_ready()
        site.remove("ana")
        eventually(
            lambda: operator.metric(lists) > before,
            seconds=AFTER_A_RESTART_SECONDS,
            what="the list asks for a pass",
        )
        site.until_people("bob")
        assert operator.program.running


def _watches_people(seen: Seen) -> bool:
    return seen.watch and seen.resource == "productiveusers"


def _checks(operator: RunningOperator) -> dict[str, str]:
    url = f"http://127.0.0.1:{operator.port}/readyz"
    answer: dict[str, Any] = httpx.get(url, trust_env=False).json()
    return dict(answer["checks"])


def _grant(site: OperatorSite, verbs: list[str]) -> None:
    """Change what the operator may do with ProductiveUsers."""
    path = f"{RBAC}/{site.names.users}/roles/operator"
    role = site.kube.get(path)
    for rule in role["rules"]:
        if rule["resources"] == ["productiveusers"]:
            rule["verbs"] = verbs
    site.kube.replace(path, role)
