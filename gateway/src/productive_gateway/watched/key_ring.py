"""The key ring of the cluster: one Secret, watched by name, and its mount for a cold start.

Whatever is written to the Secret, the last good ring stays in use: its keys work as well as before,
and a gateway without keys would end every session. While nothing confirms that the ring is still
the published one, it is used for `MAX_STALENESS`: a raised epoch ends sign-ins, and a gateway that
cannot see it must not let them in for ever. The mount counts only until a ring was loaded.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final, Unpack

import structlog

from productive_contract.names import KEY_RING_KEY
from productive_gateway.errors import Unavailable
from productive_gateway.observability.metrics import (
    CURRENT_KEY_CREATED,
    KEY_RING_BROKEN,
    KEYS_LOADED,
)
from productive_gateway.sealing.errors import KeyRingError
from productive_gateway.sealing.keys import KeyRing, parse_ring
from productive_gateway.watched.source import SecretSource
from productive_gateway.watched.watched_secret import Data, LastGood, Malformed, WatchOptions
from productive_kube.client import KubeClient
from productive_kube.errors import ApiError

_log = structlog.get_logger(__name__)

FRESH_SECONDS: Final = 2.0
"""The least time between two fresh reads, so that forged key ids do not burden the API server. A
new key is loaded for ten minutes before it is used, so a read of this age misses none."""


class KeyRingSource(SecretSource[KeyRing]):
    """Follows the key ring Secret; implements `sealing.keys.Keys`."""

    def __init__(
        self, client: KubeClient, namespace: str, name: str, **options: Unpack[WatchOptions]
    ) -> None:
        """Read the mount, if there is one; `run` does the rest.

        Args:
            client: the API server.
            namespace: of the key ring Secret.
            name: of the key ring Secret.
            options: see `WatchOptions`.
        """
        self._monotonic = options.get("monotonic", time.monotonic)
        self._reading = asyncio.Lock()
        self._asked: float | None = None
        self._failure: str | None = None
        super().__init__(
            client,
            namespace,
            name,
            LastGood("key_ring", _parse, alarm=KEY_RING_BROKEN, on_use=_report),
            title="The key ring",
            supersedes=lambda _mounted, _present: False,
            **options,
        )

    def ring(self) -> KeyRing:
        """Return the ring in use.

        Raises:
            Unavailable: no ring could be read yet, or it has not been confirmed for too long.
        """
        ring = self.last_ring()
        self._check_age()
        return ring

    def last_ring(self) -> KeyRing:
        """Return the last good ring, however old.

        Raises:
            Unavailable: no ring could be read yet.
        """
        if self._good.value is None:
            raise Unavailable(
                "The gateway has no key ring yet. Try again in a moment; if that does not help, "
                "ask your administrator to look at the log of the job that makes the key ring.",
                reason="no_key_ring",
            )
        return self._good.value

    async def fresh(self) -> KeyRing:
        """Read the ring from the API server now, or share a read of the last two seconds.

        Raises:
            Unavailable: the ring cannot be read, so it is not known whether a key exists.
        """
        async with self._reading:
            now = self._monotonic()
            if self._asked is None or now - self._asked >= FRESH_SECONDS:
                self._failure = await self._read()
                self._asked = self._monotonic()
            if self._failure is not None:
                raise Unavailable(
                    "The gateway cannot read its key ring at the moment. Try again in a few "
                    "seconds; your sign-in stays valid.",
                    reason=self._failure,
                )
            return self.ring()

    async def _read(self) -> str | None:
        """Read the Secret; returns why its ring is not in use, or None."""
        try:
            return None if await self._secret.read() else "key_ring_broken"
        except ApiError as error:
            _log.warning("key_ring.not_read", cause=str(error))
            return "key_ring_unreadable"


def _parse(data: Data) -> KeyRing:
    if KEY_RING_KEY not in data:
        raise Malformed(
            f"the key ring Secret has no {KEY_RING_KEY}; restore it from a backup, or delete it "
            "and run `productive-gateway keys init` to make a new one"
        )
    try:
        return parse_ring(data[KEY_RING_KEY])
    except KeyRingError as error:
        raise Malformed(str(error)) from error


def _report(ring: KeyRing) -> None:
    KEYS_LOADED.clear()
    CURRENT_KEY_CREATED.set(ring.sealing_key().created)
    for key in ring.keys:
        current = "true" if key.kid == ring.current else "false"
        KEYS_LOADED.labels(kid=key.kid, current=current).set(1)
    _log.info("key_ring.loaded", keys=len(ring.keys), current=ring.current, epoch=ring.epoch)
