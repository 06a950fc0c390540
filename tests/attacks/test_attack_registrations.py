"""Attacks by registering clients: nothing that a stranger may do for ever is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import aiohttp
import httpx
import pytest

from harness.cluster import Cluster
from harness.deployment import Deployment, Plan
from harness.evidence import nothing_stored
from harness.grantrequests import of_one_object, proxies
from harness.kube import secrets_path
from harness.signin import REDIRECT_URI, Registered, Visitor

WARM_UP, REGISTRATIONS = 500, 10_000
AT_ONCE = 16
MOST_GROWTH = 8 * 1024 * 1024
"""Bytes of memory by which a gateway may grow: less than two kilobytes for each registration."""


@pytest.mark.attack("O-01")
def test_ten_thousand_registrations_store_nothing(deploy: Callable[[Plan], Deployment]) -> None:
    deployment = deploy(Plan(proxied=True))
    with Visitor(deployment) as visitor:
        asyncio.run(register(deployment, WARM_UP))
        memory = [gateway.resident_bytes() for gateway in deployment.gateways]
        since = [len(proxy.requests) for proxy in proxies(deployment)]
        before = objects(deployment.cluster)
        with nothing_stored(deployment):
            ids = asyncio.run(register(deployment, REGISTRATIONS))
        assert objects(deployment.cluster) == before

        # The gateways asked for nothing but what they follow all the time.
        for proxy, number in zip(proxies(deployment), since, strict=True):
            asked = proxy.requests[number:]
            assert [seen.target for seen in asked if of_one_object(seen)] == []
        for gateway, bytes_ in zip(deployment.gateways, memory, strict=True):
            assert gateway.resident_bytes() - bytes_ < MOST_GROWTH

        # And yet each client is known, at whichever replica: here the one that did not register it.
        assert len(set(ids)) == len(ids)
        for number, client_id in [*enumerate(ids)][:: REGISTRATIONS // 10]:
            deployment.ingress.pin((number + 1) % deployment.plan.replicas)
            client = Registered({"client_id": client_id, "redirect_uris": [REDIRECT_URI]})
            page = visitor.authorize(client)
            assert page.status_code == httpx.codes.OK
            assert f"Client {number}" in page.text


async def register(deployment: Deployment, count: int) -> list[str]:
    """Register clients at the replicas in turn, and return their ids, in that order."""
    host = {"Host": deployment.url.partition("://")[2]}
    ids = [""] * count
    numbers = iter(range(count))

    async def some(http: aiohttp.ClientSession) -> None:
        for number in numbers:
            port = deployment.ports[number % deployment.plan.replicas]
            document = {
                "client_name": f"Client {number}",
                "redirect_uris": [REDIRECT_URI],
                "token_endpoint_auth_method": "none",
            }
            url = f"http://127.0.0.1:{port}/register"
            async with http.post(url, json=document) as answer:
                assert answer.status == httpx.codes.CREATED, await answer.text()
                ids[number] = (await answer.json())["client_id"]

    async with aiohttp.ClientSession(headers=host) as http, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(some(http))
    return ids


def objects(cluster: Cluster) -> Mapping[str, int]:
    """Return the number of objects of each kind that a gateway could create, by namespace."""
    names = cluster.names
    paths = [secrets_path(names.grants), secrets_path(names.release), secrets_path(names.users)]
    paths += [
        f"/api/v1/namespaces/{namespace}/{kind}"
        for namespace in (names.grants, names.release, names.users)
        for kind in ("configmaps", "events")
    ]
    return {path: len(cluster.kube.items(path)) for path in paths}
