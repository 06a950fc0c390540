"""The cluster itself: nodes, network, names, ingress, and the product's images in it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import yaml

from kind.images import build_product, contour_manifest, product_names
from kind.programs import HERE
from kind.shell import Failed, run, step, works
from kind.world import CLUSTER, World

CONTROL_PLANE = f"{CLUSTER}-control-plane"
WORKERS = (f"{CLUSTER}-worker", f"{CLUSTER}-worker2")
PROVIDER = "203.0.113.10"
"""A documentation address (RFC 5737) that plays the public internet: the ingress answers on it, and
`*.example.test` is there for every pod."""
INGRESS_CLASS = """
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: contour}
spec: {controller: projectcontour.io/ingress-controller}
"""
NAMES = f"""\
    template IN A example.test {{
       answer "{{{{ .Name }}}} 60 IN A {PROVIDER}"
    }}
    template IN AAAA example.test {{
       rcode NOERROR
    }}
"""


def make(world: World, node_image: str | None) -> None:
    """Create the cluster unless it is there, with network, names and ingress.

    Args:
        world: where.
        node_image: the image of the nodes; None is kind's own.
    """
    env = world.tests
    # Without its kubeconfig it is what a killed run left.
    there = world.kubeconfig.exists()
    if not there or not works(*world.inside("kubectl", "get", "--raw", "/readyz"), env=env):
        run(*world.inside("kind", "delete", "cluster", "--name", CLUSTER), env=env)
        _create(world, node_image)
    if world.private:
        _apply(world, (HERE / "kube-router.yaml").read_text())
    _kubectl(world, "wait", "--for=condition=Ready", "node", "--all", "--timeout=180s")
    with step("names and addresses"):
        _bind_provider(world)
        _name_hosts(world)
    with step("ingress: Contour and Envoy"):
        _install_ingress(world)


def delete(world: World) -> None:
    """Take the cluster away."""
    run(*world.inside("kind", "delete", "cluster", "--name", CLUSTER), env=world.tests)


def load_product(world: World) -> None:
    """Build the product's images and bring them to every node."""
    build_product(world)
    with (
        step("loading the product's images into the nodes"),
        tempfile.TemporaryDirectory() as folder,
    ):
        archive = Path(folder) / "images.tar"
        run("docker", "save", "--output", archive, *product_names().values(), env=world.builder)
        load = ("kind", "load", "image-archive", "--name", CLUSTER, archive)
        run(*world.inside(*load), env=world.tests)


def _create(world: World, node_image: str | None) -> None:
    with step("three nodes"), tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "kind.yaml"
        config.write_text(yaml.safe_dump(_config(world)))
        image = ("--image", node_image) if node_image else ()
        command = ("kind", "create", "cluster", "--name", CLUSTER, "--config", config, *image)
        run(*world.inside(*command), env=world.tests)


def _config(world: World) -> dict[str, Any]:
    kubelet: dict[str, Any] = {"kind": "KubeletConfiguration"}
    if not Path("/sys/fs/cgroup/cgroup.controllers").exists():
        kubelet["failCgroupV1"] = False
    ports = [
        {"containerPort": port, "hostPort": port, "listenAddress": "127.0.0.1"}
        for port in (80, 443)
    ]
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {"disableDefaultCNI": world.private},
        "kubeadmConfigPatches": [yaml.safe_dump(kubelet)],
        "nodes": [
            {"role": "control-plane", "extraPortMappings": ports},
            {"role": "worker"},
            {"role": "worker"},
        ],
    }


def _bind_provider(world: World) -> None:
    """Give the control plane's node the public address, and the others the way to it."""
    env = world.tests
    address = run(
        "docker",
        "inspect",
        "--format={{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
        CONTROL_PLANE,
        env=env,
    ).strip()
    bind = ("ip", "address", "replace", f"{PROVIDER}/32", "dev", "lo")
    run("docker", "exec", CONTROL_PLANE, *bind, env=env)
    for worker in WORKERS:
        route = ("ip", "route", "replace", PROVIDER, "via", address)
        run("docker", "exec", worker, *route, env=env)


def _name_hosts(world: World) -> None:
    """Let CoreDNS answer `*.example.test`, and wait until it does."""
    asked = ("get", "configmap", "coredns", "--namespace=kube-system", "--output=json")
    config = json.loads(_kubectl(world, *asked))
    corefile = config["data"]["Corefile"]
    if "example.test" not in corefile:
        changed = corefile.replace("    kubernetes ", f"{NAMES}    kubernetes ", 1)
        if changed == corefile:
            raise Failed(f"CoreDNS' Corefile has no line to put names before:\n{corefile}")
        patch = json.dumps({"data": {"Corefile": changed}})
        where = ("--namespace=kube-system", "configmap/coredns")
        _kubectl(world, "patch", *where, "--type=merge", "--patch", patch)
        _kubectl(world, "rollout", "restart", "--namespace=kube-system", "deployment/coredns")
    _rolled_out(world, "kube-system", "deployment/coredns")


def _install_ingress(world: World) -> None:
    first: list[Any] = []
    rest: list[Any] = []
    for one in yaml.safe_load_all(contour_manifest().read_text()):
        if one:
            _fit(one)
            later = one["kind"] in {"Gateway", "GatewayClass"}
            (rest if later else first).append(one)
    _apply(world, yaml.safe_dump_all(first))
    _kubectl(world, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    _apply(world, yaml.safe_dump_all(rest) + "---" + INGRESS_CLASS)
    _rolled_out(world, "projectcontour", "deployment/contour")
    _rolled_out(world, "projectcontour", "daemonset/envoy")
    # Programmed it is only when the tests have made its certificate.
    gateway = ("--namespace=projectcontour", "gateway/contour", "--timeout=120s")
    _kubectl(world, "wait", "--for=condition=Accepted", *gateway)


def _fit(manifest: dict[str, Any]) -> None:
    """Adapt one of Contour's objects: Envoy on the node whose ports kind maps, HTTPS routes."""
    match manifest["kind"]:
        case "DaemonSet":
            pod = manifest["spec"]["template"]["spec"]
            pod["tolerations"] = [{"operator": "Exists"}]
            pod["nodeSelector"] = {"node-role.kubernetes.io/control-plane": ""}
        case "Deployment":
            manifest["spec"]["replicas"] = 1
            pod = manifest["spec"]["template"]["spec"]
            pod["tolerations"] = [{"operator": "Exists"}]
            pod["nodeSelector"] = {"node-role.kubernetes.io/control-plane": ""}
        case "Gateway":
            # The Secret with the certificate is the tests' to make, with their own authority.
            tls = {"mode": "Terminate", "certificateRefs": [{"name": "example-test-tls"}]}
            everywhere = {"namespaces": {"from": "All"}}
            manifest["spec"]["listeners"].append(
                {
                    "name": "https",
                    "port": 443,
                    "protocol": "HTTPS",
                    "hostname": "*.example.test",
                    "tls": tls,
                    "allowedRoutes": everywhere,
                }
            )


def _rolled_out(world: World, namespace: str, what: str) -> None:
    _kubectl(world, "rollout", "status", f"--namespace={namespace}", what, "--timeout=180s")


def _apply(world: World, manifests: str) -> None:
    command = ("apply", "--server-side", "--force-conflicts", "--filename=-")
    run(*world.inside("kubectl", *command), env=world.tests, given=manifests)


def _kubectl(world: World, *arguments: str) -> str:
    return run(*world.inside("kubectl", *arguments), env=world.tests)
