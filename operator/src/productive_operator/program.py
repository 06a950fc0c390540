"""`productive-operator run`: the parts put together, and their life."""

from __future__ import annotations

import asyncio
import gc
from typing import Final

import structlog

from productive_contract.clock import system_clock
from productive_contract.names import OPERATOR_FIELD_MANAGER
from productive_kube.client import KubeClient
from productive_kube.errors import Unreachable
from productive_operator import handlers, metrics
from productive_operator.cluster import ClusterObjects, Place
from productive_operator.health import serving
from productive_operator.mapping_watch import StoreWentBack, follow_mapping
from productive_operator.reconciler import Rendering
from productive_operator.scheduler import Loop
from productive_operator.settings import Settings

WAIT_SECONDS: Final = 5.0
"""Between attempts to reach the API server at the start."""

_log = structlog.get_logger("program")


class NotInstalled(Exception):
    """The cluster does not know ProductiveUsers; `str()` says what to do."""


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT.

    A part that fails unexpectedly ends the process: the kubelet starts it again, and the mapping
    stays as it was published.

    Raises:
        NoCluster: no API server is configured.
        NotInstalled: the CRD is missing.
        PortUnavailable: the internal port cannot be bound.
        StoreWentBack: the cluster was restored from a backup.
    """
    # A pass over 10,000 people makes a million objects that die young and hold no cycles; looking
    # for cycles among them takes four tenths of the pass.
    gc.set_threshold(50_000, 20, 100)
    stop = asyncio.Event()
    handlers.stop_on_signals(stop)
    connecting = KubeClient.connect(
        user_agent=OPERATOR_FIELD_MANAGER, observe=metrics.count_request
    )
    async with await connecting as api:
        namespace, name = settings.mapping_place(api.namespace)
        cluster = ClusterObjects(api, Place(settings.users_namespace, namespace, name))
        rendering = Rendering(cluster, system_clock, overtaken=lambda: passes.nudged)
        passes = Loop(rendering)
        async with serving(passes, settings.internal_port):
            if not await _installed(cluster, passes, stop):
                return
            _log.info("operator.started", users=settings.users_namespace, mapping=name)
            try:
                await _work(cluster, rendering, passes, settings.users_namespace, stop)
            except* StoreWentBack as group:
                raise group.exceptions[0] from None
    # Kopf leaves generators of its watches for the loop to close, which complain at that.
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    _log.info("operator.stopped")


async def _installed(cluster: ClusterObjects, passes: Loop, stop: asyncio.Event) -> bool:
    """Wait for the API server and look whether it serves ProductiveUsers; False means stopped."""
    while not stop.is_set():
        passes.attempt()
        try:
            if await cluster.serves_users():
                return True
            raise NotInstalled(
                "this cluster does not know ProductiveUsers: run kubectl apply --server-side -f "
                "crds/, then start the operator again"
            )
        except Unreachable as error:
            _log.warning("cluster.unreachable", why=str(error))
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await stop.wait()
        except TimeoutError:
            continue
    return False


async def _work(
    cluster: ClusterObjects,
    rendering: Rendering,
    passes: Loop,
    namespace: str,
    stop: asyncio.Event,
) -> None:
    mapping = follow_mapping(cluster.mapping_source, rendering.is_expected, passes.nudge)
    async with asyncio.TaskGroup() as group:
        # Kopf, when it ends, cancels whatever began after it: our own tasks begin before.
        tasks = [
            group.create_task(passes.run(), name="passes"),
            group.create_task(mapping.run(), name="mapping watch"),
        ]
        await handlers.watch(passes, rendering, namespace, stop)
        for task in tasks:
            task.cancel()
