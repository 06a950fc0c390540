"""Each NetworkPolicy with flows that pass and flows that do not, tried from real pods.

A flow that must not pass goes to a target that another pod reaches: else nothing would be shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
import yaml

from harness.installation import Installation
from harness.kube import Object
from harness.reach import Pod, listener, started, unrestricted
from harness.terminal import Terminal

PUBLIC = "203.0.113.10"
"""A documentation address (RFC 5737) that plays the public internet: the provider is there."""
DNS = "dns:idp.example.test"
API_SERVER = "kubernetes.default.svc:443"
GATEWAY = "productive-gateway.productive.svc:80"
PRIVATE_SERVICE = "envoy.projectcontour.svc:443"
ELSEWHERE = (53, 80, 443)
STAND_IN = 8787
NAMESPACES = "elsewhere monitoring"

pytestmark = pytest.mark.attack("K-13")


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Pods of others, and what can be reached in the cluster."""

    stranger: Pod
    """In a namespace that nothing of ours knows; it accepts connections on ELSEWHERE."""
    prometheus: Pod
    """In the namespace of networkPolicy.metricsFrom."""
    ingress: Pod
    """In the namespace of networkPolicy.ingressFrom."""
    gateway: Pod
    operator: Pod
    kubelet: str

    @property
    def private(self) -> list[str]:
        """Targets in private networks that are open to everybody else."""
        ports = [f"{self.stranger.address}:{port}" for port in ELSEWHERE]
        return [*ports, PRIVATE_SERVICE, self.kubelet]

    @property
    def public(self) -> list[str]:
        return [f"{PUBLIC}:443", f"{PUBLIC}:80"]


@pytest.fixture(scope="module")
def neighbours(installation: Installation, terminal: Terminal) -> Iterator[Neighbours]:
    gone = f"kubectl delete namespace {NAMESPACES} --ignore-not-found --timeout=120s"
    prober = "kubectl delete pod prober -n projectcontour --ignore-not-found --timeout=60s"
    terminal(gone)
    terminal(prober)
    for namespace in NAMESPACES.split():
        terminal(f"kubectl create namespace {namespace}")
    [node, *_] = terminal.found("kubectl get nodes -o json")["items"]
    address = next(
        one["address"] for one in node["status"]["addresses"] if one["type"] == "InternalIP"
    )
    yield Neighbours(
        stranger=started(terminal, unrestricted("elsewhere", "stranger", ELSEWHERE)),
        prometheus=started(terminal, unrestricted("monitoring", "prometheus")),
        ingress=started(terminal, unrestricted("projectcontour", "prober")),
        gateway=Pod(terminal, "productive", installation.names("gateway")[0]),
        operator=Pod(terminal, "productive", installation.names("operator")[0]),
        kubelet=f"{address}:10250",
    )
    terminal(prober)
    terminal(gone)


def test_the_gateway_is_open_to_the_ingress_and_its_metrics_to_prometheus(
    neighbours: Neighbours,
) -> None:
    address = neighbours.gateway.address
    public, internal = f"{address}:8787", f"{address}:9090"
    neighbours.ingress.reaches({public: True, internal: False, GATEWAY: True})
    neighbours.prometheus.reaches({public: False, internal: True, GATEWAY: False})
    neighbours.stranger.reaches({public: False, internal: False, GATEWAY: False})


def test_the_operator_is_open_to_prometheus_alone(neighbours: Neighbours) -> None:
    internal = f"{neighbours.operator.address}:9090"
    neighbours.prometheus.reaches({internal: True})
    neighbours.ingress.reaches({internal: False})
    neighbours.stranger.reaches({internal: False})
    neighbours.gateway.reaches({internal: False})


def test_the_gateway_reaches_dns_the_api_server_and_public_https(neighbours: Neighbours) -> None:
    neighbours.stranger.reaches(all_of([*neighbours.private, *neighbours.public]))
    neighbours.gateway.reaches(
        {DNS: True, API_SERVER: True, f"{PUBLIC}:443": True, f"{PUBLIC}:80": False}
        | none_of(neighbours.private)
    )


def test_the_operator_reaches_dns_and_the_api_server(neighbours: Neighbours) -> None:
    neighbours.stranger.reaches(all_of([*neighbours.private, *neighbours.public]))
    neighbours.operator.reaches(
        {DNS: True, API_SERVER: True, GATEWAY: False}
        | none_of([*neighbours.private, *neighbours.public])
    )


def test_the_job_that_makes_the_keys_reaches_dns_and_the_api_server(
    neighbours: Neighbours, terminal: Terminal
) -> None:
    closed = [*neighbours.private, *neighbours.public]
    with_policy_or_not(
        neighbours, terminal, "keys", {DNS: True, API_SERVER: True} | none_of(closed)
    )


def test_the_pod_of_helm_test_reaches_dns_and_the_gateway(
    neighbours: Neighbours, terminal: Terminal
) -> None:
    closed = [API_SERVER, *neighbours.private, *neighbours.public]
    with_policy_or_not(neighbours, terminal, "test", {DNS: True, GATEWAY: True} | none_of(closed))


def with_policy_or_not(
    neighbours: Neighbours, terminal: Terminal, component: str, expected: dict[str, bool]
) -> None:
    """Run the pod of a hook with another command, first without and then with its NetworkPolicy."""
    hooks = list(yaml.safe_load_all(terminal("helm get hooks productive -n productive")))
    template = next(one for one in map(template_of, hooks) if is_of(one, component))
    policy = next(one for one in hooks if one["kind"] == "NetworkPolicy" and is_of(one, component))
    pod = started(terminal, stand_in(component, template))
    address = f"{pod.address}:{STAND_IN}"
    try:
        pod.reaches(all_of(expected))
        neighbours.stranger.reaches({address: True})
        terminal("kubectl apply -f -", given=yaml.safe_dump(policy))
        pod.reaches(expected)
        neighbours.stranger.reaches({address: False})
    finally:
        gone = "--ignore-not-found --grace-period=1"
        terminal(f"kubectl delete pod -n productive {pod.name} {gone}")
        terminal(f"kubectl delete networkpolicy -n productive productive-{component} {gone}")


def template_of(hook: Object) -> Object:
    """Return the pod that a hook runs; of one that runs none, an empty object."""
    found: Object = hook["spec"]["template"] if hook["kind"] == "Job" else hook
    return found if "containers" in found.get("spec", {}) else {}


def is_of(one: Object, component: str) -> bool:
    labels = one.get("metadata", {}).get("labels", {})
    return bool(labels.get("app.kubernetes.io/component") == component)


def stand_in(component: str, template: Object) -> Object:
    [container] = template["spec"]["containers"]
    listening = container | {"command": listener([STAND_IN])}
    account = {"serviceAccountName": "default", "automountServiceAccountToken": False}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{component}-stand-in",
            "namespace": "productive",
            "labels": template["metadata"]["labels"],
        },
        "spec": template["spec"] | account | {"containers": [listening]},
    }


def all_of(targets: Sequence[str] | dict[str, bool]) -> dict[str, bool]:
    return dict.fromkeys(targets, True)


def none_of(targets: Sequence[str]) -> dict[str, bool]:
    return dict.fromkeys(targets, False)
