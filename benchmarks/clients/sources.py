"""Public clients of Productive: where they come from, and how they are installed and started.

They are installed into a folder outside of the tree and never become a part of it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(
    os.environ.get("PRODUCTIVE_MCP_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "productive-mcp")
)
FOLDER = CACHE / "clients"
_DONE = "installed"


@dataclass(frozen=True, slots=True)
class Command:
    """Starts a client that speaks MCP over its standard input and output."""

    words: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Access:
    """How a client reaches the simulator."""

    url: str
    """Without a slash at the end."""
    token: str
    person: str
    organization: str = "1200"


@dataclass(frozen=True, slots=True)
class Source:
    """One client in one version."""

    name: str
    version: str
    install: Callable[[Source, Path, Path | None], None]
    start: Callable[[Path, Access], Command]
    repository: str = ""
    """Owner and name on GitHub; empty if it is in a package registry."""
    commit: str = ""
    pins: tuple[str, ...] = ()
    """Versions that it was written for without saying so."""

    @property
    def packaged(self) -> bool:
        """Whether a package registry has it."""
        return not self.repository


def installed(source: Source, mirror: Path | None = None) -> Path:
    """Return the folder of a client, installed if it was not yet.

    Args:
        source: the client.
        mirror: a folder with git repositories named OWNER+NAME, instead of GitHub.

    Raises:
        subprocess.CalledProcessError: it cannot be fetched or built.
    """
    folder = FOLDER / f"{source.name}-{source.version}"
    if not (folder / _DONE).exists():
        folder.mkdir(parents=True, exist_ok=True)
        source.install(source, folder, mirror)
        (folder / _DONE).touch()
    return folder


def _run(*words: str | Path, cwd: Path) -> None:
    done = subprocess.run(words, cwd=cwd, check=False, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-2000:], sep="\n", file=sys.stderr)
        done.check_returncode()


def _check_out(source: Source, folder: Path, mirror: Path | None) -> Path:
    code = folder / "code"
    if not code.exists():
        place = f"https://github.com/{source.repository}"
        if mirror is not None:
            local = mirror / source.repository.replace("/", "+")
            place = str(local / "repo" if (local / "repo").exists() else local)
        _run("git", "clone", "--quiet", "--no-checkout", place, code, cwd=folder)
    _run("git", "-C", code, "checkout", "--quiet", source.commit, cwd=folder)
    return code


def _virtual_environment(folder: Path, *packages: str) -> None:
    _run("python3", "-m", "venv", "venv", cwd=folder)
    pip = folder / "venv" / "bin" / "pip"
    _run(pip, "install", "--quiet", "--disable-pip-version-check", *packages, cwd=folder)


def _from_registry(source: Source, folder: Path, _: Path | None) -> None:
    _virtual_environment(folder, f"{source.name}=={source.version}", *source.pins)


def _python(source: Source, folder: Path, mirror: Path | None) -> None:
    code = _check_out(source, folder, mirror)
    _virtual_environment(folder, "-r", str(code / "requirements.txt"), *source.pins)


def _node(source: Source, folder: Path, mirror: Path | None) -> None:
    code = _check_out(source, folder, mirror)
    _run("npm", "ci", "--no-audit", "--no-fund", cwd=code)
    _run("npm", "run", "build", cwd=code)


def _newer_node(source: Source, folder: Path, mirror: Path | None) -> None:
    _run("npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "node@24", cwd=folder)
    _node(source, folder, mirror)


def _common(access: Access) -> dict[str, str]:
    return {
        "PRODUCTIVE_API_TOKEN": access.token,
        "PRODUCTIVE_ORG_ID": access.organization,
        "PRODUCTIVE_USER_ID": access.person,
    }


_TIME_MCP = """
import sys
import productive_time_mcp.api as api
api.API_BASE = sys.argv.pop()
from productive_time_mcp.__main__ import main
main()
"""
"""It has no setting for the address of the API."""


def _start_time_mcp(folder: Path, access: Access) -> Command:
    python = str(folder / "venv" / "bin" / "python")
    return Command((python, "-c", _TIME_MCP, access.url), _common(access))


def _start_berwickgeek(folder: Path, access: Access) -> Command:
    words = ("node", str(folder / "code" / "build" / "index.js"))
    return Command(words, {**_common(access), "PRODUCTIVE_API_BASE_URL": f"{access.url}/"})


def _start_druellan(folder: Path, access: Access) -> Command:
    words = (str(folder / "venv" / "bin" / "python"), str(folder / "code" / "server.py"))
    return Command(
        words,
        {
            "PRODUCTIVE_API_KEY": access.token,
            "PRODUCTIVE_ORGANIZATION": access.organization,
            "PRODUCTIVE_BASE_URL": access.url,
            "READ_ONLY": "false",
        },
    )


def _start_studiometa(folder: Path, access: Access) -> Command:
    node = next(folder.glob("node_modules/**/bin/node"))
    words = (str(node), str(folder / "code" / "packages" / "mcp" / "dist" / "index.js"))
    return Command(words, {**_common(access), "PRODUCTIVE_BASE_URL": access.url})


TIME_MCP = Source("productive-time-mcp", "0.2.1", _from_registry, _start_time_mcp, pins=("mcp<2",))
BERWICKGEEK = Source(
    "berwickgeek",
    "1.1.3",
    _node,
    _start_berwickgeek,
    "berwickgeek/productive-mcp",
    "f56c0b2",
)
DRUELLAN = Source(
    "druellan",
    "0.2.7",
    _python,
    _start_druellan,
    "druellan/Productive-Simple-MCP",
    "d541ad2",
    ("fastmcp==3.2.4", "mcp<2"),
)
STUDIOMETA = Source(
    "studiometa",
    "0.10.17",
    _newer_node,
    _start_studiometa,
    "studiometa/productive-tools",
    "fb434bf",
)
