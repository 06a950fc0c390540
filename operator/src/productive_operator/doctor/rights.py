"""Whether operator and gateway may do what they have to, by the rule files of the chart."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from productive_operator.doctor.installation import PROGRAMS, Installation
from productive_operator.doctor.reading import ClusterReader
from productive_operator.doctor.result import NotReadable, Result, not_checked, ok, wrong

RULES: Final = Path(__file__).parent / "rbac"
"""The chart's files/rbac."""


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one resource."""

    namespace: str
    group: str
    resource: str
    """With its subresource after a slash."""
    name: str
    """Empty: any."""
    verb: str

    def __str__(self) -> str:
        name = f" {self.name}" if self.name else ""
        return f"{self.verb} {self.resource}{name} in {self.namespace}"

    def attributes(self) -> dict[str, str]:
        """Return the question to the authorizer."""
        resource, _, subresource = self.resource.partition("/")
        return {
            "namespace": self.namespace,
            "group": self.group,
            "resource": resource,
            "subresource": subresource,
            "name": self.name,
            "verb": self.verb,
        }


async def check_rights(reader: ClusterReader, installation: Installation) -> list[Result]:
    """Ask the authorizer for each right of each program."""
    own = await reader.own_name()
    return [await _of_program(reader, installation, program, own) for program in PROGRAMS]


async def _of_program(
    reader: ClusterReader, installation: Installation, program: str, own: str | None
) -> Result:
    title = f"rights of the {program}"
    account = installation.accounts.get(program)
    namespace = installation.namespace
    user = f"system:serviceaccount:{namespace}:{account}"
    # Without Deployments, we are the operator if we are anybody who has its settings.
    is_own = own == user if account else program == "operator"
    if account is None and not is_own:
        return not_checked(title, str(installation.needs()))
    try:
        wanted = list(needed(program, places(installation), names(installation)))
        missing = []
        for right in wanted:
            kind = "SelfSubjectAccessReview" if is_own else "SubjectAccessReview"
            spec: dict[str, object] = {"resourceAttributes": right.attributes()}
            if not is_own:
                spec |= {"user": user, "groups": _groups(namespace)}
            answer = await reader.review(kind, spec, "create subjectaccessreviews")
            if not answer.get("allowed"):
                missing.append(right)
    except NotReadable as error:
        return not_checked(title, str(error))
    return judge_rights(title, len(wanted), missing)


def judge_rights(title: str, wanted: int, missing: list[Right]) -> Result:
    """Judge what the authorizer answered."""
    if not missing:
        return ok(title, f"it has all {wanted}")
    shown = "; ".join(map(str, missing[:5])) + ("; …" if len(missing) > 5 else "")
    return wrong(
        title,
        f"it may not: {shown}",
        "Let the chart create Roles and RoleBindings (helm upgrade with rbac.create on), or apply "
        "the rules of files/rbac yourself.",
    )


def places(installation: Installation) -> Mapping[str, str]:
    """Return the namespace for each word of the rule files, as far as it is known."""
    found = {"release": installation.namespace, "users": installation.users_namespace}
    grants = installation.grants_namespace
    return found if grants is None else {**found, "grants": grants}


def names(installation: Installation) -> Mapping[str, str]:
    """Return the name for each placeholder of the rule files, as far as it is known."""
    found = {"MAPPING": installation.mapping[1]}
    ring = installation.key_ring
    return found if ring is None else {**found, "KEY_RING": ring[1]}


def needed(program: str, places: Mapping[str, str], names: Mapping[str, str]) -> Iterator[Right]:
    """Yield the rights of a program.

    Args:
        program: operator or gateway.
        places: as of the function of that name.
        names: as of the function of that name.

    Raises:
        NotReadable: a place or a name is not known.
    """
    roles = yaml.safe_load((RULES / f"{program}.yaml").read_text())["roles"]
    for role in roles:
        for rule in role["rules"]:
            yield from _of_rule(rule, _known(places, role["namespace"]), names)


def _of_rule(rule: Mapping[str, Any], namespace: str, names: Mapping[str, str]) -> Iterable[Right]:
    found = [_known(names, name) for name in rule.get("resourceNames", ())] or [""]
    each = itertools.product(rule["apiGroups"], rule["resources"], found, rule["verbs"])
    return (Right(namespace, *one) for one in each)


def _known(values: Mapping[str, str], name: str) -> str:
    try:
        return values[name]
    except KeyError as error:
        raise NotReadable(f"the name of {name.lower().replace('_', ' ')}") from error


def _groups(namespace: str) -> list[str]:
    """Return the groups that every ServiceAccount is in: a role may be bound to one of them."""
    return [
        "system:serviceaccounts",
        f"system:serviceaccounts:{namespace}",
        "system:authenticated",
    ]
