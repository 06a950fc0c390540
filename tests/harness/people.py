"""Changes to people as an administrator makes them, and waiting until gateways use them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

from harness.cluster import Cluster
from harness.kube import Object, secret, secret_data, secrets_path
from harness.processes import eventually

API = "/apis/productive-mcp.dev/v1alpha1/namespaces"
TOKEN_TYPE = "productive-mcp.dev/token"


class ProductiveUsers:
    """The people of one installation."""

    def __init__(self, cluster: Cluster, revisions: Callable[[], list[float]]) -> None:
        """Store the installation and a function that returns the gateways' mapping revisions."""
        self._kube = cluster.kube
        self._names = cluster.names
        self._revisions = revisions

    def add(self, name: str, *, email: str, user_id: int, token: str | None, **spec: Any) -> Object:
        """Create a ProductiveUser and, unless `token` is None, its Secret; return the resource.

        When this returns, every running gateway uses it.
        """
        if token is not None:
            self.set_token(name, token)
        required = {
            "email": email,
            "userId": user_id,
            "apiTokenSecretRef": {"name": f"{name}-token"},
        }
        resource = {
            "apiVersion": "productive-mcp.dev/v1alpha1",
            "kind": "ProductiveUser",
            "metadata": {"name": name},
            "spec": required | spec,
        }
        self._kube.create(f"{API}/{self._names.users}/productiveusers", resource)
        self.settle(name)
        return self.get(name)

    def get(self, name: str) -> Object:
        return self._kube.get(self._path(name))

    def ready(self, name: str) -> Object:
        """Return the Ready condition.

        Raises:
            AssertionError: the operator has not set it for this generation.
        """
        found = self._ready(name)
        assert found is not None, f"the operator has not set a condition on {name} yet"
        return found

    def change(self, name: str, **spec: Any) -> None:
        """Change fields of the spec; when this returns, every running gateway uses them."""
        self._kube.merge(self._path(name), {"spec": spec})
        self.settle(name)

    def set_token(self, name: str, token: str) -> None:
        """Write the person's token Secret; do not wait until it is used."""
        body = secret(f"{name}-token", {"token": token.encode()}, kind=TOKEN_TYPE)
        self._kube.apply(secrets_path(self._names.users, f"{name}-token"), body)

    def remove(self, name: str) -> None:
        """Delete the resource; do not wait, so that tests can measure how long it takes."""
        self._kube.delete(self._path(name))

    def settle(self, name: str) -> None:
        """Wait until the person has a current condition and all gateways use the mapping."""
        eventually(lambda: self._ready(name) is not None, what=f"a condition on {name}")
        self.arrive()

    def arrive(self) -> None:
        """Wait until all running gateways use the mapping that is published now."""
        published = self.published_revision()

        def arrived() -> bool:
            return all(revision >= published for revision in self._revisions())

        eventually(arrived, what=f"revision {published} at every gateway")

    def published(self) -> Object:
        """Return the mapping document that the operator published."""
        path = secrets_path(self._names.release, self._names.mapping)
        data = secret_data(self._kube.get(path))
        packed = data.get("users.json.gz")
        document: Object = json.loads(gzip.decompress(packed) if packed else data["users.json"])
        return document

    def published_revision(self) -> int:
        return int(self.published()["revision"])

    def _path(self, name: str) -> str:
        return f"{API}/{self._names.users}/productiveusers/{name}"

    def _ready(self, name: str) -> Object | None:
        found = self.get(name)
        for condition in found.get("status", {}).get("conditions") or []:
            current = condition.get("observedGeneration") == found["metadata"]["generation"]
            if condition["type"] == "Ready" and current:
                return dict(condition)
        return None


def person() -> Object:
    """Return a ProductiveUser as an administrator writes it."""
    return {
        "apiVersion": "productive-mcp.dev/v1alpha1",
        "kind": "ProductiveUser",
        "metadata": {"name": "ana"},
        "spec": {
            "email": "ana@example.com",
            "userId": 9104,
            "apiTokenSecretRef": {"name": "ana-productive"},
        },
    }
