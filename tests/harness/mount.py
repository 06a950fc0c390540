"""A Secret's volume as the kubelet writes it, for gateways that run as plain processes.

    folder/users.json -> ..data/users.json
    folder/..data     -> ..2026_11_24_07_00_00.1234
    folder/..2026_11_24_07_00_00.1234/users.json

New content is written to a new folder; one rename of `..data` makes all of it visible at once
(kubernetes/pkg/volume/util/atomic_writer.go).
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from harness.background import BackgroundLoop
from harness.kube import USER_AGENT, Object, secret_data, secrets_path
from harness.plane import Plane

DATA = "..data"
WINDOW_SECONDS = 300


class MappingMount:
    """The mount of one Secret; `path(key)` is the file that a program reads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, key: str = "users.json") -> Path:
        return self.folder / key

    def write(self, data: Mapping[str, bytes]) -> None:
        """Replace the content, atomically for readers of `..data`."""
        stamp = datetime.now(UTC).strftime("..%Y_%m_%d_%H_%M_%S.") + secrets.token_hex(4)
        fresh = self.folder / stamp
        fresh.mkdir()
        for key, value in data.items():
            (fresh / key).write_bytes(value)
        link = self.folder / DATA
        old = link.readlink() if link.is_symlink() else None
        temporary = self.folder / "..data_tmp"
        temporary.symlink_to(stamp)
        temporary.replace(link)
        self._link(data)
        if old is not None:
            shutil.rmtree(self.folder / old)

    def _link(self, data: Mapping[str, bytes]) -> None:
        """Create the links that programs read, and remove those of deleted keys."""
        for key in data:
            if not (self.folder / key).is_symlink():
                (self.folder / key).symlink_to(f"{DATA}/{key}")
        for link in self.folder.iterdir():
            if not link.name.startswith("..") and link.name not in data:
                link.unlink()

    @contextmanager
    def following(self, plane: Plane, namespace: str, name: str) -> Iterator[None]:
        """Write the content of the real Secret, now and at each change, during the block.

        The kubelet does the same a minute late. Deleting the Secret does not change the mount.
        """
        background = BackgroundLoop("mapping-mount")
        try:
            tls = plane.admin.tls(plane.folder)
            work = self._follow(plane.admin.server, tls, secrets_path(namespace), name)
            asyncio.run_coroutine_threadsafe(work, background.loop)
            yield
        finally:
            background.close()

    async def _follow(self, server: str, tls: ssl.SSLContext, path: str, name: str) -> None:
        connector = aiohttp.TCPConnector(ssl=tls)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(
            server, connector=connector, timeout=timeout, headers={"User-Agent": USER_AGENT}
        ) as api:
            while True:
                try:
                    await self._watch(api, path, name)
                except aiohttp.ClientError:
                    # A test restarts the API server.
                    await asyncio.sleep(0.2)

    async def _watch(self, api: aiohttp.ClientSession, path: str, name: str) -> None:
        """Follow one watch to its end; without a version it starts with the current object."""
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={name}",
            "timeoutSeconds": str(WINDOW_SECONDS),
        }
        async with api.get(path, params=query) as answer:
            answer.raise_for_status()
            buffer = b""
            async for chunk in answer.content.iter_any():
                *lines, buffer = (buffer + chunk).split(b"\n")
                for line in lines:
                    self._take(json.loads(line))

    def _take(self, event: Object) -> None:
        if event["type"] in {"ADDED", "MODIFIED"}:
            self.write(secret_data(event["object"]))
