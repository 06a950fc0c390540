"""Attacks by number: floods at two replicas, behind an ingress that says who calls."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable

import httpx
import pytest

from harness.deployment import Deployment, Plan
from harness.evidence import nothing_stored
from harness.processes import eventually
from harness.signin import REDIRECT_URI, Visitor, new_person

MOST = 5
REPLICAS = 2
STRANGERS, AT_ONCE = 300, 16
MOST_GROWTH = 8 * 1024 * 1024
"""Bytes by which a gateway may grow: its tables of callers and some arenas."""
SETTINGS = {
    "TRUSTED_PROXIES": "127.0.0.1,::1",
    "LIMIT_REGISTER": str(MOST),
    "LIMIT_AUTHORIZE": str(MOST),
    "LIMIT_TOKEN": str(MOST),
    "LIMIT_FAILED_TOKENS": str(MOST),
}
DOCUMENT = {"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none"}
REQUESTS: dict[str, tuple[str, str, dict[str, object]]] = {
    "register": ("POST", "/register", {"json": DOCUMENT}),
    "authorize": ("GET", "/authorize", {"params": {"client_id": "x"}}),
    "decide": ("POST", "/authorize", {"data": {"handle": "x"}}),
    "callback": ("GET", "/callback", {"params": {"state": "x", "code": "y"}}),
    "token": ("POST", "/token", {"data": {"grant_type": "refresh_token", "client_id": "x"}}),
    "mcp": ("POST", "/mcp", {"json": {}, "headers": {"authorization": "Bearer pmcp_at_forged"}}),
}


@pytest.mark.attack("Q-05", "Q-06", "O-01", "L-12")
def test_floods_are_refused_at_each_replica_and_leave_nothing(
    deploy: Callable[[Plan], Deployment],
) -> None:
    deployment = deploy(Plan(replicas=REPLICAS, gateway=SETTINGS))
    email = new_person(deployment)
    with Visitor(deployment) as visitor:
        client = visitor.register()
        tokens = visitor.tokens(client, email)
        with nothing_stored(deployment):
            # Whatever it claims besides, one address gets as much as each replica allows.
            begun = time.monotonic()
            counted = asyncio.run(flood(deployment, lambda number: f"10.9.9.{number}, 192.0.2.1"))
            came_back = math.ceil(MOST * (time.monotonic() - begun) / 60)
            counted["authorize"] += counted.pop("decide")
            for statuses in counted.values():
                del statuses[httpx.codes.TOO_MANY_REQUESTS]
                assert MOST * REPLICAS <= sum(statuses.values()) <= (MOST + came_back) * REPLICAS

            gateways = deployment.gateways
            asyncio.run(strangers(deployment, STRANGERS // 3))
            before = [(gateway.resident_bytes(), gateway.open_files()) for gateway in gateways]
            asyncio.run(strangers(deployment, STRANGERS))
            for gateway, (memory, files) in zip(gateways, before, strict=True):
                assert gateway.resident_bytes() - memory < MOST_GROWTH
                eventually(
                    lambda gateway=gateway, files=files: gateway.open_files() <= files + 5,
                    what="the connections are closed",
                )
        # A colleague behind the same address as the forger works on, and refreshes.
        asyncio.run(flood(deployment, lambda _: "127.0.0.1", only=("mcp", "token")))
        assert visitor.call(tokens["access_token"]).status_code == httpx.codes.OK
        answer = visitor.refresh(client, tokens["refresh_token"])
        assert answer.status_code == httpx.codes.OK, answer.text
        assert visitor.call(answer.json()["access_token"]).status_code == httpx.codes.OK
    lines = "".join(gateway.output() for gateway in deployment.gateways)
    for slug in ("register", "authorize", "callback", "token", "failed_tokens"):
        assert f'"reason": "{slug}"' in lines or f'"reason":"{slug}"' in lines
    assert "pmcp_at_forged" not in lines


async def flood(
    deployment: Deployment, forwarded: Callable[[int], str], *, only: tuple[str, ...] = ()
) -> dict[str, Counter[int]]:
    """Send each request to each replica, in all four times as often as one address may."""
    counted: dict[str, Counter[int]] = {}
    async with client_of(deployment) as client:
        # In turn, since two of them share a limit.
        for number in range(4 * MOST):
            for name in only or REQUESTS:
                for port in deployment.ports:
                    answer = await send(client, port, name, forwarded(number))
                    counted.setdefault(name, Counter())[answer.status_code] += 1
                    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
                        assert 1 <= int(answer.headers["retry-after"]) <= 60 // MOST
    return counted


async def strangers(deployment: Deployment, count: int) -> None:
    """Send all requests from so many addresses."""
    numbers = iter(range(count))

    async def some(client: httpx.AsyncClient) -> None:
        for number in numbers:
            for name in REQUESTS:
                port = deployment.ports[number % REPLICAS]
                answer = await send(client, port, name, f"198.{number >> 8 & 255}.{number & 255}.1")
                assert answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR

    async with client_of(deployment) as client, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(some(client))


def client_of(deployment: Deployment) -> httpx.AsyncClient:
    host = {"host": deployment.url.partition("://")[2]}
    return httpx.AsyncClient(headers=host, trust_env=False, timeout=60)


async def send(client: httpx.AsyncClient, port: int, name: str, forwarded: str) -> httpx.Response:
    method, path, options = REQUESTS[name]
    headers = {"x-forwarded-for": forwarded} | dict(options.get("headers", {}))  # type: ignore[call-overload]
    given = {key: value for key, value in options.items() if key != "headers"}
    url = f"http://127.0.0.1:{port}{path}"
    return await client.request(method, url, headers=headers, **given)  # type: ignore[arg-type]
