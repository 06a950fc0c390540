"""The Deployments and pods of a running `Deployment`, as the chart and the kubelet would make them.

The control plane of the tests runs no pods: the objects lead to the processes on this machine.
"""

from __future__ import annotations

from harness.deployment import CLIENT_ID, Deployment
from harness.kube import Object

PARTS = "app.kubernetes.io"


def make_objects(running: Deployment) -> None:
    """Create them, once for each deployment; the ServiceAccounts have the chart's rights."""
    kube, names = running.cluster.kube, running.cluster.names
    deployments = f"/apis/apps/v1/namespaces/{names.release}/deployments"
    if kube.find(f"{deployments}/{names.release}-gateway") is not None:
        return
    for account in ("operator", "gateway"):
        running.cluster.account(account)
    gateway = {
        "PUBLIC_URL": running.url,
        "GRANTS": f"kubernetes://{names.grants}",
        "MAPPING_SECRET": names.mapping,
        "KEY_RING_SECRET": names.key_ring,
        "OIDC_ISSUER": running.issuer,
        "OIDC_CLIENT_ID": CLIENT_ID,
    }
    operator = {"USERS_NAMESPACE": names.users, "MAPPING_SECRET": names.mapping}
    for program, settings in (("operator", operator), ("gateway", gateway)):
        kube.create(deployments, _deployment(names.release, program, settings))
    pods = [("operator", 0, running.operator_port)]
    pods += [("gateway", number, port) for number, port in enumerate(running.internal_ports)]
    path = f"/api/v1/namespaces/{names.release}/pods"
    for program, number, port in pods:
        created = kube.create(path, _pod(names.release, program, number, port))
        created["status"] = {"phase": "Running", "podIP": "127.0.0.1"}
        kube.replace(f"{path}/{created['metadata']['name']}/status", created)


def _labels(release: str, program: str) -> dict[str, str]:
    return {
        f"{PARTS}/name": "productive-mcp",
        f"{PARTS}/instance": release,
        f"{PARTS}/component": program,
        f"{PARTS}/part-of": "productive-mcp",
    }


def _deployment(release: str, program: str, settings: dict[str, str]) -> Object:
    labels = _labels(release, program)
    container = {
        "name": program,
        "image": f"productive-mcp-{program}:test",
        "env": [{"name": name, "value": value} for name, value in settings.items()],
    }
    return {
        "kind": "Deployment",
        "metadata": {"name": f"{release}-{program}", "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"serviceAccountName": program, "containers": [container]},
            },
        },
    }


def _pod(release: str, program: str, number: int, port: int) -> Object:
    container = {
        "name": program,
        "image": f"productive-mcp-{program}:test",
        "ports": [{"name": "internal", "containerPort": port}],
    }
    return {
        "kind": "Pod",
        "metadata": {"name": f"{program}-{number}", "labels": _labels(release, program)},
        "spec": {"containers": [container], "serviceAccountName": program},
    }
