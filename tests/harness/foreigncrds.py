"""The CustomResourceDefinitions of Gateway API, Prometheus operator and Cilium: from Go modules.

Versions and checksums are pinned; the modules are downloaded once, into the harness' cache.
"""

from __future__ import annotations

import functools
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from harness.build import SOURCE
from harness.golang import BuildError, find_go, required_version
from harness.helm import LOADER
from harness.kube import Object
from harness.plane import Plane, served_paths
from harness.processes import eventually


@dataclass(frozen=True, slots=True)
class Module:
    """A Go module and the CRDs in it that the chart uses."""

    name: str
    checksum: str
    files: tuple[str, ...]


MODULES: Final = (
    Module(
        "sigs.k8s.io/gateway-api@v1.6.3",
        "h1:lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc=",
        ("config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",),
    ),
    Module(
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        (
            "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
            "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
        ),
    ),
    Module(
        "github.com/cilium/cilium@v1.18.4",
        "h1:/HrbeMmk46UDkJs4uJemIqxB7wuZ+QRMNVscNYua5C8=",
        ("pkg/k8s/apis/cilium.io/client/crds/v2/ciliumnetworkpolicies.yaml",),
    ),
)


def foreign_crds() -> list[Object]:
    """Return the CRDs.

    Raises:
        BuildError: a module cannot be downloaded, or its checksum is wrong.
    """
    return [
        yaml.load((folder / file).read_text(), LOADER)
        for module in MODULES
        for folder in (_folder(module),)
        for file in module.files
    ]


def serve_foreign_crds(plane: Plane) -> None:
    """Install the CRDs; return when their objects can be listed."""
    crds = foreign_crds()
    for crd in crds:
        name = crd["metadata"]["name"]
        plane.kube.apply(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}", crd)
    for path in [path for crd in crds for path in served_paths(crd)]:
        eventually(functools.partial(_served, plane, path), what=f"{path} is served")


def _served(plane: Plane, path: str) -> bool:
    return plane.kube.ask("GET", path).is_success


def _folder(module: Module) -> Path:
    go = find_go(required_version(SOURCE / "go.mod"))
    # The checksum is verified below, so that no checksum database has to be reachable.
    environment = go.environment() | {"GONOSUMDB": "*"}
    done = subprocess.run(
        [go.path, "mod", "download", "-json", module.name],
        check=False,
        cwd=SOURCE.parent,
        env=environment,
        capture_output=True,
        text=True,
    )
    answer = json.loads(done.stdout or "{}")
    if done.returncode or answer.get("Sum") != module.checksum:
        problem = answer.get("Error") or done.stderr or f"its checksum is {answer.get('Sum')}"
        raise BuildError(f"{module.name} cannot be used ({problem}); check the network connection")
    return Path(answer["Dir"])
