"""Faults of gateways, and of what they work with in the cluster."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from signal import SIGTERM
from typing import Any

from harness.faults import Answer
from harness.grantrequests import changes_a_grant, proxies
from harness.kube import secret, secret_data
from harness.processes import eventually
from harness.runningfaults.actions import failing, find, left, refresh, ruled
from harness.runningfaults.operators import passes_that_fail
from harness.runningfaults.site import Site
from productive_contract.names import KEY_RING_KEY


@contextmanager
def no_gateway(site: Site) -> Iterator[None]:
    for gateway in site.running.gateways:
        gateway.kill()
    yield
    for number in range(site.running.plan.replicas):
        site.running.restart_gateway(number)


@contextmanager
def a_gateway_that_drains(site: Site) -> Iterator[None]:
    """One gateway was told to end, and a call keeps it."""
    site.idle.set()
    site.running.ingress.pin(1)
    site.simulator("faults", [{"times": 50, "hang": True}])
    with ThreadPoolExecutor(1) as pool:
        _, tokens = site.sign_in()
        call = pool.submit(find, site, tokens)
        eventually(lambda: bool(left(site) < 50), seconds=60, what="the call at the simulator")
        site.running.gateways[1].signal(SIGTERM)
        site.running.ingress.pin(0)
        site.idle.clear()
        yield
        site.simulator("faults", [])
        call.result()
    site.running.gateways[1].wait(60)
    site.running.restart_gateway(1)
    site.running.ingress.pin(None)


@contextmanager
def refreshes_that_fail(site: Site, *, alone: bool) -> Iterator[None]:
    """Refreshes get 503, while others work or not."""
    client, tokens = site.sign_in()
    if alone:
        site.idle.set()
    with (
        ruled(site, changes_a_grant, Answer(500)),
        failing(lambda: refresh(site, client, tokens), threads=12 if alone else 6),
    ):
        yield
    site.idle.clear()


def one_in_five_fails(site: Site) -> Any:
    return refreshes_that_fail(site, alone=False)


def all_requests_fail(site: Site) -> Any:
    return refreshes_that_fail(site, alone=True)


@contextmanager
def an_api_server_that_one_gateway_cannot_reach(site: Site) -> Iterator[None]:
    with proxies(site.running)[0].outage():
        yield


@contextmanager
def a_malformed_mapping(site: Site) -> Iterator[None]:
    with passes_that_fail(site):
        data = secret("x", {"users.json": b"no JSON", "users.json.gz": b""}, kind="x")["data"]
        site.kube.merge(site.secret(site.names.mapping), {"data": data})
        yield


@contextmanager
def a_key_ring_that_is_edited(site: Site, edit: Callable[[bytes], bytes]) -> Iterator[None]:
    path = site.secret(site.names.key_ring)
    before = secret_data(site.kube.get(path))[KEY_RING_KEY]
    site.kube.merge(path, {"data": secret("x", {KEY_RING_KEY: edit(before)}, kind="x")["data"]})
    yield
    site.kube.merge(path, {"data": secret("x", {KEY_RING_KEY: before}, kind="x")["data"]})


def a_malformed_key_ring(site: Site) -> Any:
    return a_key_ring_that_is_edited(site, lambda _: b"no JSON")


def a_key_of_last_year(site: Site) -> Any:
    made = (datetime.now(UTC) - timedelta(days=370)).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    return a_key_ring_that_is_edited(
        site, lambda ring: re.sub(rb'("created": *)"[^"]+"', rb'\1"' + made + b'"', ring)
    )


@contextmanager
def clients_that_are_wrong(site: Site) -> Iterator[None]:
    site.clients.write_text("no JSON")
    yield
    site.clients.write_text("[]")


@contextmanager
def a_collector_that_fails(site: Site) -> Iterator[None]:
    site.collector.status = HTTPStatus.SERVICE_UNAVAILABLE
    yield
    site.collector.status = HTTPStatus.OK
