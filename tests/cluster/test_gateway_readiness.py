"""Readiness of a gateway shows each object that it watches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from harness.deployment import Deployment, Plan
from harness.faults import CutBefore
from harness.processes import eventually

UNHEALTHY_SECONDS = 30.0
"""Twice the age at which a watch counts as unhealthy."""
WATCHES = ("watch_mapping", "watch_key_ring", "watch_grants")


def readiness(deployment: Deployment) -> tuple[int, dict[str, Any]]:
    url = f"http://127.0.0.1:{deployment.internal_ports[0]}/readyz"
    answer = httpx.get(url, trust_env=False)
    return answer.status_code, answer.json()["checks"]


def test_dead_watch_of_the_key_ring_is_shown_and_the_replica_stays_ready(
    deploy: Callable[[Plan], Deployment],
) -> None:
    own = deploy(Plan(replicas=1, proxied=True))
    proxy, key_ring = own.proxies["gateway-0"], own.cluster.names.key_ring

    def states() -> list[str]:
        return [readiness(own)[1][name] for name in WATCHES]

    eventually(lambda: states() == ["ok"] * 3, what="every watch is healthy")
    rule = proxy.rule(lambda seen: seen.name == key_ring, CutBefore(), times=None)
    proxy.cut()
    eventually(
        lambda: states() == ["ok", "stale", "ok"],
        seconds=UNHEALTHY_SECONDS,
        what="only the key ring's watch is stale",
    )
    status, checks = readiness(own)
    assert (status, checks["key_ring"]) == (200, "ok")
    rule.remove()
    eventually(lambda: states() == ["ok"] * 3, seconds=UNHEALTHY_SECONDS, what="it is back")
