"""A namespace with a limited number of Secrets."""

from __future__ import annotations

from harness.cluster import Cluster
from harness.kube import secret, secrets_path
from harness.processes import eventually


def limit_secrets(cluster: Cluster, allowed: int) -> None:
    """Limit the grants namespace to `allowed` Secrets; the limit is enforced when this returns.

    The namespace must have that many already; otherwise the wait for the limit never ends.
    """
    namespace = cluster.names.grants
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    hard = {"count/secrets": str(allowed)}
    quota = {"kind": "ResourceQuota", "metadata": {"name": "grants"}, "spec": {"hard": hard}}
    created = cluster.kube.create(path, quota)
    # No controller of the plane counts objects, so set the count here.
    used = str(len(cluster.kube.items(secrets_path(namespace))))
    created["status"] = {"hard": hard, "used": {"count/secrets": used}}
    cluster.kube.replace(f"{path}/grants/status", created)

    # The admission plugin learns of a quota through its own watch.
    def refused() -> bool:
        probe = secret("probe", {}, kind="Opaque")
        answer = cluster.kube.ask("POST", secrets_path(namespace), probe, query={"dryRun": "All"})
        return answer.status_code == 403

    eventually(refused, what="the quota in force")
