"""The table of rights agrees with rule files and documentation, and runs are compared with it."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from harness.audit import Asked
from harness.ledger import Ledger
from harness.rights import ACCOUNTS, ANY, Right, granted
from harness.rightstable import Unused, Use, rights

TOP = Path(__file__).parents[2]
PAGE = TOP / "docs" / "security.md"
ARROW = re.compile(r'^ *(\w+) -- "?([a-z, ]+)[^-]*?"? --> (\w+)$', re.MULTILINE)
PROGRAMS = {"operator": "operator", "gateway": "gateway", "job": "keys", "rotation": "rotation"}
DRAWN = {
    ("users", "productiveusers.productive-mcp.dev", ANY): "people",
    ("users", "productiveusers.productive-mcp.dev/status", ANY): "status",
    ("users", "secrets", ANY): "tokens",
    ("users", "events", ANY): "events",
    ("release", "secrets", "mapping"): "mapping",
    ("release", "secrets", "key_ring"): "ring",
    # The Job makes one Secret: the authorizer does not see its name.
    ("release", "secrets", ANY): "ring",
    ("grants", "secrets", ANY): "grants",
    ("release", "endpointslices.discovery.k8s.io", ANY): "replicas",
}
"""The node of the picture for each namespace, resource and name."""

TEST = "tests/cluster/test_x.py::test_x"
READ = Right("gateway", "release", "secrets", "mapping", "get")
MAKE = Right("operator", "release", "secrets", "mapping", "create")
APPLY = Right("operator", "release", "secrets", "mapping", "patch")


# --- the table


@pytest.mark.attack("R-01")
def test_the_table_has_exactly_the_rights_of_the_rule_files() -> None:
    files = {right for account in ACCOUNTS for right in granted(account)}
    assert rights().keys() == files


def test_every_test_in_the_table_exists() -> None:
    missing = {use.test for use in rights().values() if isinstance(use, Use)} - _all_tests()
    assert missing == set()


def test_the_table_in_the_documentation_is_generated_from_the_rule_files() -> None:
    page = PAGE.read_text()
    assert _script().rendered(page) == page, "run python charts/rights.py"


def test_the_picture_in_the_documentation_shows_exactly_these_rights() -> None:
    drawn = {
        (PROGRAMS[program], node, verb.strip())
        for program, verbs, node in ARROW.findall(PAGE.read_text())
        for verb in verbs.split(",")
    }
    assert drawn == {(r.account, DRAWN[r.place, r.resource, r.name], r.verb) for r in rights()}


# --- comparing a run with the table


def test_a_right_used_by_its_test_is_accepted() -> None:
    assert judged({READ: Use("", TEST)}, [asked(READ)]) == []


def test_a_right_not_used_by_its_test_is_reported() -> None:
    [message] = judged({READ: Use("", TEST)}, [])
    assert message.startswith(f"{READ} was not used in {TEST}")


def test_use_in_the_installation_of_another_test_does_not_count() -> None:
    elsewhere = [asked(READ, release="t-2"), asked(READ, release="shared")]
    [message] = judged({READ: Use("", TEST)}, elsewhere)
    assert "was not used" in message


@pytest.mark.parametrize("passed", [(), ("tests/cluster/test_x.py::test_y",)])
def test_no_use_is_required_of_a_test_that_did_not_pass(
    passed: tuple[str, ...],
) -> None:
    assert judged({READ: Use("", TEST)}, [], passed=passed) == []


def test_an_unused_right_with_a_reason_is_accepted_until_it_is_used() -> None:
    table = {READ: Unused("one rule for two Secrets")}
    assert judged(table, []) == []
    [message] = judged(table, [asked(READ, release="shared")])
    assert (
        message
        == f"{READ} was used in an installation of the whole run: add its purpose to the table"
    )


def test_an_allowed_request_that_is_not_in_the_table_is_reported() -> None:
    [message] = judged({}, [asked(READ)])
    assert message == f"{READ} was allowed in {TEST}, but is not in the table"


def test_discovery_needs_no_right() -> None:
    path = Right("operator", "", "/apis/productive-mcp.dev/v1alpha1", ANY, "get")
    assert judged({}, [asked(path)]) == []


def test_an_apply_that_creates_an_object_uses_the_right_to_create() -> None:
    table = {APPLY: Use("", TEST), MAKE: Use("", TEST)}
    [message] = judged(table, [asked(APPLY)])
    assert message.startswith(f"{MAKE} was not used")
    assert judged(table, [asked(APPLY, created=True)]) == []


def test_the_name_of_a_created_object_is_ignored() -> None:
    make = Right("keys", "release", "secrets", ANY, "create")
    posted = Right("keys", "release", "secrets", "key_ring", "create")
    assert judged({make: Use("", TEST)}, [asked(posted, created=True)]) == []


@pytest.mark.parametrize("release", ["t-1", "t-2", "shared"])
def test_a_refusal_is_reported(release: str) -> None:
    [message] = judged({READ: Use("", "another")}, [asked(READ, release=release, allowed=False)])
    assert message.startswith(f"{READ} was refused in")


def test_an_expected_refusal_is_accepted_for_that_account_and_test_only() -> None:
    refused = [asked(READ, allowed=False)]
    assert judged({}, refused, refusals={TEST: frozenset({"gateway"})}) == []
    messages = judged({}, refused, refusals={TEST: frozenset({"operator"})})
    assert len(messages) == 2
    assert f"nothing was refused to operator in {TEST}, which is marked refused" in messages


@pytest.mark.parametrize(
    "user", ["admin", "system:serviceaccount:t-1:default", "system:serviceaccount:t-1:t-1-gateway"]
)
def test_a_program_with_another_account_is_reported(user: str) -> None:
    request = Asked(user, "get", "secrets", "t-1", "t-1-mapping", allowed=True, created=False)
    [message] = judged({}, [request])
    assert message == f"a program used the account {user}, which has no rule file"


def judged(
    table: dict[Right, Use | Unused],
    requests: Iterable[Asked],
    *,
    passed: Iterable[str] = (TEST,),
    refusals: dict[str, frozenset[str]] | None = None,
) -> list[str]:
    owners = {"t-1": TEST, "t-2": "tests/cluster/test_x.py::test_y"}
    ledger = Ledger(set(requests), set(passed), owners, refusals or {})
    return list(ledger.complaints(table))


def asked(
    right: Right, *, release: str = "t-1", allowed: bool = True, created: bool = False
) -> Asked:
    names = {"mapping": f"{release}-mapping", "key_ring": f"{release}-keys"}
    return Asked(
        user=f"system:serviceaccount:{release}:{right.account}",
        verb=right.verb,
        resource=right.resource,
        namespace={"release": release}.get(right.place, right.place),
        name=names.get(right.name, ""),
        allowed=allowed,
        created=created,
    )


def _all_tests() -> set[str]:
    """Return the ids of all test functions, without parameters."""
    return {
        f"{file.relative_to(TOP)}::{node.name}"
        for file in (TOP / "tests").glob("*/test_*.py")
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def _script() -> Any:
    """Return charts/rights.py as a module."""
    spec = importlib.util.spec_from_file_location("chart_rights", TOP / "charts" / "rights.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
