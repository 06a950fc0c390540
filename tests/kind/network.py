"""What the pods' network is made of: the way between them, public addresses, and names."""

from __future__ import annotations

import json

import yaml

from kind.kubectl import apply, kubectl, rolled_out
from kind.programs import HERE
from kind.shell import Failed, run
from kind.variants import Variant
from kind.world import CLUSTER, World

CONTROL_PLANE = f"{CLUSTER}-control-plane"
WORKERS = (f"{CLUSTER}-worker", f"{CLUSTER}-worker2")
ROUTER_FLAGS = {
    # kube-router lets every pod reach these addresses, as far as they are a node's own, whatever a
    # NetworkPolicy says. kube-proxy translates the others before; so it is only one that none has.
    "ipv4": ["--service-cluster-ip-range=10.96.255.255/32"],
    "ipv6": [
        "--enable-ipv4=false",
        "--enable-ipv6=true",
        "--router-id=generate",
        "--service-cluster-ip-range=fd00:10:96::ffff/128",
    ],
}
ADDRESS_FIELD = {"ipv4": "IPAddress", "ipv6": "GlobalIPv6Address"}


def connect_pods(world: World) -> None:
    """Install kube-router, which connects pods and enforces NetworkPolicies."""
    objects = list(yaml.safe_load_all((HERE / "kube-router.yaml").read_text()))
    daemon = next(one for one in objects if one["kind"] == "DaemonSet")
    [container] = daemon["spec"]["template"]["spec"]["containers"]
    container["args"] += ROUTER_FLAGS[world.variant.family]
    apply(world, yaml.safe_dump_all(objects))


def bind_public_addresses(world: World) -> None:
    """Give the control plane's node the public addresses, and the other nodes the way to them."""
    env = world.tests
    variant = world.variant
    field = ADDRESS_FIELD[variant.family]
    shown = f"--format={{{{range .NetworkSettings.Networks}}}}{{{{.{field}}}}}{{{{end}}}}"
    node = run("docker", "inspect", shown, CONTROL_PLANE, env=env).strip()
    for address in (variant.provider, variant.proxy):
        bind = ("ip", "address", "replace", address, "dev", "lo")
        run("docker", "exec", CONTROL_PLANE, *bind, env=env)
        for worker in WORKERS:
            route = ("ip", "route", "replace", address, "via", node)
            run("docker", "exec", worker, *route, env=env)


def name_hosts(world: World) -> None:
    """Let CoreDNS answer the public names, and wait until it does."""
    asked = ("get", "configmap", "coredns", "--namespace=kube-system", "--output=json")
    corefile = json.loads(kubectl(world, *asked))["data"]["Corefile"]
    if "example.test" not in corefile:
        names = _answers(world.variant)
        changed = corefile.replace("    kubernetes ", f"{names}    kubernetes ", 1)
        if changed == corefile:
            raise Failed(f"CoreDNS' Corefile has no line to put names before:\n{corefile}")
        patch = json.dumps({"data": {"Corefile": changed}})
        where = ("--namespace=kube-system", "configmap/coredns")
        kubectl(world, "patch", *where, "--type=merge", "--patch", patch)
        kubectl(world, "rollout", "restart", "--namespace=kube-system", "deployment/coredns")
    rolled_out(world, "kube-system", "deployment/coredns")


def _answers(variant: Variant) -> str:
    """Return lines of a Corefile: the addresses of the one family, and none of the other."""
    known, other = ("AAAA", "A") if variant.family == "ipv6" else ("A", "AAAA")
    lines = []
    for zone, address in (
        ("example.test", variant.provider),
        ("proxy.example.com", variant.proxy),
    ):
        answer = f'answer "{{{{ .Name }}}} 60 IN {known} {address}"'
        lines += [f"template IN {known} {zone} {{", f"   {answer}", "}"]
        lines += [f"template IN {other} {zone} {{", "   rcode NOERROR", "}"]
    return "".join(f"    {line}\n" for line in lines)
