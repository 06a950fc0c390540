"""What is given as a setting, in a file or in a mounted Secret, polled for changes."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from productive_contract.secret import Secret
from productive_kube.mount import Mount


class Polled(Protocol):
    """Data by key, as of a Secret."""

    def poll(self) -> dict[str, bytes] | None:
        """Return the data if they may have changed since the last call; empty if there are none."""
        ...


def polled(setting: Secret | Path, key: str) -> Polled:
    """Return where to poll.

    Args:
        setting: the content itself, the path of a file with it, or of a folder that a Secret is
            mounted to.
        key: under which the content, or that of the file, is returned.
    """
    if isinstance(setting, Secret):
        return _Inline(setting, key)
    return _Folder(setting) if setting.is_dir() else _File(setting, key)


class _Inline:
    def __init__(self, content: Secret, key: str) -> None:
        self._data: dict[str, bytes] | None = {key: content.reveal().encode()}

    def poll(self) -> dict[str, bytes] | None:
        data, self._data = self._data, None
        return data


class _File:
    def __init__(self, path: Path, key: str) -> None:
        self._path = path
        self._key = key
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
