"""Without hooks: manifests that somebody else than Helm applies, again and again."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.helm import Helm, HelmRefused, nested
from harness.kube import secret, secret_data, secrets_path
from harness.processes import eventually
from harness.release import Release
from productive_gateway.cli import main

PLAIN = {"hooks": {"enabled": False}, "keys": {"existingSecret": "company-keys"}}


def test_without_hooks_there_is_no_job_no_test_pod_and_no_account_for_them(helm: Helm) -> None:
    rendered = helm.render(PLAIN)
    assert not {"Job", "Pod"} & {one["kind"] for one in rendered.objects}
    assert "helm.sh/hook" not in rendered.text
    accounts = {one["metadata"]["name"] for one in rendered.of("ServiceAccount")}
    assert accounts == {"productive-gateway", "productive-operator"}
    names = {one["metadata"]["name"] for one in rendered.objects}
    assert not {name for name in names if name.endswith(("-keys", "-test"))}
    assert "helm test" not in helm.notes(PLAIN)


def test_without_hooks_a_key_ring_is_required(helm: Helm) -> None:
    with pytest.raises(HelmRefused) as refused:
        helm.render(nested("hooks.enabled", False))
    assert "keys.existingSecret is missing" in str(refused.value)
    assert "productive-gateway keys new --name productive-keys" in str(refused.value)


@pytest.mark.parametrize("way", [(), ("--server-side",)], ids=["client side", "server side"])
def test_manifests_can_be_applied_again_with_another_image(
    helm: Helm, installation: Release, way: tuple[str, ...]
) -> None:
    names, kube = installation.names, installation.kube
    _apply(helm, installation, "1", *way)
    operator = installation.program("operator")
    mapping = secrets_path(names.release, names.mapping)
    eventually(
        lambda: operator.may("patch", "secrets", namespace=names.release, name=names.mapping),
        what="the operator's rights",
    )
    published = secret(names.mapping, {"users.json": b"{}"}, kind="productive-mcp.dev/mapping")
    operator.apply(mapping, published, manager="productive-operator")

    _apply(helm, installation, "2", *way)
    for program in ("gateway", "operator"):
        found = installation.get("deployments", f"{names.release}-{program}")
        [container] = found["spec"]["template"]["spec"]["containers"]
        assert container["image"] == f"productive-mcp-{program}:2"
    assert secret_data(kube.get(mapping)) == {"users.json": b"{}"}
    left = installation.left(names.release)
    assert not {name for name in left if name.startswith(("Job/", "Pod/"))}


def test_printed_key_ring_can_be_applied(
    installation: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    release = installation.names.release
    assert main(["keys", "new", "--name", "company-keys", "--namespace", release]) == 0
    _kubectl(installation, capsys.readouterr().out, "--server-side")
    made = installation.kube.get(secrets_path(release, "company-keys"))
    assert made["type"] == "productive-mcp.dev/key-ring"
    assert set(made["data"]) == {"keys.json"}


def _apply(helm: Helm, installation: Release, tag: str, *way: str) -> None:
    # CRD and ClusterRoles are one for all tests of a plane, and most of these are Helm's.
    values: dict[str, Any] = PLAIN | {"crds": {"install": False}}
    values |= {program: {"image": {"tag": tag}} for program in ("gateway", "operator")}
    rendered = helm.render(values, release=installation.names.release)
    _kubectl(installation, rendered.text, *way)


def _kubectl(installation: Release, manifests: str, *way: str) -> None:
    command: list[str | Path] = [
        installation.plane.kubectl,
        f"--kubeconfig={installation.kubeconfig}",
        *("apply", *way, "--filename", "-"),
    ]
    done = subprocess.run(command, check=False, input=manifests, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
