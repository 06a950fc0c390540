"""The Go programs of the cluster: kind itself, and what runs in it where nothing can be pulled.

Each has a go.mod of its own below `programs/`, since their requirements exclude each other. What
is built lies in the cache folder, named by source and toolchain.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from harness.build import COMPILE_FLAGS, SOURCE, built_folder
from harness.cache import cache_folder, locked
from harness.golang import BuildError, Go, find_go, required_version
from kind.shell import Failed, run, step

HERE = Path(__file__).resolve().parent
PACKAGES = {
    "kind": "sigs.k8s.io/kind",
    "kube-router": "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router",
    "contour": "github.com/projectcontour/contour/cmd/contour",
    "coredns": "github.com/coredns/coredns",
}
FLAGS = (*COMPILE_FLAGS[:3], "-ldflags=-s -w")


def go() -> Go:
    """Return the toolchain that builds them all."""
    try:
        return find_go(required_version(SOURCE / "go.mod"))
    except BuildError as error:
        raise Failed(str(error)) from error


def built(name: str) -> Path:
    """Build a program unless it is there; return it."""
    toolchain, folder = go(), HERE / "programs" / name
    digest = hashlib.sha256("\0".join((toolchain.version, *FLAGS)).encode())
    for file in ("go.mod", "go.sum"):
        digest.update((folder / file).read_bytes())
    program = cache_folder() / "kind" / f"{name}-{digest.hexdigest()[:12]}" / name
    with locked(cache_folder() / "kind" / f"{name}.lock"):
        if not program.exists():
            with step(f"building {name} (minutes, once)"):
                _build(toolchain, folder, PACKAGES[name], program)
    return program


def pause() -> Path:
    """Build the pod's waiting container; return it."""
    toolchain, source = go(), HERE / "node" / "pause.go"
    digest = hashlib.sha256(source.read_bytes() + toolchain.version.encode())
    program = cache_folder() / "kind" / f"pause-{digest.hexdigest()[:12]}" / "pause"
    if not program.exists():
        _build(toolchain, source.parent, source.name, program)
    return program


def module(name: str, path: str) -> Path:
    """Return the folder of a module's source, such as kind's with its node files."""
    toolchain, folder = go(), HERE / "programs" / name
    env = toolchain.environment()
    run(toolchain.path, "mod", "download", path, env=env, cwd=folder)
    found = run(toolchain.path, "list", "-m", "-f", "{{.Dir}}", path, env=env, cwd=folder)
    return Path(found.strip())


def version(name: str, path: str) -> str:
    """Return the version of a module that a go.mod pins."""
    toolchain, folder = go(), HERE / "programs" / name
    asked = (toolchain.path, "list", "-m", "-f", "{{.Version}}", path)
    return run(*asked, env=toolchain.environment(), cwd=folder).strip()


def kubernetes() -> Path:
    """Return the folder of the Kubernetes programs that `make programs` built.

    Raises:
        Failed: they are not built.
    """
    folder = built_folder(go())
    if not (folder / "kube").exists():
        raise Failed(
            "The Kubernetes programs are not built: run `make programs` first, "
            "with PRODUCTIVE_MCP_KUBE and KUBEBUILDER_ASSETS unset."
        )
    return folder


def _build(toolchain: Go, folder: Path, package: str, program: Path) -> None:
    program.parent.mkdir(parents=True, exist_ok=True)
    fresh = program.with_suffix(".new")
    command = (toolchain.path, "build", *FLAGS, "-o", fresh, package)
    run(*command, env=toolchain.environment(), cwd=folder)
    fresh.replace(program)
