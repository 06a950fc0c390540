"""A cluster's administrator installs one part, once; a namespace's administrator all the rest.

The latter has nothing but the ClusterRole `admin` of Kubernetes, in the release's three namespaces.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.helm import Helm, HelmRefused, Rendered, nested
from harness.kube import ApiRefused, Identity, Kube, Object, secret, secrets_path
from harness.namespaces import Namespaces, new_namespaces
from harness.people import person
from harness.plane import Plane
from harness.processes import eventually

CLUSTER_RELEASE = "productive-mcp-cluster"
OURS = {
    "scope": "namespaces",
    "namespaces": {"create": True},
    # Other tests may have made Cilium's kinds known here; `admin` has no right on them.
    "networkPolicy": {"flavor": "kubernetes"},
}
PEOPLE = "/apis/productive-mcp.dev/v1alpha1/namespaces/{}/productiveusers"
ROLES = "/apis/rbac.authorization.k8s.io/v1"


class Administrators:
    """Three namespaces that somebody made, and people who have a ClusterRole in them."""

    def __init__(self, plane: Plane, folder: Path, close: ExitStack) -> None:
        self._plane, self._folder, self._close = plane, folder, close
        self.names = new_namespaces(plane.kube)

    def with_role(self, role: str) -> Identity:
        """Return a person who is bound to a ClusterRole of Kubernetes' own."""
        person = f"{role}-of-{self.names.release}"
        subject = {"kind": "User", "name": person, "apiGroup": "rbac.authorization.k8s.io"}
        for namespace in (self.names.release, self.names.users, self.names.grants):
            binding: Object = {
                "kind": "RoleBinding",
                "metadata": {"name": role},
                "roleRef": subject | {"kind": "ClusterRole", "name": role},
                "subjects": [subject],
            }
            self._plane.kube.create(f"{ROLES}/namespaces/{namespace}/rolebindings", binding)
        pair = self._plane.authority.client(person)
        return replace(self._plane.admin, pair=pair, namespace=self.names.release)

    def client(self, identity: Identity) -> Kube:
        return self._close.enter_context(self._plane.client(identity))

    def kubeconfig(self, identity: Identity) -> Path:
        return identity.write_kubeconfig(self._folder / "own.kubeconfig")


@pytest.fixture
def people(plane: Plane, helm: Helm, tmp_path: Path) -> Iterator[Administrators]:
    """The cluster's administrator has done their part."""
    home = "/api/v1/namespaces/" + CLUSTER_RELEASE
    if plane.kube.find(home) is None:
        plane.kube.create(
            "/api/v1/namespaces", {"kind": "Namespace", "metadata": {"name": CLUSTER_RELEASE}}
        )
        helm.run(
            "install",
            CLUSTER_RELEASE,
            "--take-ownership",
            kubeconfig=plane.admin.write_kubeconfig(tmp_path / "cluster.kubeconfig"),
            values={"scope": "cluster"},
            bare=True,
        )
    with ExitStack() as close:
        yield Administrators(plane, tmp_path, close)


def test_an_administrator_of_three_namespaces_installs_and_manages_people(
    people: Administrators, helm: Helm
) -> None:
    names, identity = people.names, people.with_role("admin")
    own = people.client(identity)
    eventually(lambda: _may_install(own, names), what="the aggregated rights are in force")
    kubeconfig = people.kubeconfig(identity)

    helm.run("install", names.release, "--no-hooks", kubeconfig=kubeconfig, values=OURS)
    for hook in helm.render(OURS, release=names.release).objects:
        if "helm.sh/hook" in hook["metadata"].get("annotations", {}):
            _create(own, hook)

    token = secret("ana-productive", {"token": b"t"}, kind="productive-mcp.dev/token")
    own.create(secrets_path(names.users), token)
    own.create(PEOPLE.format(names.users), person())
    ana = f"{PEOPLE.format(names.users)}/ana"
    own.merge(ana, {"spec": {"suspend": True}})
    assert [one["metadata"]["name"] for one in own.items(PEOPLE.format(names.users))] == ["ana"]
    own.delete(ana)

    changed = OURS | {"adminContact": "#help"}
    helm.run("upgrade", names.release, "--no-hooks", kubeconfig=kubeconfig, values=changed)
    helm.uninstall(names.release, "--no-hooks", kubeconfig=kubeconfig)
    deployments = f"/apis/apps/v1/namespaces/{names.release}/deployments"
    assert own.items(deployments) == []


