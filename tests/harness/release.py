"""A release of our chart on a plane, in namespaces of its own.

Nothing runs pods there, so hooks stay out and their work is done by the tests.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.helm import Helm
from harness.kube import Identity, Kube, Object
from harness.namespaces import Namespaces, new_namespaces
from harness.plane import Plane

FLAGS = ("--no-hooks", "--take-ownership")
"""The plane's CRD was there before."""
GROUPS = (
    "/api/v1",
    "/apis/apps/v1",
    "/apis/autoscaling/v2",
    "/apis/batch/v1",
    "/apis/networking.k8s.io/v1",
    "/apis/policy/v1",
    "/apis/productive-mcp.dev/v1alpha1",
    "/apis/rbac.authorization.k8s.io/v1",
)
OF_EVERY_NAMESPACE = {"ServiceAccount/default", "ConfigMap/kube-root-ca.crt"}


class Release:
    """A release, installed by the cluster's administrator or by somebody else."""

    def __init__(self, helm: Helm, plane: Plane, folder: Path, close: ExitStack) -> None:
        self.plane, self.kube, self._helm, self._close = plane, plane.kube, helm, close
        self.names = _new_release(plane.kube)
        admin = replace(plane.admin, namespace=self.names.release)
        self.kubeconfig = admin.write_kubeconfig(folder / f"{self.names.release}.kubeconfig")

    def install(self, values: dict[str, Any] | None = None) -> None:
        self._run("install", values)

    def upgrade(self, values: dict[str, Any]) -> None:
        self._run("upgrade", values)

    def uninstall(self) -> None:
        self._helm.uninstall(self.names.release, "--no-hooks", kubeconfig=self.kubeconfig)

    def program(self, name: str) -> Kube:
        """Return the API as a program of the release, by a token of its ServiceAccount."""
        release = self.names.release
        path = f"/api/v1/namespaces/{release}/serviceaccounts/{release}-{name}/token"
        request: Object = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1"}
        token = self.kube.create(path, request | {"spec": {"expirationSeconds": 3600}})
        identity = Identity(
            self.plane.admin.server,
            self.plane.authority.certificate,
            namespace=release,
            token=str(token["status"]["token"]),
        )
        return self._close.enter_context(self.plane.client(identity))

    def get(self, plural: str, name: str, *, group: str = "apps/v1") -> Object:
        """Return an object of the release's namespace."""
        return self.kube.get(f"/apis/{group}/namespaces/{self.names.release}/{plural}/{name}")

    def left(self, namespace: str) -> set[str]:
        """Return what is in a namespace, but for Events and what every namespace has."""
        found = set()
        for group in GROUPS:
            for resource in self.kube.get(group)["resources"]:
                # A controller may report what it saw of a release until a moment after its end.
                if resource["kind"] == "Event":
                    continue
                if "list" in resource["verbs"] and resource["namespaced"]:
                    items = self.kube.items(f"{group}/namespaces/{namespace}/{resource['name']}")
                    found |= {f"{resource['kind']}/{one['metadata']['name']}" for one in items}
        return {one for one in found if one not in OF_EVERY_NAMESPACE}

    def _run(self, command: str, values: dict[str, Any] | None) -> None:
        release = self.names.release
        self._helm.run(command, release, *FLAGS, kubeconfig=self.kubeconfig, values=values)


def _new_release(kube: Kube) -> Namespaces:
    """Return names of which only the release's namespace exists: the chart makes the others."""
    release = new_namespaces(kube).release
    own = Namespaces.of(f"{release}-c")
    kube.create("/api/v1/namespaces", {"kind": "Namespace", "metadata": {"name": own.release}})
    return own
