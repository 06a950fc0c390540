"""A Secret as the kubelet mounts it.

The kubelet writes a new hidden folder, then moves the link `..data` to it in one step. A reader
that opens the files one by one through the outer names may mix two versions; one that resolves the
link once sees one version. (https://pkg.go.dev/k8s.io/kubernetes/pkg/volume/util#AtomicWriter)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LINK: Final = "..data"
_ATTEMPTS: Final = 3
"""The kubelet removes the old version right after the swap; a reader of it starts again."""


@dataclass(frozen=True, slots=True)
class Mounted:
    """One version of the files."""

    link: str
    """What `..data` pointed to, which differs for each version."""
    data: dict[str, bytes]


class Mount:
    """One mounted folder, polled for new versions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: str | None = None

    def poll(self) -> Mounted | None:
        """Return the files if another version is mounted than at the last call, else None.

        This costs one system call as long as nothing changed. A folder that is absent or empty has
        no version.
        """
        for _ in range(_ATTEMPTS):
            link = _link(self.folder)
            if link is None or link == self._seen:
                return None
            data = _read_files(self.folder / link)
            # The old version is removed after the swap: what was read before that is complete.
            if data is not None and _link(self.folder) == link:
                self._seen = link
                return Mounted(link, data)
        return None


def _link(folder: Path) -> str | None:
    try:
        return str((folder / _LINK).readlink())
    except OSError:
        return None


def _read_files(version: Path) -> dict[str, bytes] | None:
    try:
        return {
            entry.name: entry.read_bytes()
            for entry in version.iterdir()
            if not entry.name.startswith(".")
        }
    except OSError:
        return None
