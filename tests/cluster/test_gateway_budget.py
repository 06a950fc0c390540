"""Replicas share what Productive allows an organization, by the EndpointSlices of their Service.

No controller runs here, so the test writes the slices that a cluster's would.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from harness.cluster import Cluster
from harness.deployment import Deployment, Plan
from harness.mcpkit import result_of
from harness.processes import eventually
from harness.signin import Visitor

SERVICE = "productive-gateway"
ALLOWED = 100
"""Requests of the organization in 30 minutes, of which the gateways use 90."""
REPLICAS = range(3)
PEOPLE = {"ana-kovac": 9104, "ana-horvat": 9105, "luka-babic": 9106}


@pytest.fixture
def site(cluster: Cluster) -> Iterator[Deployment]:
    settings = {
        "GATEWAY_SERVICE": SERVICE,
        "PRODUCTIVE_REQUESTS_PER_30_MIN": str(ALLOWED),
    }
    plan = Plan(replicas=len(REPLICAS), gateway=settings)
    with Deployment(cluster, plan).running() as running:
        httpx.put(
            f"{running.simulator_url}/__simulator/limits",
            json={"per_token": 10_000, "per_organization": ALLOWED},
            trust_env=False,
        ).raise_for_status()
        yield running


def test_three_replicas_share_the_requests_of_one_organization(site: Deployment) -> None:
    # Nobody knows how many there are, so each assumes four.
    assert shares(site) == [22, 22, 22]
    set_ready(site, 2)
    assert shares(site) == [45, 45, 45]
    set_ready(site, 3)
    assert shares(site) == [30, 30, 30]

    with ExitStack() as stack:
        for name, number in PEOPLE.items():
            visitor = stack.enter_context(Visitor(site))
            access = signed_in(site, visitor, name, number)
            for replica in REPLICAS:
                site.ingress.pin(replica)
                refused = call_until_refused(visitor, access)
                # One person alone never takes more than half of what a replica may send.
                assert refused["code"] == "rate_limited"
                assert refused["retry_after_s"] > 60
                assert f"({refused['retry_after_s']} seconds)" in refused["fix"]
            site.ingress.pin(None)
    statuses = [entry["status"] for entry in requests(site)]
    assert 0.75 * 90 <= len(statuses) <= 90
    assert set(statuses) == {200}

    # What the third replica sent still counts, so its share stays free.
    set_ready(site, 2)
    assert shares(site) == [30, 30, 30]
    set_ready(site, 4)
    assert shares(site) == [22, 22, 22]


def set_ready(site: Deployment, count: int) -> None:
    """Write the slices of a Service with so many ready replicas; wait until all know."""
    namespace = site.cluster.names.release
    endpoints = [
        {
            "addresses": [f"10.1.0.{number + 1}"],
            "conditions": {"ready": number < count},
            "targetRef": {"kind": "Pod", "name": f"gateway-{number}", "uid": f"uid-{number}"},
        }
        for number in range(5)
    ]
    path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices/gateway-1"
    site.cluster.kube.apply(
        path,
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "gateway-1", "labels": {"kubernetes.io/service-name": SERVICE}},
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": [{"name": "http", "port": 8787}],
        },
    )
    eventually(
        lambda: metric(site, "productive_mcp_budget_replicas") == [count] * len(REPLICAS),
        what=f"{count} replicas at every gateway",
    )


def shares(site: Deployment) -> list[float]:
    return metric(site, "productive_mcp_budget_requests")


def metric(site: Deployment, name: str) -> list[float]:
    """Return the value of a metric at each replica."""
    values = []
    for port in site.internal_ports:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        assert found is not None
        values.append(float(found[1]))
    return values


def signed_in(site: Deployment, visitor: Visitor, name: str, number: int) -> str:
    """Give somebody access with a token of their own; return the access token."""
    user = f"{name}-{secrets.token_hex(4)}"
    email = f"{user}@northlight.example"
    site.people.add(user, email=email, user_id=number, token=f"simulator-{name}")
    return str(visitor.tokens(visitor.register(), email)["access_token"])


def call_until_refused(visitor: Visitor, access: str) -> dict[str, Any]:
    """Call a tool until it is refused; return the error."""
    for _ in range(100):
        answer = visitor.call(access, "tools/call", name="get_me", arguments={})
        assert answer.status_code == httpx.codes.OK
        result = result_of(answer)["result"]
        if result.get("isError"):
            error: dict[str, Any] = result["structuredContent"]["error"]
            assert str(error["retry_after_s"]) in result["content"][0]["text"]
            return error
    raise AssertionError("nothing was refused")


def requests(site: Deployment) -> list[dict[str, Any]]:
    answer = httpx.get(f"{site.simulator_url}/__simulator/log", trust_env=False)
    found: list[dict[str, Any]] = answer.json()
    return found
