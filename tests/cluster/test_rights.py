"""Each program may do what the table of rights says, and nothing else, on a real API server.

What the programs used of it is judged at the end of the run: see `harness/ledger.py`.
"""

from __future__ import annotations

import itertools

import pytest

from harness.audit import qualified
from harness.cluster import Cluster
from harness.kube import ApiRefused, Kube, Object, secret, secrets_path
from harness.namespaces import Namespaces, new_namespaces
from harness.rights import ACCOUNTS, ANY, Account, new_account
from harness.rightstable import rights

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
USERS_GROUP = "productive-mcp.dev"
RESOURCES = (
    ("", "secrets"),
    ("", "configmaps"),
    ("", "events"),
    ("", "pods"),
    ("", "pods/exec"),
    ("", "serviceaccounts/token"),
    (USERS_GROUP, "productiveusers"),
    (USERS_GROUP, "productiveusers/status"),
    ("coordination.k8s.io", "leases"),
    ("discovery.k8s.io", "endpointslices"),
    ("rbac.authorization.k8s.io", "roles"),
    ("rbac.authorization.k8s.io", "rolebindings"),
)
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"

each_account = pytest.mark.parametrize("account", ACCOUNTS)

Rule = tuple[str, str, str]
"""Resource as kubectl writes it (or a path), name or `any`, verb."""


@pytest.fixture
def foreign(cluster: Cluster) -> Namespaces:
    """The namespaces of another installation."""
    return new_namespaces(cluster.kube)


@each_account
@pytest.mark.attack("R-01")
def test_of_a_matrix_of_requests_exactly_the_granted_are_allowed(
    cluster: Cluster, foreign: Namespaces, account: Account
) -> None:
    own = cluster.client(account)
    ours = cluster.names
    places = {place: ours.named(place) for place in ("release", "users", "grants")}
    places["another"] = foreign.users
    names = {ANY: "", "mapping": ours.mapping, "key_ring": ours.key_ring, "other": "other"}
    allowed = {
        (place, resource, name, verb)
        for place, (group, resource), name, verb in itertools.product(
            places, RESOURCES, names, VERBS
        )
        # Only Secrets are granted by name.
        if (name == ANY or resource == "secrets")
        and own.may(verb, resource, namespace=places[place], name=names[name], group=group)
    }
    granted = {
        (right.place, _without_group(right.resource), name, right.verb)
        for right in rights()
        if right.account == account
        for name in (names if (right.resource, right.name) == ("secrets", ANY) else [right.name])
    }
    assert allowed == granted


@each_account
@pytest.mark.attack("R-01")
def test_an_account_may_do_no_more_than_anybody_but_for_its_rights(
    cluster: Cluster, foreign: Namespaces, account: Account
) -> None:
    """The API server's own list of what an account may do, whatever the resource is called."""
    own, ours = cluster.client(account), cluster.names
    places = {ours.named(place): place for place in ("release", "users", "grants")}
    strange = (foreign.release, foreign.users, foreign.grants, "default", "kube-system")
    with cluster.plane.client(new_account(cluster.plane, ours, "anybody")) as anybody:
        for namespace in (*places, *strange):
            granted = {
                (right.resource, _named(ours, right.name), right.verb)
                for right in rights()
                if (right.account, right.place) == (account, places.get(namespace))
            }
            assert _rules(own, namespace) - _rules(anybody, namespace) == granted


@pytest.mark.attack("R-01")
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
@pytest.mark.attack("R-01")
def test_the_release_secrets_are_listed_by_name_only(cluster: Cluster, account: Account) -> None:
    own = cluster.client(account)
    cluster.make_empty_mapping()
    path = secrets_path(cluster.names.release)

    by_name = own.items(path, fieldSelector=f"metadata.name={cluster.names.mapping}")
    assert [item["metadata"]["name"] for item in by_name] == [cluster.names.mapping]

    with pytest.raises(ApiRefused) as refused:
        own.items(path)
    assert refused.value.status == 403


def _rules(own: Kube, namespace: str) -> set[Rule]:
    """Return what the account may do in a namespace, and on paths that are no resources."""
    body: Object = {"kind": "SelfSubjectRulesReview", "apiVersion": "authorization.k8s.io/v1"}
    status = own.create(REVIEW, body | {"spec": {"namespace": namespace}})["status"]
    assert not status["incomplete"]
    found = {
        (path, ANY, v)
        for r in status["nonResourceRules"]
        for path in r["nonResourceURLs"]
        for v in r["verbs"]
    }
    for rule in status["resourceRules"]:
        for group, resource, name, verb in itertools.product(
            rule["apiGroups"], rule["resources"], rule.get("resourceNames", [ANY]), rule["verbs"]
        ):
            plain, _, subresource = resource.partition("/")
            found.add((qualified(group, plain, subresource), name, verb))
    return found


def _without_group(resource: str) -> str:
    for group in (USERS_GROUP, "discovery.k8s.io"):
        resource = resource.replace(f".{group}", "")
    return resource


def _named(names: Namespaces, name: str) -> str:
    return {"mapping": names.mapping, "key_ring": names.key_ring}.get(name, ANY)
