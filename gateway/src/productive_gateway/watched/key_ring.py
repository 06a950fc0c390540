"""The key ring of the cluster: one Secret, watched by name, and its mount for a cold start.

Whatever happens to the Secret, the last good ring stays in use: keys that are known work as well
as before, and a gateway without keys would end every session.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from productive_contract.names import KEY_RING_KEY
from productive_gateway.errors import Unavailable
from productive_gateway.observability.metrics import KEY_RING_BROKEN, KEYS_LOADED
from productive_gateway.sealing.errors import KeyRingError
from productive_gateway.sealing.keys import KeyRing, parse_ring
from productive_gateway.watched.alarm import Alarm
from productive_gateway.watched.changes import Changes
from productive_kube.errors import ApiError
from productive_kube.mount import Mount
from productive_kube.reflector import WINDOW_SECONDS, NamedSecret, Watchable, secret_data

_log = structlog.get_logger(__name__)

FRESH_SECONDS: Final = 2.0
"""Least time between two fresh reads: a forged key id costs its sender, not the API server. A new
key is loaded for ten minutes before it is used, so this age of a read loses nobody anything."""
_POLL_SECONDS: Final = 1.0


class KeyRingSource:
    """Implements `sealing.keys.Keys`.

    The watched Secret is the truth. The mount counts only until anything was loaded.
    """

    def __init__(
        self,
        api: Watchable,
        namespace: str,
        name: str,
        *,
        mount: Path | None = None,
        window: int = WINDOW_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the mount, if there is one; `run` does the rest.

        Args:
            api: the API server.
            namespace: of the key ring Secret.
            name: of the key ring Secret.
            mount: folder that the kubelet mounts the same Secret to.
            window: seconds of one watch.
            monotonic: seconds from any origin.
        """
        self.changes = Changes()
        self._api = api
        self._path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
        self._mount = None if mount is None else Mount(mount)
        self._monotonic = monotonic
        self._alarm = Alarm("key_ring", KEY_RING_BROKEN)
        self._ring: KeyRing | None = None
        self._reading = asyncio.Lock()
        self._asked: float | None = None
        self._failure: str | None = None
        self._watch = NamedSecret(
            api,
            namespace,
            name,
            self._on_object,
            label="key_ring",
            window=window,
            monotonic=monotonic,
        )
        self._load_mount()

    @property
    def healthy(self) -> bool:
        """Whether the watch is."""
        return self._watch.healthy

    @property
    def trouble(self) -> str | None:
        """What is wrong with the published ring; None while it is the one in use."""
        return self._alarm.cause

    def ring(self) -> KeyRing:
        """Return the ring in use.

        Raises:
            Unavailable: none could be read yet.
        """
        if self._ring is None:
            raise Unavailable(
                "The gateway has no key ring yet. Try again in a moment; if it stays so, tell your "
                "administrator to look at the log of the job that makes the key ring.",
                reason="no_key_ring",
            )
        return self._ring

    async def fresh(self) -> KeyRing:
        """Read the ring from the API server now, or share a read of the last two seconds.

        Raises:
            Unavailable: it cannot be read, so whether a key exists is not known.
        """
        async with self._reading:
            now = self._monotonic()
            if self._asked is None or now - self._asked >= FRESH_SECONDS:
                self._failure = await self._read()
                self._asked = self._monotonic()
            if self._failure is not None:
                raise Unavailable(
                    "The gateway cannot read its key ring at the moment. Try again in a few "
                    "seconds; nothing you hold has become invalid.",
                    reason=self._failure,
                )
            return self.ring()

    async def run(self) -> None:
        """Follow the Secret until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch.run())
            group.create_task(self._await_mount())

    async def _await_mount(self) -> None:
        while self._ring is None and self._mount is not None:
            await asyncio.sleep(_POLL_SECONDS)
            self._load_mount()

    def _load_mount(self) -> None:
        mounted = None if self._mount is None or self._ring is not None else self._mount.poll()
        if mounted is None:
            return
        try:
            self._use(_parse(mounted.data))
        except KeyRingError as error:
            # The alarm is about the published Secret, which the watch reads.
            _log.warning("key_ring.mount_unreadable", cause=str(error))

    async def _read(self) -> str | None:
        """Read the Secret; returns the slug of what failed."""
        try:
            secret = await self._api.get(self._path)
        except ApiError as error:
            _log.warning("key_ring.not_read", cause=str(error))
            return "key_ring_unreadable"
        return None if self._take(secret_data(secret)) else "key_ring_broken"

    def _on_object(self, data: dict[str, bytes] | None, _version: str) -> None:
        if data is None:
            self._alarm.sound("the key ring Secret does not exist")
        else:
            self._take(data)

    def _take(self, data: dict[str, bytes]) -> bool:
        try:
            ring = _parse(data)
        except KeyRingError as error:
            self._alarm.sound(str(error))
            return False
        self._alarm.clear()
        if ring != self._ring:
            self._use(ring)
        return True

    def _use(self, ring: KeyRing) -> None:
        self._ring = ring
        KEYS_LOADED.clear()
        for key in ring.keys:
            current = "true" if key.kid == ring.current else "false"
            KEYS_LOADED.labels(kid=key.kid, current=current).set(1)
        _log.info("key_ring.loaded", keys=len(ring.keys), current=ring.current, epoch=ring.epoch)
        self.changes.announce()


def _parse(data: dict[str, bytes]) -> KeyRing:
    if KEY_RING_KEY not in data:
        raise KeyRingError(
            f"the key ring Secret has no {KEY_RING_KEY}; restore it from a backup, or delete it "
            "and run `productive-gateway keys init` to make a new one"
        )
    return parse_ring(data[KEY_RING_KEY])
