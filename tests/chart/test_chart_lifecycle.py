"""Install, upgrade, uninstall and install again, on a real API server.

Nothing runs pods there, so hooks stay out and their work is done by the tests.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.helm import Helm
from harness.kube import ApiRefused, Kube, Object, secret, secret_data, secrets_path
from harness.namespaces import Namespaces
from harness.people import person
from harness.plane import Plane, declared_crds
from harness.processes import eventually
from harness.release import Release

GRANT = "g-" + "a" * 26
BINDING = "subject-7f1f7b39-6d46-4a43-a3ab-0e1d7f5b3d10"
LEDGER = "ledger-7f1f7b39-6d46-4a43-a3ab-0e1d7f5b3d10"


def test_an_installation_lives_and_leaves_what_belongs_to_people(
    installation: Release,
) -> None:
    kube, names = installation.kube, installation.names
    installation.install()
    _make_key_ring(installation)
    _work(installation)

    installation.upgrade({"adminContact": "#help", "gateway": {"replicas": 3}})
    gateway = f"/apis/apps/v1/namespaces/{names.release}/deployments/{names.release}-gateway"
    assert kube.get(gateway)["spec"]["replicas"] == 3
    _is_unharmed(installation)
    assert _mapping(installation) == {"users.json": b"{}"}

    crds = declared_crds()
    for crd in crds:
        found = kube.get(_crd_path(crd))
        assert found["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    installation.uninstall()
    assert installation.left(names.release) == {f"Secret/{names.key_ring}"}
    assert installation.left(names.users) == {"ProductiveUser/ana", "Secret/ana-productive"}
    assert installation.left(names.grants) == {f"Secret/{GRANT}"}
    assert all(kube.find(_crd_path(crd)) for crd in crds)

    installation.install()
    _is_unharmed(installation)
    assert _mapping(installation) == {}


def test_programs_work_under_the_rights_that_the_release_gave_them(
    installation: Release,
) -> None:
    names = installation.names
    installation.install()
    gateway, operator = installation.program("gateway"), installation.program("operator")
    eventually(lambda: gateway.may("create", "secrets", namespace=names.grants), what="rights")
    assert gateway.may("watch", "secrets", namespace=names.release, name=names.mapping)
    assert not gateway.may("get", "secrets", namespace=names.users)
    assert operator.may("list", "secrets", namespace=names.users)
    assert not operator.may("get", "secrets", namespace=names.grants)
    assert not operator.may("get", "secrets", namespace=names.release, name=names.key_ring)
    installation.uninstall()
    eventually(
        lambda: not gateway.ask("GET", secrets_path(names.grants)).is_success, what="no rights"
    )


def test_autoscaling_keeps_the_number_of_replicas_that_it_chose(
    installation: Release,
) -> None:
    names = installation.names
    scaled = {"gateway": {"autoscaling": {"enabled": True}}}
    installation.install(scaled)
    path = f"/apis/apps/v1/namespaces/{names.release}/deployments/{names.release}-gateway"
    installation.kube.merge(f"{path}/scale", {"spec": {"replicas": 5}})
    installation.upgrade(scaled | {"adminContact": "#help"})
    assert installation.kube.get(path)["spec"]["replicas"] == 5


def test_admission_policies_hold_each_to_its_own(installation: Release) -> None:
    names, admin = installation.names, installation.kube
    installation.install({"admissionPolicies": {"enabled": True}})
    gateway, operator = installation.program("gateway"), installation.program("operator")
    eventually(lambda: gateway.may("create", "secrets", namespace=names.grants), what="rights")
    grants, mapping = secrets_path(names.grants), secrets_path(names.release, names.mapping)
    bad_type = secret(GRANT, {})
    bad_name = secret("other", {}, kind="productive-mcp.dev/grant")

    eventually(lambda: _refused(gateway, grants, bad_type), what="the policies are in force")
    with pytest.raises(ApiRefused, match="writes grants, subject bindings and ledgers only"):
        gateway.create(grants, bad_type)
    with pytest.raises(ApiRefused, match="under names of grants, subject bindings and ledgers"):
        gateway.create(grants, bad_name)
    gateway.create(grants, secret(GRANT, {}, kind="productive-mcp.dev/grant"))
    gateway.create(grants, secret(BINDING, {}, kind="productive-mcp.dev/subject"))
    gateway.create(grants, secret(LEDGER, {}, kind="productive-mcp.dev/ledger"))
    admin.create(grants, secret("others", {}))
    with pytest.raises(ApiRefused, match="writes grants, subject bindings and ledgers only"):
        gateway.delete(f"{grants}/others")
    gateway.delete(f"{grants}/{GRANT}")
    gateway.delete(f"{grants}/{LEDGER}")

    filled = {"data": {"users.json": base64.b64encode(b"{}").decode()}}
    with pytest.raises(ApiRefused, match="Only the operator fills the mapping"):
        admin.merge(mapping, filled)
    _publish(operator, installation.names)
    with pytest.raises(ApiRefused, match="Only the operator fills the mapping"):
        admin.merge(mapping, {"data": None})
    admin.merge(mapping, {"metadata": {"labels": {"seen": "yes"}}})
    installation.upgrade({"admissionPolicies": {"enabled": True}, "adminContact": "#help"})
    assert _mapping(installation) == {"users.json": b"{}"}
    installation.uninstall()
    assert admin.find(mapping) is None


def test_a_second_installation_leaves_the_first_alone(
    helm: Helm, plane: Plane, tmp_path: Path
) -> None:
    with ExitStack() as close:
        first = Release(helm, plane, tmp_path, close)
        first.install()
        second = Release(helm, plane, tmp_path, close)
        second.install({"crds": {"install": False}})
        second.uninstall()
    assert f"Deployment/{first.names.release}-gateway" in first.left(first.names.release)
    assert all(plane.kube.find(_crd_path(crd)) for crd in declared_crds())


def _make_key_ring(installation: Release) -> None:
    """As the hook does."""
    names = installation.names
    ring = secret(names.key_ring, {"keys.json": b"{}"}, kind="productive-mcp.dev/key-ring")
    installation.kube.create(secrets_path(names.release), ring)


def _work(installation: Release) -> None:
    """Add a person and a sign-in, as administrator, operator and gateway do."""
    kube, names = installation.kube, installation.names
    path = f"/apis/productive-mcp.dev/v1alpha1/namespaces/{names.users}/productiveusers"
    kube.create(path, person())
    token = secret("ana-productive", {"token": b"t"}, kind="productive-mcp.dev/token")
    kube.create(secrets_path(names.users), token)
    grant = secret(GRANT, {}, kind="productive-mcp.dev/grant")
    kube.create(secrets_path(names.grants), grant)
    assert _mapping(installation) == {}
    operator = installation.program("operator")
    eventually(
        lambda: operator.may("patch", "secrets", namespace=names.release, name=names.mapping),
        what="the operator's rights",
    )
    _publish(operator, names)


def _publish(operator: Kube, names: Namespaces) -> None:
    mapping = secret(names.mapping, {"users.json": b"{}"}, kind="productive-mcp.dev/mapping")
    operator.apply(
        secrets_path(names.release, names.mapping), mapping, manager="productive-operator"
    )


def _is_unharmed(installation: Release) -> None:
    """Check that people, sign-ins and keys are there."""
    names = installation.names
    kept: tuple[tuple[Callable[[], set[str]], str], ...] = (
        (lambda: installation.left(names.users), "ProductiveUser/ana"),
        (lambda: installation.left(names.users), "Secret/ana-productive"),
        (lambda: installation.left(names.grants), f"Secret/{GRANT}"),
        (lambda: installation.left(names.release), f"Secret/{names.key_ring}"),
    )
    assert [name for place, name in kept if name not in place()] == []


def _mapping(installation: Release) -> dict[str, bytes]:
    names = installation.names
    return secret_data(installation.kube.get(secrets_path(names.release, names.mapping)))


def _refused(kube: Kube, path: str, body: Object) -> bool:
    answer = kube.ask("POST", path, body, query={"dryRun": "All"})
    return answer.is_error


def _crd_path(crd: Object) -> str:
    name = crd["metadata"]["name"]
    return f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
