"""The mapping without a cluster: USER_MAPPING as JSON text, a file, or a mounted folder."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Protocol

from productive_contract.names import MAPPING_KEY, MAPPING_KEY_GZIP
from productive_contract.secret import Secret
from productive_gateway.people.snapshot import Snapshot
from productive_gateway.watched.mapping import LastGoodMapping
from productive_gateway.watched.watched_secret import POLL_SECONDS
from productive_kube.mount import Mount


class _Origin(Protocol):
    def poll(self) -> dict[str, bytes] | None:
        """Return the data if they may have changed since the last call; empty if there are none."""
        ...


class LocalMapping:
    """Implements `People`: reads a file again when it changes, and keeps the last good mapping."""

    def __init__(self, setting: Secret | Path) -> None:
        """Read the mapping once.

        Args:
            setting: the document itself (version 1 or the Worker's), or the path of a file that
                holds one, or of a folder that a mapping Secret is mounted to.
        """
        self._good = LastGoodMapping()
        self._origin = _origin(setting)
        self.poll()

    @property
    def problem(self) -> str | None:
        """What is wrong with the mapping as it is now; None while that one is in use."""
        return self._good.problem

    def snapshot(self) -> Snapshot:
        """Return the last good complete view.

        Raises:
            Unavailable: no mapping could be read yet.
        """
        return self._good.snapshot()

    async def run(self) -> None:
        """Follow the file until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            data = self._origin.poll()
            if data is not None:
                await self._good.prepare(data)
                self._good.take(data)

    def poll(self) -> None:
        """Read the mapping again if it changed."""
        data = self._origin.poll()
        if data is not None:
            self._good.take(data)


def _origin(setting: Secret | Path) -> _Origin:
    if isinstance(setting, Secret):
        return _Inline(setting)
    return _Folder(setting) if setting.is_dir() else _File(setting)


class _Inline:
    def __init__(self, document: Secret) -> None:
        self._data: dict[str, bytes] | None = {MAPPING_KEY: document.reveal().encode()}

    def poll(self) -> dict[str, bytes] | None:
        data, self._data = self._data, None
        return data


class _File:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._key = MAPPING_KEY_GZIP if path.suffix == ".gz" else MAPPING_KEY
        self._seen: tuple[int, int, int] | None = None

    def poll(self) -> dict[str, bytes] | None:
        try:
            now = self._path.stat()
            version = (now.st_mtime_ns, now.st_size, now.st_ino)
            if version == self._seen:
                return None
            data = {self._key: self._path.read_bytes()}
        except OSError:
            self._seen = None
            return {}
        # The stamp from before the read: what is written during the read is read again.
        self._seen = version
        return data


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._mount = Mount(folder)

    def poll(self) -> dict[str, bytes] | None:
        mounted = self._mount.poll()
        return None if mounted is None else mounted.data
