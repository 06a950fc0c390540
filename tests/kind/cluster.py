"""The cluster itself: nodes, network, names, ingress, and the product's images in it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml

from harness.certificates import Authority
from kind import ingress, network
from kind.images import build_product, product_names
from kind.kubectl import kubectl
from kind.shell import run, step, works
from kind.world import CLUSTER, World


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
        network.connect_pods(world)
    kubectl(world, "wait", "--for=condition=Ready", "node", "--all", "--timeout=180s")
    with step("names and addresses"):
        network.bind_public_addresses(world)
        network.name_hosts(world)
    with step("ingress: Contour and Envoy"):
        ingress.install(world)


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
        {"containerPort": port, "hostPort": port, "listenAddress": world.variant.loopback}
        for port in (80, 443)
    ]
    control_plane: dict[str, Any] = {"role": "control-plane", "extraPortMappings": ports}
    if not world.variant.key_identifiers:
        control_plane["extraMounts"] = _own_authority(world)
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {
            "disableDefaultCNI": world.private,
            "ipFamily": world.variant.family,
        },
        "kubeadmConfigPatches": [yaml.safe_dump(kubelet)],
        "nodes": [control_plane, {"role": "worker"}, {"role": "worker"}],
    }


def _own_authority(world: World) -> list[dict[str, str]]:
    """Make a certificate authority that kubeadm takes for the cluster's; return its mounts."""
    pair = Authority("kubernetes", key_identifiers=False).pair
    folder = world.state / "authority"
    folder.mkdir(mode=0o700, exist_ok=True)
    mounts = []
    for name, content in (("ca.crt", pair.certificate), ("ca.key", pair.key)):
        file = folder / name
        file.write_bytes(content)
        mounts.append({"hostPath": str(file), "containerPath": f"/etc/kubernetes/pki/{name}"})
    return mounts
