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
def test_openshift_chooses_the_user_itself(
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
def test_the_user_is_that_of_the_image_otherwise(
    helm: Helm, values: dict[str, Any], arguments: tuple[str, ...]
) -> None:
    for pod in helm.render(values, *arguments).pods().values():
        assert pod["spec"]["securityContext"]["runAsUser"] == 10001


@pytest.mark.parametrize(("program", "needed"), [("gateway", DRAIN_SECONDS + 5), ("operator", 10)])
@pytest.mark.parametrize("pause", [0, 5, 35])
def test_an_ending_pod_has_the_time_that_it_needs(
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


def test_no_value_makes_an_upgrade_delete_everybody(installation: Release) -> None:
    """Helm deletes what a new version of the release no longer has, if nothing keeps it."""
    kube, names = installation.kube, installation.names
    with pytest.raises(HelmRefused, match="keep"):
        installation.install(nested("crds.keep", False))
    installation.install()
    installation.upgrade(
        {
            "crds": {"install": False},
            "namespaces": {"create": False},
            "rbac": {"aggregate": False},
        }
    )
    assert kube.find(CRD)
    assert kube.find("/apis/rbac.authorization.k8s.io/v1/clusterroles/productive-mcp-edit")
    for namespace in (names.users, names.grants):
        found = kube.get(f"/api/v1/namespaces/{namespace}")
        assert "deletionTimestamp" not in found["metadata"]


def test_what_people_are_in_is_pruned_by_no_tool(helm: Helm) -> None:
    rendered = helm.render()
    kept = ("Namespace", "CustomResourceDefinition", "ClusterRole")
    found = [one for kind in kept for one in rendered.of(kind)]
    assert len(found) == 6
    for one in found:
        annotations = one["metadata"]["annotations"]
        assert annotations["helm.sh/resource-policy"] == "keep"
        assert annotations["argocd.argoproj.io/sync-options"] == "Prune=false"
        assert annotations["kustomize.toolkit.fluxcd.io/prune"] == "disabled"


def test_turning_autoscaling_on_takes_no_replica_away(installation: Release) -> None:
    name = f"{installation.names.release}-gateway"
    installation.install(nested("gateway.replicas", 4))
    scaled = {"gateway": {"autoscaling": {"enabled": True}}}
    installation.upgrade(scaled)
    assert installation.get("deployments", name)["spec"]["replicas"] == 4
    installation.upgrade(scaled | {"adminContact": "#help"})
    assert installation.get("deployments", name)["spec"]["replicas"] == 4
