"""Builds etcd, the Kubernetes programs, kubectl and helm for the tests, as one binary.

`python -m harness.build` (in `tests/`) builds it if it is missing and prints its folder. This is a
separate step because a build without cache takes minutes; no test builds anything.

If `PRODUCTIVE_MCP_KUBE` or else `KUBEBUILDER_ASSETS` names a folder with every program that the
tests use, such as that of envtest, it is used instead.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

from harness.cache import cache_folder, locked
from harness.golang import BuildError, Go, find_go, required_version

SOURCE = Path(__file__).resolve().parent.parent / "controlplane"
PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubeadm",
    "kubectl",
    "helm",
)
NEEDED = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "helm")
"""The programs that tests start on this machine; the others are for nodes."""
COMPILE_FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false")
PROGRESS_SECONDS = 15.0


def programs() -> Path:
    """Return the folder of the programs.

    Raises:
        BuildError: the programs are not built yet.
    """
    given = given_folder()
    if given:
        return given
    folder = built_folder(find_go(required_version(SOURCE / "go.mod")))
    if not _complete(folder, PROGRAMS):
        raise BuildError("The Kubernetes programs are not built yet: run `make programs` first.")
    return folder


def given_folder() -> Path | None:
    """Return the first folder named by the environment that has all needed programs."""
    for variable in ("PRODUCTIVE_MCP_KUBE", "KUBEBUILDER_ASSETS"):
        value = os.environ.get(variable)
        if value and _complete(Path(value), NEEDED):
            return Path(value).absolute()
    return None


def built_folder(go: Go) -> Path:
    """Return the cache folder for a build of this source with this toolchain."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum", "main.go"):
        digest.update((SOURCE / name).read_bytes())
    digest.update("\0".join((go.version, *COMPILE_FLAGS, _link_flags())).encode())
    return cache_folder() / f"kube-{kubernetes_version()}-{digest.hexdigest()[:12]}"


def kubernetes_version() -> str:
    """Return the version of Kubernetes that go.mod pins, such as `v1.37.2`."""
    found = re.search(
        r"^\s*k8s\.io/kubernetes (v\S+)", (SOURCE / "go.mod").read_text(), re.MULTILINE
    )
    if found is None:
        raise BuildError("go.mod does not pin k8s.io/kubernetes; restore it from version control.")
    return found[1]


def build() -> Path:
    """Build the programs unless they exist; return their folder.

    Raises:
        BuildError: the build failed.
    """
    given = given_folder()
    if given:
        return given
    go = find_go(required_version(SOURCE / "go.mod"))
    folder = built_folder(go)
    with locked(cache_folder() / "kube.lock"):
        if not _complete(folder, PROGRAMS):
            folder.mkdir(parents=True, exist_ok=True)
            _compile(go, folder / "kube.new")
            (folder / "kube.new").replace(folder / "kube")
            _link(folder)
    return folder


def _complete(folder: Path, names: tuple[str, ...]) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in names)


def _link(folder: Path) -> None:
    for name in PROGRAMS:
        link = folder / f"{name}.new"
        link.unlink(missing_ok=True)
        link.symlink_to("kube")
        link.replace(folder / name)


def _link_flags() -> str:
    """Return the linker flags: without symbols, with the version that the programs report."""
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".", 2)
    stamps = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "0" * 40,
        "buildDate": "2026-01-01T00:00:00Z",
    }
    package = "k8s.io/component-base/version"
    return " ".join(
        ["-s", "-w", *(f"-X {package}.{name}={value}" for name, value in stamps.items())]
    )


def _compile(go: Go, output: Path) -> None:
    print(f"building the Kubernetes programs {kubernetes_version()} with {go.version}", flush=True)
    print("(with an empty cache this takes 7 to 15 minutes and 4 GB of disk, once)", flush=True)
    command: list[str | Path] = [
        go.path,
        "build",
        "-v",
        *COMPILE_FLAGS,
        "-ldflags",
        _link_flags(),
        "-o",
        output,
        ".",
    ]
    process = subprocess.Popen(
        command,
        cwd=SOURCE,
        env=go.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = _Progress()
    finished = threading.Event()
    ticker = threading.Thread(target=lines.tick, args=(finished,), daemon=True)
    ticker.start()
    try:
        assert process.stderr is not None
        for line in process.stderr:
            lines.add(line.rstrip())
        code = process.wait()
    finally:
        finished.set()
        process.kill()
        process.wait()
        ticker.join()
    if code:
        detail = "\n".join(lines.tail)
        raise BuildError(f"`go build` in {SOURCE} failed; fix what it reports:\n{detail}")
    print(f"built in {lines.elapsed():.0f} s", flush=True)


class _Progress:
    """Reports the progress of `go build -v` every few seconds."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._count = 0
        self.tail: list[str] = []

    def elapsed(self) -> float:
        return time.monotonic() - self._started

    def add(self, line: str) -> None:
        self._count += 1
        self.tail = [*self.tail[-20:], line]

    def tick(self, finished: threading.Event) -> None:
        while not finished.wait(PROGRESS_SECONDS):
            last = self.tail[-1] if self.tail else "linking"
            print(f"  {self.elapsed():4.0f} s  {self._count} packages, {last}", flush=True)


def main() -> int:
    """Build the programs and print their folder."""
    try:
        print(build())
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
