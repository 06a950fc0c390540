"""Each program may do what design and chart say, and nothing else, on a real API server."""

from __future__ import annotations

import itertools

import pytest

from harness.cluster import Cluster
from harness.kube import ApiRefused, secret, secrets_path
from harness.rights import Account

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
USERS_GROUP = "productive-mcp.dev"
RESOURCES = (
    ("", "secrets"),
    ("", "configmaps"),
    ("", "events"),
    ("", "pods"),
    ("", "serviceaccounts/token"),
    (USERS_GROUP, "productiveusers"),
    (USERS_GROUP, "productiveusers/status"),
    ("discovery.k8s.io", "endpointslices"),
    ("rbac.authorization.k8s.io", "roles"),
    ("rbac.authorization.k8s.io", "rolebindings"),
)
NAMES = ("", "mapping", "key_ring", "other")

Right = tuple[str, str, str, str]
"""Namespace role, resource, name ("" for any), verb."""


def _rights(place: str, resource: str, names: str, verbs: str) -> set[Right]:
    named = names.split() or list(NAMES)
    return {(place, resource, "" if n == "any" else n, v) for n in named for v in verbs.split()}


ALLOWED: dict[Account, set[Right]] = {
    "operator": _rights("users", "productiveusers", "", "list watch")
    | _rights("users", "productiveusers/status", "", "patch")
    | _rights("users", "secrets", "", "list watch")
    | _rights("users", "events", "", "create")
    | _rights("release", "secrets", "mapping", "get list watch create patch"),
    "gateway": _rights("grants", "secrets", "", "get list watch create update delete")
    | _rights("release", "secrets", "mapping key_ring", "get list watch"),
    "keys": _rights("release", "secrets", "", "create")
    | _rights("release", "secrets", "key_ring", "get"),
}


@pytest.mark.parametrize("account", ["operator", "gateway", "keys"])
def test_the_rights_are_exactly_those_of_the_design(cluster: Cluster, account: Account) -> None:
    own = cluster.client(account)
    names = {
        "": "",
        "mapping": cluster.names.mapping,
        "key_ring": cluster.names.key_ring,
        "other": "x",
    }
    found = {
        (place, resource, name, verb)
        for place, (group, resource), name, verb in itertools.product(
            ("release", "users", "grants"), RESOURCES, NAMES, VERBS
        )
        if own.may(
            verb,
            resource,
            namespace=cluster.names.named(place),
            name=names[name],
            group=group,
        )
    }
    assert found == ALLOWED[account]


@pytest.mark.parametrize("account", ["operator", "gateway", "keys"])
def test_no_account_reaches_another_namespace(cluster: Cluster, account: Account) -> None:
    own = cluster.client(account)
    assert not any(own.may(v, "secrets", namespace="kube-system") for v in VERBS)
    assert not any(own.may(v, "namespaces", namespace="") for v in VERBS)


def test_the_operator_makes_the_mapping_by_apply_and_no_other_secret(cluster: Cluster) -> None:
    own = cluster.client("operator")
    release, mapping = cluster.names.release, cluster.names.mapping

    made = own.apply(secrets_path(release, mapping), secret(mapping, {"users.json": b"{}"}))
    assert made["metadata"]["name"] == mapping

    with pytest.raises(ApiRefused) as refused:
        own.apply(secrets_path(release, "other"), secret("other", {}))
    assert refused.value.status == 403
    with pytest.raises(ApiRefused) as refused:
        own.create(secrets_path(release), secret("third", {}))
    assert refused.value.status == 403


@pytest.mark.parametrize("account", ["operator", "gateway"])
def test_the_release_secrets_are_listed_by_name_only(cluster: Cluster, account: Account) -> None:
    own = cluster.client(account)
    cluster.make_empty_mapping()
    path = secrets_path(cluster.names.release)

    by_name = own.items(path, fieldSelector=f"metadata.name={cluster.names.mapping}")
    assert [item["metadata"]["name"] for item in by_name] == [cluster.names.mapping]

    with pytest.raises(ApiRefused) as refused:
        own.items(path)
    assert refused.value.status == 403
