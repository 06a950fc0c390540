"""ServiceAccounts with exactly the rights that the chart grants.

The rules come from the chart's files, `charts/productive-mcp/files/rbac/PROGRAM.yaml`.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from harness.audit import qualified
from harness.kube import Identity, Kube, Object
from harness.namespaces import Namespaces
from harness.plane import Plane
from harness.processes import eventually

RULES = Path(__file__).resolve().parents[2] / "charts" / "productive-mcp" / "files" / "rbac"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"
TOKEN_SECONDS = 12 * 3600

Account = Literal["operator", "gateway", "keys", "rotation"]
ACCOUNTS: tuple[Account, ...] = get_args(Account)
ANY = "any"


@dataclass(frozen=True, order=True, slots=True)
class Right:
    """One verb that an account may use."""

    account: str
    place: str
    """`release`, `users` or `grants`."""
    resource: str
    """As kubectl writes it."""
    name: str
    """`mapping`, `key_ring`, or `any`."""
    verb: str

    def __str__(self) -> str:
        return f"{self.account}: {self.verb} {self.resource} ({self.name}) in {self.place}"


def granted(account: Account) -> set[Right]:
    """Return the rights in the account's file, one per verb."""
    words = Namespaces("release", "users", "grants", mapping="mapping", key_ring="key_ring")
    found = set()
    for role in roles(account, words):
        for rule in role["rules"]:
            assert rule.keys() <= {"apiGroups", "resources", "resourceNames", "verbs"}
            for group, resource, name, verb in itertools.product(
                rule["apiGroups"],
                rule["resources"],
                rule.get("resourceNames", [ANY]),
                rule["verbs"],
            ):
                plain, _, subresource = resource.partition("/")
                full = qualified(group, plain, subresource)
                found.add(Right(account, role["namespace"], full, name, verb))
    return found


def roles(account: Account, names: Namespaces) -> list[dict[str, Any]]:
    """Return the account's roles, each with a namespace and rules."""
    text = (RULES / f"{account}.yaml").read_text()
    text = text.replace("MAPPING", names.mapping).replace("KEY_RING", names.key_ring)
    found: list[dict[str, Any]] = yaml.safe_load(text)["roles"]
    return [{"namespace": names.named(r["namespace"]), "rules": r["rules"]} for r in found]


def grant_rights(plane: Plane, names: Namespaces, account: Account) -> Identity:
    """Create the ServiceAccount and its Roles; return it once its rights are in force."""
    identity = new_account(plane, names, account)
    given = roles(account, names)
    for role in given:
        _bind(plane.kube, names, account, role)
    with plane.client(identity) as own:
        for role in given:
            in_force = functools.partial(_in_force, own, role)
            eventually(in_force, what=f"the rights of {account}")
    return identity


def new_account(plane: Plane, names: Namespaces, name: str) -> Identity:
    """Create a ServiceAccount without rights."""
    accounts = f"/api/v1/namespaces/{names.release}/serviceaccounts"
    plane.kube.create(accounts, {"kind": "ServiceAccount", "metadata": {"name": name}})
    return Identity(
        plane.admin.server,
        plane.authority.certificate,
        namespace=names.release,
        token=_token(plane.kube, f"{accounts}/{name}/token"),
    )


def _bind(kube: Kube, names: Namespaces, account: str, role: dict[str, Any]) -> None:
    path = f"{RBAC}/{role['namespace']}"
    metadata = {"name": account}
    kube.create(f"{path}/roles", {"kind": "Role", "metadata": metadata, "rules": role["rules"]})
    binding: Object = {
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": names.release}],
    }
    kube.create(f"{path}/rolebindings", binding)


def _token(kube: Kube, path: str) -> str:
    request = {"kind": "TokenRequest", "spec": {"expirationSeconds": TOKEN_SECONDS}}
    answer = kube.create(path, request | {"apiVersion": "authentication.k8s.io/v1"})
    return str(answer["status"]["token"])


def _in_force(own: Kube, role: dict[str, Any]) -> bool:
    """Report whether the authorizer knows the role, which it learns a moment later."""
    rule = role["rules"][0]
    return own.may(
        rule["verbs"][0],
        rule["resources"][0],
        namespace=role["namespace"],
        name=rule.get("resourceNames", [""])[0],
        group=rule["apiGroups"][0],
    )
