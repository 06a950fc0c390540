"""DNS at addresses of the node, in the way of NodeLocal DNSCache.

It listens at a link-local address, and beside kube-proxy's iptables at the address of the Service
`kube-dns` too, which is then not translated any more: a network policy sees that address, and no
pod.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from harness.installation import ExternalServices, Installation
from harness.reach import Pod
from harness.terminal import Terminal
from harness.visit import logs_time

RUNS_ON = "no-key-identifiers"
CLUSTERS = ("kind", "calico-nodelocal-dns")
FINDS_API_SERVER = True
MANIFEST = Path(__file__).with_name("node-dns.yaml")
LINK_LOCAL, SERVICE = ADDRESSES = ("169.254.20.10", "10.96.0.10")
NAME = "dns:idp.example.test"
OTHER_PORT = f"{LINK_LOCAL}:8081"
RULES = [
    f"{chain} {direction} {address} --protocol {protocol} --{side}port 53"
    for address in ADDRESSES
    for protocol in ("udp", "tcp")
    for chain, direction, side in (
        ("PREROUTING", "--destination", "d"),
        ("OUTPUT", "--destination", "d"),
        ("OUTPUT", "--source", "s"),
    )
]
"""NodeLocal DNSCache's own rules: no connection tracking, so that kube-proxy translates nothing."""

pytestmark = pytest.mark.usefixtures("node_dns")


@pytest.fixture(scope="module")
def node_dns(services: ExternalServices, terminal: Terminal) -> Iterator[None]:
    """CoreDNS on each node, at the two addresses."""
    nodes = terminal("kubectl get nodes -o name").replace("node/", "").split()
    coredns = terminal.found("kubectl get deployment coredns -n kube-system -o json")
    image = coredns["spec"]["template"]["spec"]["containers"][0]["image"]
    manifest = MANIFEST.read_text().replace("IMAGE", image)
    try:
        for node in nodes:
            for address in ADDRESSES:
                terminal(f"docker exec {node} ip address replace {address}/32 dev lo")
            for rule in RULES:
                terminal(f"docker exec {node} iptables --table=raw -A {rule} -j CT --notrack")
        terminal("kubectl apply -f -", given=manifest)
        terminal("kubectl rollout status -n kube-system ds/node-local-dns --timeout=120s")
        yield
    finally:
        terminal("kubectl delete --timeout=60s --ignore-not-found -f -", given=manifest)
        for node in nodes:
            for rule in RULES:
                terminal.tried(f"docker exec {node} iptables --table=raw -D {rule} -j CT --notrack")
            for address in ADDRESSES:
                terminal.tried(f"docker exec {node} ip address delete {address}/32 dev lo")


async def test_a_person_signs_in_and_logs_time(
    installation: Installation, people: Sequence[str]
) -> None:
    await logs_time(installation)


def test_both_addresses_are_reached_and_nothing_else_of_the_node(
    gateway: Pod, operator: Pod, stranger: Pod
) -> None:
    names = {NAME: True} | {f"{address}:53": True for address in ADDRESSES}
    stranger.reaches(names | {OTHER_PORT: True})
    gateway.reaches(names | {OTHER_PORT: False})
    operator.reaches(names | {OTHER_PORT: False})


def test_without_the_value_no_name_is_found(installation: Installation, gateway: Pod) -> None:
    dns = installation.values["networkPolicy"].get("dns", {})
    installation.upgrade({"networkPolicy": {"dns": {"addresses": []}}})
    try:
        gateway.reaches({NAME: False, f"{SERVICE}:53": False, f"{LINK_LOCAL}:53": True})
    finally:
        installation.upgrade({"networkPolicy": {"dns": dns or {"addresses": [SERVICE]}}})
    gateway.reaches({NAME: True})
