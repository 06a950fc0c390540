"""Clients, a provider and a test suite that others wrote for Node, as `tests/node` names them.

They are installed once into the cache folder, from the lock file, together with a Node that is new
enough for all of them. What takes longest has a folder of its own, `tests/full/node`.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from functools import cache
from pathlib import Path

from harness.cache import cache_folder, locked

TESTS = Path(__file__).parents[1]
FOLDER = TESTS / "node"
FULL = TESTS / "full" / "node"
_MANIFESTS = ("package.json", "package-lock.json")


@cache
def installed(source: Path = FOLDER) -> Path:
    """Return the folder with `node_modules` and our scripts, after installing what is missing."""
    digest = hashlib.sha256(b"".join((source / name).read_bytes() for name in _MANIFESTS))
    folder = cache_folder() / f"node-{digest.hexdigest()[:16]}"
    with locked(folder.with_suffix(".lock")):
        if not (folder / "installed").exists():
            folder.mkdir(parents=True, exist_ok=True)
            for name in _MANIFESTS:
                shutil.copy(source / name, folder)
            # Not `npm ci`, which fails over an optional package for Windows that no longer exists.
            _run(
                "npm",
                "install",
                "--no-save",
                "--no-audit",
                "--no-fund",
                "--loglevel=error",
                folder=folder,
            )
            (folder / "installed").touch()
    return folder


def node() -> Path:
    """Return the Node of the lock file: the suites need a newer one than Debian has."""
    return installed() / "node_modules" / ".bin" / "node"


def script(name: str, source: Path = FOLDER) -> Path:
    """Return a script of a folder, copied beside the packages that it imports."""
    ours, target = source / name, installed(source) / name
    if not target.exists() or target.read_bytes() != ours.read_bytes():
        shutil.copy(ours, target)
    return target


def program(name: str, source: Path = FOLDER) -> Path:
    """Return a program that one of the packages brings."""
    return installed(source) / "node_modules" / ".bin" / name


def _run(*command: str, folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
