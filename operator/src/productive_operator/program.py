"""`productive-operator run`: puts the parts together, and runs them until the end."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping
from typing import Final

import structlog

from productive_contract.clock import system_clock
from productive_contract.names import OPERATOR_FIELD_MANAGER
from productive_kube.client import KubeClient
from productive_kube.errors import ApiError, Unreachable
from productive_operator import handlers, metrics
from productive_operator.cluster import ClusterObjects, Place
from productive_operator.health import Probes, serving
from productive_operator.mapping_watch import StoreWentBack, follow_mapping
from productive_operator.reconciler import Reconciler
from productive_operator.scheduler import Scheduler
from productive_operator.sessions import Sessions
from productive_operator.settings import Settings
from productive_operator.watches import STALE_SECONDS, WatchDied

WAIT_SECONDS: Final = 5.0
"""Between attempts to reach the API server at the start."""

_NOT_INSTALLED: Final = (
    "this cluster does not know ProductiveUsers: run kubectl apply --server-side -f crds/, then "
    "start the operator again"
)

_log = structlog.get_logger("program")


class NotInstalled(Exception):
    """The cluster does not know ProductiveUsers; `str()` names the remedy."""


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT.

    A part that fails unexpectedly ends the process: the kubelet starts it again, and the mapping
    stays as it was published.

    Raises:
        NoCluster: no API server is configured.
        NotInstalled: the CRD is missing, or was deleted.
        PortUnavailable: the internal port cannot be bound.
        StoreWentBack: the cluster was restored from a backup.
        WatchDied: a watch is dead, and a restart may help.
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
        self._place = place
        self._stop = stop
        self._uninstalled = False
        self._cluster = ClusterObjects(client, place)
        self._reconciler = Reconciler(self._cluster, system_clock)
        self._watches = self._reconciler.watches
        self._scheduler = Scheduler(self._reconciler.reconcile, self._watches)
        self._mapping = follow_mapping(
            self._cluster.mapping_source, self._reconciler.is_expected, self._scheduler.enqueue
        )
        self._sessions = Sessions(
            client, self._watches, self._scheduler.enqueue, self._is_still_installed
        )
        metrics.WATCH_AGE.labels(watch="mapping").set_function(lambda: self._mapping.age)

    async def run(self, port: int) -> None:
        """Work until stopped; raises what `run` above does.

        Args:
            port: the internal port.
        """
        probes = Probes(
            alive=lambda: self._scheduler.alive,
            ready=lambda: self._reconciler.ready,
            details=self._details,
        )
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
            except* (StoreWentBack, WatchDied) as group:
                raise group.exceptions[0] from None
        if self._uninstalled:
            raise NotInstalled(_NOT_INSTALLED)

    def _details(self) -> Mapping[str, str]:
        mapping = "ok" if self._mapping.age <= STALE_SECONDS else "stale"
        states = {f"watch_{watch.name}": watch.state for watch in self._watches}
        return {**states, "watch_mapping": mapping}

    async def _installed(self) -> bool:
        """Wait for the API server, and see whether it serves ProductiveUsers; False: stopped."""
        while not self._stop.is_set():
            self._scheduler.attempt()
            try:
                if await self._cluster.serves_users():
                    return True
                raise NotInstalled(_NOT_INSTALLED)
            except Unreachable as error:
                _log.warning("cluster.unreachable", why=str(error))
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await self._stop.wait()
            except TimeoutError:
                continue
        return False

    async def _is_still_installed(self) -> bool:
        """Return whether the API server knows ProductiveUsers; if not, end the program."""
        try:
            self._uninstalled = not await self._cluster.serves_users()
        except ApiError:
            return True
        if self._uninstalled:
            self._stop.set()
        return not self._uninstalled

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            # Kopf, when it ends, cancels whatever began after it: our own tasks begin before.
            tasks = [
                group.create_task(self._scheduler.run(), name="passes"),
                group.create_task(self._mapping.run(), name="mapping watch"),
                group.create_task(self._watches.run(), name="restart of dead watches"),
            ]
            await handlers.watch(
                self._sessions,
                self._place.users_namespace,
                self._scheduler,
                self._reconciler,
                self._stop,
            )
            for task in tasks:
                task.cancel()
