"""`productive-operator run`: puts the parts together, and runs them until the end."""

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
from productive_operator.health import Probes, serving
from productive_operator.mapping_watch import StoreWentBack, follow_mapping
from productive_operator.reconciler import Reconciler
from productive_operator.scheduler import Scheduler
from productive_operator.settings import Settings

WAIT_SECONDS: Final = 5.0
"""Between attempts to reach the API server at the start."""

_log = structlog.get_logger("program")


class NotInstalled(Exception):
    """The cluster does not know ProductiveUsers; `str()` names the remedy."""


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
    async with await connecting as client:
        namespace, name = settings.mapping_place(client.namespace)
        place = Place(settings.users_namespace, namespace, name)
        await Program(client, place, stop).run(settings.internal_port)
    # Kopf leaves generators of its watches for the loop to close, which complain at that.
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    _log.info("operator.stopped")


class Program:
    """The parts of one operator."""

    def __init__(self, client: KubeClient, place: Place, stop: asyncio.Event) -> None:
        """Make the parts; nothing is sent yet.

        Args:
            client: the API server.
            place: where the people and the mapping are.
            stop: set when the program is to end.
        """
        self._client = client
        self._place = place
        self._stop = stop
        self._cluster = ClusterObjects(client, place)
        self._reconciler = Reconciler(self._cluster, system_clock)
        self._scheduler = Scheduler(self._reconciler.reconcile)
        self._mapping = follow_mapping(
            self._cluster.mapping_source, self._reconciler.is_expected, self._scheduler.enqueue
        )

    async def run(self, port: int) -> None:
        """Work until stopped; raises what `run` above does.

        Args:
            port: the internal port.
        """
        scheduler = self._scheduler
        probes = Probes(alive=lambda: scheduler.alive, ready=lambda: scheduler.ready)
        async with serving(probes, port):
            if not await self._installed():
                return
            _log.info(
                "operator.started",
                users=self._place.users_namespace,
                mapping=self._place.mapping_name,
            )
            try:
                await self._work()
            except* StoreWentBack as group:
                raise group.exceptions[0] from None

    async def _installed(self) -> bool:
        """Wait for the API server, and see whether it serves ProductiveUsers; False: stopped."""
        while not self._stop.is_set():
            self._scheduler.attempt()
            try:
                if await self._cluster.serves_users():
                    return True
                raise NotInstalled(
                    "this cluster does not know ProductiveUsers: run kubectl apply --server-side "
                    "-f crds/, then start the operator again"
                )
            except Unreachable as error:
                _log.warning("cluster.unreachable", why=str(error))
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await self._stop.wait()
            except TimeoutError:
                continue
        return False

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            # Kopf, when it ends, cancels whatever began after it: our own tasks begin before.
            tasks = [
                group.create_task(self._scheduler.run(), name="passes"),
                group.create_task(self._mapping.run(), name="mapping watch"),
            ]
            await handlers.watch(
                self._client,
                self._place.users_namespace,
                self._scheduler,
                self._reconciler,
                self._stop,
            )
            for task in tasks:
                task.cancel()