def test_edit_allows_managing_people_and_view_allows_reading(people: Administrators) -> None:
    names = people.names
    editor, viewer = (people.client(people.with_role(role)) for role in ("edit", "view"))
    group, kind = "productive-mcp.dev", "productiveusers"
    eventually(lambda: editor.may("create", kind, namespace=names.users, group=group), what="edit")
    eventually(lambda: viewer.may("list", kind, namespace=names.users, group=group), what="view")
    editor.create(PEOPLE.format(names.users), person())
    ana = f"{PEOPLE.format(names.users)}/ana"
    assert viewer.get(ana)["spec"]["email"] == "ana@example.com"
    with pytest.raises(ApiRefused, match="cannot patch"):
        viewer.merge(ana, {"spec": {"suspend": True}})
    with pytest.raises(ApiRefused, match="cannot patch"):
        editor.merge(f"{ana}/status", {"status": {"observedGeneration": 1}})
    with pytest.raises(ApiRefused, match="cannot list"):
        viewer.items(secrets_path(names.users))


def test_cluster_scope_needs_no_value_and_has_only_crd_and_cluster_roles(helm: Helm) -> None:
    rendered = helm.render({"scope": "cluster"}, bare=True)
    assert {one["kind"] for one in rendered.objects} == {"CustomResourceDefinition", "ClusterRole"}


def test_cluster_scope_explains_the_next_step(helm: Helm) -> None:
    notes = helm.notes({"scope": "cluster"})
    assert "scope=namespaces" in notes
    assert "kubectl create namespace productive-users" in notes


def test_namespaces_scope_has_no_cluster_wide_object(helm: Helm) -> None:
    whole, cluster, own = (
        {f"{one['kind']}/{one['metadata']['name']}" for one in _part(helm, scope).objects}
        for scope in ("all", "cluster", "namespaces")
    )
    assert {name for name in own if name.partition("/")[0] in NOT_OF_A_NAMESPACE} == set()
    # A quota is a matter of the cluster's administrator, too: `admin` may not make one.
    others = {
        "Namespace/productive-users",
        "Namespace/productive-grants",
        "ResourceQuota/productive-grants",
    }
    assert own | cluster | others == whole
    assert not own & cluster


def test_namespaces_scope_refuses_admission_policies(helm: Helm) -> None:
    wanted = {"scope": "namespaces"} | nested("admissionPolicies.enabled", True)
    with pytest.raises(HelmRefused, match=r"--show-only templates/admission-policies\.yaml"):
        helm.render(wanted)


def test_cluster_roles_grant_only_productiveusers_and_can_be_disabled(helm: Helm) -> None:
    roles = helm.render().of("ClusterRole")
    assert len(roles) == 3
    for role in roles:
        assert any("aggregate-to" in label for label in role["metadata"]["labels"])
        for rule in role["rules"]:
            assert rule["apiGroups"] == ["productive-mcp.dev"]
            assert "*" not in {*rule["resources"], *rule["verbs"]}
    assert helm.render().of("ClusterRoleBinding") == []
    assert helm.render(nested("rbac.aggregate", False)).of("ClusterRole") == []
    assert helm.render(nested("crds.install", False)).of("ClusterRole") == []


NOT_OF_A_NAMESPACE = {
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "Namespace",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}


def _part(helm: Helm, scope: str) -> Rendered:
    return helm.render({"scope": scope})


def _may_install(own: Kube, names: Namespaces) -> bool:
    group = "productive-mcp.dev"
    place: dict[str, Any] = {"namespace": names.users, "group": group}
    return own.may("create", "productiveusers", **place) and own.may(
        "patch", "productiveusers/status", **place
    )


def _create(own: Kube, one: Object) -> None:
    version, kind = one["apiVersion"], one["kind"]
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    plural = f"{kind.lower().removesuffix('y')}{'ies' if kind.endswith('y') else 's'}"
    own.create(f"{base}/namespaces/{one['metadata']['namespace']}/{plural}", one)
