"""`runtime.py TREE`: collect into a folder what a Python program needs of this machine.

That is the Python that runs this, its standard library without what servers never use, the shared
libraries that these need, certificate authorities, and the few files that the C library reads. The
folder becomes an image that has no shell and no package manager.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

LEFT_OUT = (
    # What people use at a screen, or while they write programs, and Python's own tests.
    *("__phello__", "ensurepip", "idlelib", "pydoc_data", "test", "tkinter", "turtle"),
    *("turtledemo", "_tkinter"),
    # Folders beside the modules: other packages.
    *("dist-packages", "site-packages"),
)
"""Of the standard library: whole modules and packages that no server uses."""
LEFT_OUT_PREFIXES = ("_test", "_ctypes_test", "_xxtest", "xx", "config-")
"""Modules for Python's own tests, and what builds extensions."""
LOADED_BY_NAME = ("libgcc_s.so.1", "libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2")
"""What the C library loads when a thread ends or a name is resolved; newer ones need less of it."""
WHEELS_NEED = ("libdl.so.2", "librt.so.1", "libpthread.so.0", "libm.so.6", "libstdc++.so.6")
"""What a manylinux wheel may expect on every machine (PEP 600), besides the above."""
SETTINGS = (
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/ld.so.cache",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/protocols",
    "/etc/services",
    "/etc/ssl/openssl.cnf",
    "/usr/lib/ssl/openssl.cnf",
)
"""Read by the C library, OpenSSL and scanners of images, where the machine has them."""
CERTIFICATES = ("/etc/ssl/certs", "/usr/lib/ssl/certs", "/usr/lib/ssl/cert.pem")
USERS = """\
root:x:0:0::/nonexistent:/sbin/nologin
productive:x:10001:10001::/tmp:/sbin/nologin
"""
GROUPS = """\
root:x:0:
productive:x:10001:
"""


class Tree:
    """A file system that grows by files of this machine, each at its own path."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.kept: set[Path] = set()
        """Files at the path where they really are."""

    def keep(self, path: Path) -> None:
        """Copy a file or a folder, and each link on the way to it with what it leads to."""
        for place in (*reversed(path.parents), path):
            if place.is_symlink():
                self._link(place)
                led = os.path.normpath(place.parent / place.readlink())
                self.keep(Path(led) / path.relative_to(place))
                return
        if path.is_dir():
            self.at(path).mkdir(parents=True, exist_ok=True)
            for one in path.iterdir():
                self.keep(one)
        elif path not in self.kept:
            self.kept.add(path)
            self.at(path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, self.at(path))

    def at(self, path: Path) -> Path:
        """Return where a path of the tree is on this machine."""
        return self.root / path.relative_to("/")

    def write(self, path: str, text: str) -> None:
        """Write a file of the tree's own."""
        self.at(Path(path)).parent.mkdir(parents=True, exist_ok=True)
        self.at(Path(path)).write_text(text)

    def _link(self, place: Path) -> None:
        if not self.at(place).is_symlink():
            self.at(place).parent.mkdir(parents=True, exist_ok=True)
            self.at(place).symlink_to(place.readlink())


def collect(tree: Tree) -> None:
    """Copy all of it.

    Raises:
        ValueError: a shared library or the certificate authorities are missing on this machine.
    """
    for one in _interpreter():
        tree.keep(one)
    for one in _library():
        tree.keep(one)
    for name in (*SETTINGS, *CERTIFICATES):
        if Path(name).exists():
            tree.keep(Path(name))
    for path in _shared(one for one in tree.kept if _is_program(one)):
        tree.keep(path)
    if not tree.at(Path("/etc/ssl/certs/ca-certificates.crt")).exists():
        raise ValueError("There are no certificate authorities: install ca-certificates.")
    tree.write("/etc/passwd", USERS)
    tree.write("/etc/group", GROUPS)
    tree.at(Path("/tmp")).mkdir()
    tree.at(Path("/tmp")).chmod(0o1777)
    _record_packages(tree)


def _interpreter() -> Iterator[Path]:
    """Give the names by which an environment may have linked to this Python."""
    folder = Path(sys.executable).parent
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for name in ("python", "python3", version):
        if (folder / name).exists():
            yield folder / name


def _library() -> Iterator[Path]:
    modules = Path(str(sysconfig.get_config_var("DESTSHARED")))
    for folder in {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}:
        for within in (folder, folder / "__pycache__", modules):
            for path in within.iterdir():
                if path.name != "__pycache__" and path != modules and is_wanted(path.name):
                    yield path


def is_wanted(name: str) -> bool:
    """Return whether a file or folder of the standard library belongs into an image."""
    return name.split(".", maxsplit=1)[0] not in LEFT_OUT and not name.startswith(LEFT_OUT_PREFIXES)


def _is_program(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _shared(programs: Iterable[Path]) -> set[Path]:
    """Return the libraries that programs and libraries need, as the loader finds them.

    Raises:
        ValueError: one is missing.
    """
    listed = _ran("ldd", *map(str, programs))
    missing = re.findall(r"(\S+) => not found", listed)
    if missing:
        raise ValueError(f"Shared libraries are missing: {', '.join(sorted(set(missing)))}")
    found = {Path(one) for one in re.findall(r"(?:=> |^\s+)(/\S+) \(0x", listed, re.MULTILINE)}
    (libc,) = (one for one in found if one.name == "libc.so.6")
    # Beside libc.so.6 or, the compiler's, in the other of the two folders of older Debian.
    beside = (libc.parent, Path("/usr") / libc.parent.relative_to("/"))
    named = (folder / name for name in (*LOADED_BY_NAME, *WHEELS_NEED) for folder in beside)
    return found | {one for one in named if one.exists()}


def _record_packages(tree: Tree) -> None:
    """Write of which packages the files are: scanners look for known vulnerabilities by it."""
    if not shutil.which("dpkg-query"):
        return
    files = [str(one) for one in tree.kept if _is_program(one) or one.suffix == ".crt"]
    # Before Debian 13, packages name the folder that has become a link.
    files += [one.removeprefix("/usr") for one in files if one.startswith("/usr/lib/")]
    owners = _ran("dpkg-query", "--search", *files)
    packages = {
        name
        for line in owners.splitlines()
        if ": /" in line and not line.startswith("diversion ")
        for name in line.split(": /")[0].split(", ")
    }
    status = _ran("dpkg-query", "--status", *sorted(packages))
    tree.write("/var/lib/dpkg/status", status)


def _ran(*command: str) -> str:
    # Both programs end with an error when some of what they were asked for is unknown to them.
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout


if __name__ == "__main__":
    collect(Tree(Path(sys.argv[1])))
