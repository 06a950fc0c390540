"""What a NetworkPolicy lets its pods reach, by the meaning that Kubernetes gives to its rules."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from harness.kube import Object


@dataclass(frozen=True, slots=True)
class Target:
    """Something to connect to: an address, or the pods of a namespace that are named by labels."""

    port: int
    address: str = ""
    namespace: str = ""
    protocol: str = "TCP"


def may_reach(policy: Object, target: Target) -> bool:
    """Tell whether an egress rule of the policy lets a connection through."""
    return any(_matches(rule, target) for rule in policy["spec"]["egress"])


def _matches(rule: Object, target: Target) -> bool:
    peers, ports = rule.get("to"), rule.get("ports")
    return (not peers or any(_is_peer(peer, target) for peer in peers)) and (
        not ports or any(_is_port(port, target) for port in ports)
    )


def _is_port(port: Object, target: Target) -> bool:
    same = port.get("protocol", "TCP") == target.protocol
    return same and bool(port.get("port", target.port) == target.port)


def _is_peer(peer: Object, target: Target) -> bool:
    block = peer.get("ipBlock")
    if block:
        return bool(target.address) and _in_block(block, target.address)
    # Every pod of a namespace is meant by the tests, so a rule for some of them does not count.
    labels = peer.get("namespaceSelector", {}).get("matchLabels", {})
    named = labels == {"kubernetes.io/metadata.name": target.namespace}
    return bool(target.namespace) and named and "podSelector" not in peer


def _in_block(block: Object, address: str) -> bool:
    one = ipaddress.ip_address(address)
    outside = any(one in ipaddress.ip_network(each) for each in block.get("except", []))
    return one in ipaddress.ip_network(block["cidr"]) and not outside
