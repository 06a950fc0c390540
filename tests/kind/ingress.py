"""Contour and Envoy, for the Ingress and the HTTPRoute."""

from __future__ import annotations

from typing import Any

import yaml

from kind.images import contour_manifest
from kind.kubectl import apply, kubectl, rolled_out
from kind.variants import Variant
from kind.world import World

INGRESS_CLASS = """
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: contour}
spec: {controller: projectcontour.io/ingress-controller}
"""
ADDRESSES = (
    "xds-address",
    "envoy-service-http-address",
    "envoy-service-https-address",
    "stats-address",
    "http-address",
    "health-address",
)
"""Where Contour and Envoy listen: Contour's defaults for all of them are IPv4 addresses."""


def install(world: World) -> None:
    """Install Contour's own manifest, and wait until it works."""
    first: list[Any] = []
    rest: list[Any] = []
    for one in yaml.safe_load_all(contour_manifest().read_text()):
        if one:
            _fit(one, world.variant)
            later = one["kind"] in {"Gateway", "GatewayClass"}
            (rest if later else first).append(one)
    apply(world, yaml.safe_dump_all(first))
    kubectl(world, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    apply(world, yaml.safe_dump_all(rest) + "---" + INGRESS_CLASS)
    rolled_out(world, "projectcontour", "deployment/contour")
    rolled_out(world, "projectcontour", "daemonset/envoy")
    # Programmed it is only when the tests have made its certificate.
    gateway = ("--namespace=projectcontour", "gateway/contour", "--timeout=120s")
    kubectl(world, "wait", "--for=condition=Accepted", *gateway)


def _fit(manifest: dict[str, Any], variant: Variant) -> None:
    """Adapt one of Contour's objects: Envoy on the node whose ports kind maps, HTTPS routes."""
    match manifest["kind"]:
        case "DaemonSet":
            _on_control_plane(manifest["spec"]["template"]["spec"])
        case "Deployment":
            manifest["spec"]["replicas"] = 1
            pod = manifest["spec"]["template"]["spec"]
            _on_control_plane(pod)
            [contour] = pod["containers"]
            # On a busy machine it would end when it renews its lease too late, or be restarted.
            contour["args"].append("--disable-leader-election")
            del contour["livenessProbe"]
            if variant.family == "ipv6":
                _listen_on_ipv6(contour)
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


def _on_control_plane(pod: dict[str, Any]) -> None:
    pod["tolerations"] = [{"operator": "Exists"}]
    pod["nodeSelector"] = {"node-role.kubernetes.io/control-plane": ""}


def _listen_on_ipv6(contour: dict[str, Any]) -> None:
    given = [one for one in contour["args"] if one.partition("=")[0][2:] not in ADDRESSES]
    contour["args"] = [*given, *(f"--{name}=::" for name in ADDRESSES)]
