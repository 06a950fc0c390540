"""A value that could hurt is refused with a message, or cannot hurt."""

from __future__ import annotations

from typing import Any

import pytest

from harness.helm import Helm, HelmRefused, nested
from harness.release import Release
from productive_gateway.serving import DRAIN_SECONDS

OPENSHIFT = "--api-versions=security.openshift.io/v1/SecurityContextConstraints"
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/productiveusers.productive-mcp.dev"
GROUPS_AND_USERS = {"runAsUser", "runAsGroup", "fsGroup"}


@pytest.mark.parametrize(
    ("values", "arguments"),
    [
        ({}, (OPENSHIFT,)),
        (nested("openshift.adaptSecurityContext", "force"), ()),
    ],
    ids=["on OpenShift", "by value"],
)
def test_no_user_is_set_on_openshift(
    helm: Helm, values: dict[str, Any], arguments: tuple[str, ...]
) -> None:
    for pod in helm.render(values, *arguments).pods().values():
        assert not GROUPS_AND_USERS & pod["spec"]["securityContext"].keys()
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        [container] = pod["spec"]["containers"]
        assert not GROUPS_AND_USERS & container["securityContext"].keys()


@pytest.mark.parametrize(
    ("values", "arguments"),
    [
        ({}, ()),
        (nested("openshift.adaptSecurityContext", "disabled"), (OPENSHIFT,)),
    ],
    ids=["elsewhere", "where a company allows it"],
)
def test_user_of_the_image_is_set_elsewhere(
    helm: Helm, values: dict[str, Any], arguments: tuple[str, ...]
) -> None:
    for pod in helm.render(values, *arguments).pods().values():
        assert pod["spec"]["securityContext"]["runAsUser"] == 10001


@pytest.mark.parametrize(("program", "needed"), [("gateway", DRAIN_SECONDS + 5), ("operator", 10)])
@pytest.mark.parametrize("pause", [0, 5, 35])
def test_grace_period_shorter_than_the_drain_is_refused(
    helm: Helm, program: str, needed: int, pause: int
) -> None:
    enough = {"preStopSeconds": pause, "terminationGracePeriodSeconds": pause + needed}
    assert helm.render({program: enough}).of("Deployment")
    short = enough | {"terminationGracePeriodSeconds": pause + needed - 1}
    with pytest.raises(HelmRefused) as refused:
        helm.render({program: short})
    assert f"{program}.terminationGracePeriodSeconds ({pause + needed - 1}) is too short" in str(
        refused.value
    )
    assert f"at least {pause + needed}" in str(refused.value)


def test_no_value_lets_an_upgrade_delete_everybody(installation: Release) -> None:
    """Helm deletes what a new version of the release no longer has, if nothing keeps it."""
    kube, names = installation.kube, installation.names
    with pytest.raises(HelmRefused, match="keep"):
        installation.install(nested("crds.keep", False))
    installation.install()
    installation.upgrade({"crds": {"install": False}, "namespaces": {"create": False}})
    assert kube.find(CRD)
    for namespace in (names.users, names.grants):
        found = kube.get(f"/api/v1/namespaces/{namespace}")
        assert "deletionTimestamp" not in found["metadata"]


def test_no_tool_prunes_what_holds_people(helm: Helm) -> None:
    rendered = helm.render()
    found = [*rendered.of("Namespace"), *rendered.of("CustomResourceDefinition")]
    assert len(found) == 3
    for one in found:
        annotations = one["metadata"]["annotations"]
        assert annotations["helm.sh/resource-policy"] == "keep"
        assert annotations["argocd.argoproj.io/sync-options"] == "Prune=false"
        assert annotations["kustomize.toolkit.fluxcd.io/prune"] == "disabled"


def test_enabling_autoscaling_keeps_the_number_of_replicas(installation: Release) -> None:
    name = f"{installation.names.release}-gateway"
    installation.install(nested("gateway.replicas", 4))
    scaled = {"gateway": {"autoscaling": {"enabled": True}}}
    installation.upgrade(scaled)
    assert installation.get("deployments", name)["spec"]["replicas"] == 4
    installation.upgrade(scaled | {"adminContact": "#help"})
    assert installation.get("deployments", name)["spec"]["replicas"] == 4
