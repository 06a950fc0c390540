"""The rights that the programs used while tests ran, held against the table.

The fixtures of `conftest.py` tell which installation is which test's, pytest tells which tests
passed, and the audit logs of the planes tell the rest. It is judged when the run ends, or each
worker's part of it. Only tests that ran and passed are asked for the uses that the table says they
have: a part of the tests can be run by itself.
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
    """One kind of request in the installations of one test."""

    test: str
    """The test's id; nothing for an installation that the whole run shares."""
    right: Right
    allowed: bool


@dataclass(slots=True)
class Ledger:
    """What is known of the tests, by their ids without parameters."""

    asked: set[Asked] = field(default_factory=set)
    passed: set[str] = field(default_factory=set)
    owners: dict[str, str] = field(default_factory=dict)
    """Whose installation a release is."""
    refusals: dict[str, frozenset[str]] = field(default_factory=dict)
    """The accounts that a test lets the API server refuse something, on purpose."""

    def complaints(self, rights: Mapping[Right, Use | Unused]) -> Iterator[str]:
        """Tell what is not as the table says."""
        used: set[Used] = set()
        strangers: set[str] = set()
        for request in self.asked:
            taken = set(self._taken(request))
            used |= taken
            if not taken:
                strangers.add(request.user)
        for user in sorted(strangers):
            yield f"a program asked as {user}, whose rights no rule file gives"
        for one in sorted(used):
            yield from self._beyond(rights, one)
        yield from self._missing(rights, used)

    def _taken(self, asked: Asked) -> Iterator[Used]:
        """Return what a request took: two rights where server-side apply made an object."""
        kind, _, account = asked.user.rpartition(":")
        kind, _, release = kind.rpartition(":")
        if kind != SERVICE_ACCOUNT or account not in ACCOUNTS:
            return
        names = Namespaces.of(release)
        places = {names.release: "release", names.users: "users", names.grants: "grants"}
        known = {names.mapping: "mapping", names.key_ring: "key_ring"}
        # The authorizer does not see the name of what is posted.
        name = ANY if asked.verb == "create" else known.get(asked.name, ANY)
        place = places.get(asked.namespace, asked.namespace)
        right = Right(account, place, asked.resource, name, asked.verb)
        test = self.owners.get(release, "")
        yield Used(test, right, asked.allowed)
        if asked.verb == "patch" and asked.made:
            yield Used(test, replace(right, verb="create"), allowed=True)

    def _beyond(self, rights: Mapping[Right, Use | Unused], used: Used) -> Iterator[str]:
        right = used.right
        where = f"in {used.test or 'an installation of the whole run'}"
        if not used.allowed:
            if right.account not in self.refusals.get(used.test, ()):
                yield f"{right} was refused {where}"
        elif right not in rights:
            # Discovery is open to everybody; its resources are paths.
            if not right.resource.startswith("/"):
                yield f"{right} was allowed {where}, but is not in the table"
        elif isinstance(rights[right], Unused):
            yield f"{right} was used {where}: tell in the table what for"

    def _missing(self, rights: Mapping[Right, Use | Unused], used: set[Used]) -> Iterator[str]:
        for right, use in rights.items():
            if isinstance(use, Unused) or use.test not in self.passed:
                continue
            if Used(use.test, right, allowed=True) not in used:
                yield f"{right} was not used in {use.test}: take it away, or tell why it stays"
        refused = {(one.test, one.right.account) for one in used if not one.allowed}
        for test in sorted(self.passed & self.refusals.keys()):
            for account in sorted(self.refusals[test]):
                if (test, account) not in refused:
                    yield f"nothing was refused to {account} in {test}, which says so"
