"""Compares the rights that programs used during the tests with the table of rights.

The fixtures of `conftest.py` record which installation belongs to which test, pytest reports which
tests passed, and the audit logs of the control planes have the requests. The comparison is made at
the end of the run, or of each worker's part of it. Uses that the table ascribes to a test are
required only if that test ran and passed, so a part of the tests can be run by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from harness.audit import Asked
from harness.namespaces import Namespaces
from harness.rights import ACCOUNTS, ANY, Right
from harness.rightstable import Unused, Use

SERVICE_ACCOUNT = "system:serviceaccount"


@dataclass(frozen=True, order=True, slots=True)
class Used:
    """One right that was used in the installations of one test."""

    test: str
    """The id of the test; empty for an installation that the whole run shares."""
    right: Right
    allowed: bool


@dataclass(slots=True)
class Ledger:
    """What was recorded during the run; test ids are without parameters."""

    asked: set[Asked] = field(default_factory=set)
    passed: set[str] = field(default_factory=set)
    owners: dict[str, str] = field(default_factory=dict)
    """Release → the test whose installation it is."""
    refusals: dict[str, frozenset[str]] = field(default_factory=dict)
    """Test → the accounts that the API server refuses something in it, on purpose."""

    def complaints(self, rights: Mapping[Right, Use | Unused]) -> Iterator[str]:
        """Yield a message for each difference from the table."""
        used: set[Used] = set()
        unknown: set[str] = set()
        for request in self.asked:
            used_rights = set(self._used_rights(request))
            used |= used_rights
            if not used_rights:
                unknown.add(request.user)
        for user in sorted(unknown):
            yield f"a program used the account {user}, which has no rule file"
        for one in sorted(used):
            yield from self._excess(rights, one)
        yield from self._missing(rights, used)

    def _used_rights(self, asked: Asked) -> Iterator[Used]:
        """Yield the rights that a request used: two if server-side apply created an object."""
        kind, _, account = asked.user.rpartition(":")
        kind, _, release = kind.rpartition(":")
        if kind != SERVICE_ACCOUNT or account not in ACCOUNTS:
            return
        names = Namespaces.of(release)
        places = {names.release: "release", names.users: "users", names.grants: "grants"}
        known = {names.mapping: "mapping", names.key_ring: "key_ring"}
        # The authorizer does not see the name of an object in a POST.
        name = ANY if asked.verb == "create" else known.get(asked.name, ANY)
        place = places.get(asked.namespace, asked.namespace)
        right = Right(account, place, asked.resource, name, asked.verb)
        test = self.owners.get(release, "")
        yield Used(test, right, asked.allowed)
        if asked.verb == "patch" and asked.created:
            yield Used(test, replace(right, verb="create"), allowed=True)

    def _excess(self, rights: Mapping[Right, Use | Unused], used: Used) -> Iterator[str]:
        right = used.right
        where = f"in {used.test or 'an installation of the whole run'}"
        if not used.allowed:
            if right.account not in self.refusals.get(used.test, ()):
                yield f"{right} was refused {where}"
        elif right not in rights:
            # Discovery is open to everybody; its "resources" are paths.
            if not right.resource.startswith("/"):
                yield f"{right} was allowed {where}, but is not in the table"
        elif isinstance(rights[right], Unused):
            yield f"{right} was used {where}: add its purpose to the table"

    def _missing(self, rights: Mapping[Right, Use | Unused], used: set[Used]) -> Iterator[str]:
        for right, use in rights.items():
            if isinstance(use, Unused) or use.test not in self.passed:
                continue
            if Used(use.test, right, allowed=True) not in used:
                yield f"{right} was not used in {use.test}: remove it, or say why it stays"
        refused = {(one.test, one.right.account) for one in used if not one.allowed}
        for test in sorted(self.passed & self.refusals.keys()):
            for account in sorted(self.refusals[test]):
                if (test, account) not in refused:
                    yield f"nothing was refused to {account} in {test}, which is marked refused"
