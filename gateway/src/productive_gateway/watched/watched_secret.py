"""The last good value of a Secret: watched by name, and mounted for a start without the API server.

Whatever happens to the Secret, the last value that could be read stays in use, and an alarm says
what is wrong with the published one. The watched object is the truth. The mount is up to a minute
late, so it counts only before the first answer of the API server and during an outage, and then
only if it supersedes the value in use.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypedDict, TypeVar, Unpack

import structlog
from prometheus_client import Gauge

from productive_gateway.observability.metrics import WATCH_HEALTHY
from productive_kube.client import KubeClient, Listed
from productive_kube.collection import Change, Collection, by_name, secret_data
from productive_kube.mount import Mount, Mounted
from productive_kube.reflector import WINDOW_SECONDS, Reflector

_log = structlog.get_logger(__name__)

MAX_STALENESS: Final = 300.0
"""How many seconds a value is used after it was last known to be the published one."""
POLL_SECONDS: Final = 1.0
"""Between two polls of a mount or a file."""

Data = Mapping[str, bytes]
Value = TypeVar("Value")


class Malformed(Exception):
    """The data cannot be used; `str()` says why, without any content."""


class Absent(Malformed):
    """Nothing is published: no Secret, or an empty one."""


class LastGood(Generic[Value]):
    """Holds one value and replaces it as a whole; bad data change nothing but the alarm.

    The alarm is a gauge, and one log line per change: `<name>.broken`, `<name>.restored`.
    """

    def __init__(
        self,
        name: str,
        parse: Callable[[Data], Value],
        *,
        alarm: Gauge,
        on_use: Callable[[Value], None],
        absent_at_first: bool = False,
    ) -> None:
        """Hold nothing yet.

        Args:
            name: of the value, in log events.
            parse: makes a value of the data, or raises Malformed.
            alarm: 1 while the published data are missing or malformed.
            on_use: called with each value that comes into use.
            absent_at_first: whether it is normal that nothing is published before the first value.
        """
        self.name = name
        self._parse = parse
        self._alarm = alarm
        self._on_use = on_use
        self._absent_at_first = absent_at_first
        self._value: Value | None = None
        self._data: Data | None = None
        self._problem: str | None = None
        alarm.set(0)

    @property
    def value(self) -> Value | None:
        """The value in use, or None before the first."""
        return self._value

    @property
    def problem(self) -> str | None:
        """What is wrong with the published data; None while they are in use."""
        return self._problem

    async def prepare(self, data: Data) -> None:
        """Do ahead of `take` what takes so long that the event loop must serve others meanwhile."""

    def take(self, data: Data) -> bool:
        """Use the published data, or keep the value in use and raise the alarm.

        Returns:
            Whether the data are in use now.
        """
        if data != self._data:
            try:
                value = self._parse(data)
            except Malformed as error:
                self.reject(error)
                return False
            self.use(value, data)
        self._clear()
        return True

    def reject(self, error: Malformed) -> None:
        """Raise the alarm: what is published cannot be used."""
        if self._value is None and self._absent_at_first and isinstance(error, Absent):
            return
        problem = str(error)
        if problem != self._problem:
            self._problem = problem
            self._alarm.set(1)
            _log.error(f"{self.name}.broken", cause=problem)

    def use(self, value: Value, data: Data) -> None:
        """Replace the value in use by another, which was parsed from these data."""
        self._value, self._data = value, data
        self._on_use(value)

    def parse_mounted(self, data: Data) -> Value | None:
        """Parse the data of a mount; None if they cannot be used."""
        try:
            return self._parse(data)
        except Malformed as error:
            # No alarm: that is about the published Secret, which the watch reads.
            _log.warning(f"{self.name}.mount_unreadable", cause=str(error))
            return None

    def _clear(self) -> None:
        if self._problem is not None:
            self._problem = None
            self._alarm.set(0)
            _log.info(f"{self.name}.restored")


@dataclass(frozen=True, slots=True)
class _Mounted(Generic[Value]):
    """The last value that was mounted, and since when."""

    value: Value
    data: Data
    since: float


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A collection of Secrets, each prepared before the reflector hears of it."""

    collection: Collection[Data]
    prepare: Callable[[Data], Awaitable[None]]

    async def list(self) -> Listed[Data]:
        listed = await self.collection.list()
        for data in listed.items:
            await self.prepare(data)
        return listed

    async def watch(self, version: str, seconds: int) -> AsyncGenerator[Change[Data], None]:
        async with aclosing(self.collection.watch(version, seconds)) as changes:
            async for change in changes:
                if change.item is not None and not change.deleted:
                    await self.prepare(change.item)
                yield change

    async def version(self) -> str:
        return await self.collection.version()


class WatchOptions(TypedDict, total=False):
    """How a Secret is followed; what is left out has a default."""

    mount: Path | None
    """Folder that the kubelet mounts the same Secret to; by default there is none."""
    max_staleness: float
    """Seconds, by default MAX_STALENESS."""
    window: int
    """Seconds of one watch, by default WINDOW_SECONDS."""
    monotonic: Callable[[], float]
    """Seconds from any origin, by default those of the machine."""


