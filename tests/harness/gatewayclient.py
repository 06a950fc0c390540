"""The gateway's client of the Kubernetes API, as its program makes it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from productive_gateway import USER_AGENT
from productive_gateway.observability.metrics import count_kubernetes_request
from productive_kube.client import KubeClient


@asynccontextmanager
async def gateway_client(kubeconfig: Path) -> AsyncIterator[KubeClient]:
    """Connect for the time of the block."""
    async with await KubeClient.connect(
        kubeconfig, user_agent=USER_AGENT, observe=count_kubernetes_request
    ) as client:
        yield client
