"""A namespace that takes no more Secrets."""

from __future__ import annotations

from harness.cluster import Cluster
from harness.kube import secret, secrets_path
from harness.processes import eventually


def limit_secrets(cluster: Cluster, allowed: int) -> None:
    """Let the grants namespace hold `allowed` Secrets; enforced when this returns.

    It must hold that many already, or nothing tells that the limit is in force.
    """
    namespace = cluster.names.grants
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    hard = {"count/secrets": str(allowed)}
    quota = {"kind": "ResourceQuota", "metadata": {"name": "grants"}, "spec": {"hard": hard}}
    created = cluster.kube.create(path, quota)
    # No controller of the plane counts for us: say what it would say.
    used = str(len(cluster.kube.items(secrets_path(namespace))))
    created["status"] = {"hard": hard, "used": {"count/secrets": used}}
    cluster.kube.replace(f"{path}/grants/status", created)

    # Admission learns of a quota through a watch of its own.
    def refused() -> bool:
        probe = secret("probe", {}, kind="Opaque")
        answer = cluster.kube.ask("POST", secrets_path(namespace), probe, query={"dryRun": "All"})
        return answer.status_code == 403

    eventually(refused, what="the quota in force")