class WatchedSecret(Generic[Value]):
    """Follows one Secret by name, as the sink of its own reflector."""

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        name: str,
        good: LastGood[Value],
        *,
        supersedes: Callable[[Value, Value], bool],
        **options: Unpack[WatchOptions],
    ) -> None:
        """Read the mount, if there is one; `run` does the rest.

        Args:
            client: the API server.
            namespace: of the Secret.
            name: of the Secret.
            good: keeps its value.
            supersedes: whether the first value, from the mount, may replace the second, which is in
                use, during an outage of the API server.
            options: see `WatchOptions`.
        """
        mount = options.get("mount")
        monotonic = options.get("monotonic", time.monotonic)
        self._client = client
        self._path = f"/api/v1/namespaces/{namespace}/secrets"
        self._name = name
        self._good = good
        self._mount = None if mount is None else Mount(mount)
        self._supersedes = supersedes
        self._monotonic = monotonic
        self._mounted: _Mounted[Value] | None = None
        self._max_staleness = options.get("max_staleness", MAX_STALENESS)
        self._confirmed = -math.inf
        """When something other than the watch last confirmed the value in use."""
        self._from_mount = False
        self._overruled = False
        """Whether the mount has decided since the last report of the watch."""
        self._watched: Data | None = None
        """What the watch reported last; None if there was no Secret."""
        self._reports = 0
        """How many reports there were."""
        self._reflector: Reflector[Data] = Reflector(
            _Prepared(Collection(client, self._path, secret_data, by_name(name)), good.prepare),
            self,
            label=good.name,
            window=options.get("window", WINDOW_SECONDS),
            monotonic=monotonic,
        )
        WATCH_HEALTHY.labels(watch=good.name).set_function(lambda: float(self.healthy))
        self.poll_mount()

    @property
    def healthy(self) -> bool:
        """Whether the watch is healthy."""
        return self._reflector.healthy

    @property
    def confirmed(self) -> bool:
        """Whether the value in use is, or was, the published one, by the API server's word.

        A mount may be a minute late, and one that a restarted container finds may be older.
        """
        return not self._from_mount

    @property
    def age(self) -> float:
        """Seconds since something confirmed the value in use; infinite before that.

        A mount that does not change confirms nothing: the kubelet may be cut off, too.
        """
        return min(self._reflector.age, self._monotonic() - self._confirmed)

    @property
    def is_stale(self) -> bool:
        """Whether the value in use was not confirmed for too long."""
        return self.age > self._max_staleness

    async def run(self) -> None:
        """Follow the Secret until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._reflector.run())
            if self._mount is not None:
                group.create_task(self._poll(self._mount))

    async def read(self) -> bool:
        """Read the Secret from the API server now; returns whether its data are in use.

        Raises:
            ApiError: it cannot be read.
        """
        while True:
            reports, asked = self._reports, self._monotonic()
            secret: dict[str, Any] = await self._client.get(f"{self._path}/{self._name}")
            data = secret_data(secret)
            await self._good.prepare(data)
            # A report of the watch meanwhile may be newer than this answer, and comes only once.
            if self._reports == reports:
                in_use = self._follow(data)
                if in_use:
                    self._confirmed = asked
                return in_use

    def replace(self, listed: Listed[Data], *, fell: bool) -> None:
        """Take up what a list holds, even if it is older than what was seen before."""
        del fell
        self._take(listed.items[0] if listed.items else None)

    def apply(self, change: Change[Data]) -> None:
        """Take up one event of the watch."""
        self._take(None if change.deleted else change.item)

    def poll_mount(self) -> None:
        """Poll the mount once, and use what it holds if it may decide now."""
        mounted = None if self._mount is None else self._mount.poll()
        self._consider(mounted, self._monotonic())

    def _consider(self, mounted: Mounted | None, polled: float) -> None:
        """Take up what was newly mounted, if anything, and let the mount decide if it may."""
        if mounted is not None and mounted.data:
            value = self._good.parse_mounted(mounted.data)
            if value is not None:
                self._mounted = _Mounted(value, mounted.data, polled)
        if self._mounted is not None and self._is_newer(self._mounted):
            self._good.use(self._mounted.value, self._mounted.data)
            self._from_mount = True
            self._confirmed = self._mounted.since
            self._overruled = True
        elif self._overruled and self.healthy:
            # A window that was only late goes on, and does not repeat its reports.
            self._use_watched()

    async def _poll(self, mount: Mount) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            mounted, polled = mount.poll(), self._monotonic()
            if mounted is not None:
                await self._good.prepare(mounted.data)
            # What the watch confirmed during the preparation counts as newer than the mount.
            self._consider(mounted, polled)

    def _is_newer(self, mounted: _Mounted[Value]) -> bool:
        present = self._good.value
        if present is None:
            return True
        if self.healthy or not self._supersedes(mounted.value, present):
            return False
        # The watch has overtaken a version that was mounted before it last confirmed its own: after
        # a restore the mount shows the higher revision from before for another minute.
        confirmed = self._reflector.confirmed
        return confirmed is None or mounted.since > confirmed

    def _take(self, data: Data | None) -> None:
        self._reports += 1
        self._watched = data
        self._use_watched()

    def _use_watched(self) -> None:
        self._overruled = False
        if self._watched is None:
            what = self._good.name.replace("_", " ")
            self._good.reject(Absent(f"the {what} Secret does not exist"))
        else:
            self._follow(self._watched)

    def _follow(self, data: Data) -> bool:
        in_use = self._good.take(data)
        if in_use:
            self._from_mount = False
        return in_use
