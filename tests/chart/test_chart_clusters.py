"""Values for the clusters that companies have: clusters/*.yaml of the chart."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
import yaml

from harness.egress import Target, may_reach
from harness.helm import CHART, Helm, Rendered
from productive_gateway.settings import load_settings

FOLDER = CHART / "clusters"
PAGE = CHART.parents[1] / "docs" / "clusters.md"
INTERNET = "203.0.113.10"
COREDNS = Target(53, namespace="kube-system", protocol="UDP")
NODE = "169.254.20.10"


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a cluster is like: where its API server and its DNS are seen."""

    api_server: tuple[Target, ...]
    dns: tuple[Target, ...] = (COREDNS,)
    version: str = "v1.34.0"
    outgoing: tuple[Target, ...] = (Target(443, INTERNET),)


def on(port: int, *addresses: str) -> tuple[Target, ...]:
    return tuple(Target(port, address) for address in addresses)


CLUSTERS = {
    "kind": Cluster(on(6443, "172.18.0.3")),
    "k3s": Cluster((*on(443, "10.43.0.1"), *on(6443, "192.0.2.10"))),
    "eks": Cluster(on(443, "172.20.0.1", "10.0.1.7"), version="v1.33.5-eks-5d4a308"),
    "gke-standard": Cluster(
        on(443, "34.118.224.1", "192.0.2.10"),
        dns=(COREDNS, *(Target(53, one, protocol="UDP") for one in (NODE, "34.118.224.10"))),
        version="v1.33.4-gke.1172000",
    ),
    "gke-autopilot": Cluster(
        on(443, "34.118.224.1", "192.0.2.10"),
        dns=tuple(Target(53, one, protocol="UDP") for one in (NODE, "169.254.169.254")),
        version="v1.33.4-gke.1172000",
    ),
    "aks": Cluster(on(443, "10.0.0.1", "192.0.2.10"), dns=(COREDNS, Target(53, "169.254.10.11"))),
    "openshift": Cluster(
        (*on(443, "172.30.0.1"), *on(6443, "10.0.3.4")),
        dns=(Target(5353, namespace="openshift-dns", protocol="UDP"),),
    ),
    "cilium": Cluster(()),
    "calico-nodelocal-dns": Cluster(
        (*on(443, "10.96.0.1"), *on(6443, "192.0.2.10")),
        dns=(COREDNS, *(Target(53, one, protocol="UDP") for one in (NODE, "10.96.0.10"))),
    ),
    "ipv6-only": Cluster(
        (*on(443, "fd00:10:96::1"), *on(6443, "2001:db8::7")),
        outgoing=(Target(443, "2606:4700::1"), Target(443, "64:ff9b::cb00:710a")),
    ),
    "service-mesh": Cluster(on(6443, "10.1.2.3")),
    "outgoing-proxy": Cluster(on(6443, "10.1.2.3"), outgoing=(Target(3128, "192.0.2.80"),)),
}

names = pytest.mark.parametrize("name", CLUSTERS)


def test_every_file_is_of_a_cluster_that_is_tested_here() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == CLUSTERS.keys()


def test_the_page_about_clusters_has_a_row_for_each_file() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    linked = [re.findall(r"clusters/([a-z0-9-]+)\.yaml", row) for row in rows]
    assert sorted(one for row in linked for one in row) == sorted(CLUSTERS)


@names
def test_the_programs_reach_api_server_and_dns(helm: Helm, name: str) -> None:
    cluster = CLUSTERS[name]
    rendered = _rendered(helm, name)
    for program in ("gateway", "operator", "keys"):
        policy = rendered.get("NetworkPolicy", f"productive-{program}")
        for target in (*cluster.api_server, *cluster.dns):
            assert may_reach(policy, target), f"{program}: {target}"
    if not cluster.api_server:
        assert len(rendered.of("CiliumNetworkPolicy")) == 3


@names
@pytest.mark.attack("K-13")
def test_only_the_gateway_reaches_the_internet(helm: Helm, name: str) -> None:
    rendered = _rendered(helm, name)
    gateway = rendered.get("NetworkPolicy", "productive-gateway")
    for target in CLUSTERS[name].outgoing:
        assert may_reach(gateway, target)
    for program in ("operator", "keys"):
        policy = rendered.get("NetworkPolicy", f"productive-{program}")
        for address in (INTERNET, "2606:4700::1", "10.200.200.200"):
            assert not may_reach(policy, Target(443, address))
            assert not may_reach(policy, Target(80, address))


@names
def test_gateway_accepts_the_settings_of_the_file(helm: Helm, name: str) -> None:
    assert load_settings(_rendered(helm, name).environment("gateway")).local is False


def test_only_the_gateway_gets_a_sidecar_in_a_mesh(helm: Helm) -> None:
    injected = {
        name: pod["metadata"]["labels"]["sidecar.istio.io/inject"]
        for name, pod in _rendered(helm, "service-mesh").pods().items()
    }
    assert injected == {
        "Deployment/productive-gateway": "true",
        "Deployment/productive-operator": "false",
        "Job/productive-keys": "false",
        "Pod/productive-test": "false",
    }


def test_openshift_file_sets_no_user(helm: Helm) -> None:
    for pod in _rendered(helm, "openshift").pods().values():
        assert "runAsUser" not in pod["spec"]["securityContext"]


def test_every_service_of_an_ipv6_cluster_has_that_family(helm: Helm) -> None:
    for service in _rendered(helm, "ipv6-only").of("Service"):
        assert service["spec"]["ipFamilies"] == ["IPv6"]


def _rendered(helm: Helm, name: str) -> Rendered:
    values = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return helm.render(values, f"--kube-version={CLUSTERS[name].version}")
