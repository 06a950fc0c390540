"""The table of rights is that of rule files and documentation, and a run is judged by it."""

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
PROGRAMS = {"operator": "operator", "gateway": "gateway", "job": "keys"}
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
}
"""What a node of the picture stands for."""

TEST = "tests/cluster/test_x.py::test_x"
READ = Right("gateway", "release", "secrets", "mapping", "get")
MAKE = Right("operator", "release", "secrets", "mapping", "create")
APPLY = Right("operator", "release", "secrets", "mapping", "patch")


# --- the table


@pytest.mark.attack("R-01")
def test_the_table_has_each_right_of_the_rule_files_and_no_other() -> None:
    files = {right for account in ACCOUNTS for right in granted(account)}
    assert rights().keys() == files


def test_every_test_of_the_table_is_there() -> None:
    missing = {use.test for use in rights().values() if isinstance(use, Use)} - _all_tests()
    assert missing == set()


def test_the_table_of_the_documentation_is_that_of_the_rule_files() -> None:
    page = PAGE.read_text()
    assert _script().rendered(page) == page, "run python charts/rights.py"


def test_the_picture_of_the_documentation_shows_each_right_and_no_other() -> None:
    drawn = {
        (PROGRAMS[program], node, verb.strip())
        for program, verbs, node in ARROW.findall(PAGE.read_text())
        for verb in verbs.split(",")
    }
    assert drawn == {(r.account, DRAWN[r.place, r.resource, r.name], r.verb) for r in rights()}


# --- how a run is judged


def test_a_right_that_its_test_used_is_fine() -> None:
    assert judged({READ: Use("", TEST)}, [asked(READ)]) == []


def test_a_right_that_its_test_did_not_use_is_told() -> None:
    [told] = judged({READ: Use("", TEST)}, [])
    assert told.startswith(f"{READ} was not used in {TEST}")


def test_use_in_an_installation_of_another_test_is_none() -> None:
    elsewhere = [asked(READ, release="t-2"), asked(READ, release="shared")]
    [told] = judged({READ: Use("", TEST)}, elsewhere)
    assert "was not used" in told


@pytest.mark.parametrize("passed", [(), ("tests/cluster/test_x.py::test_y",)])
def test_nothing_is_asked_of_a_test_that_did_not_run_or_did_not_pass(
    passed: tuple[str, ...],
) -> None:
    assert judged({READ: Use("", TEST)}, [], passed=passed) == []


def test_a_right_that_nothing_uses_may_stay_with_a_reason_until_it_is_used() -> None:
    table = {READ: Unused("one rule for two Secrets")}
    assert judged(table, []) == []
    [told] = judged(table, [asked(READ, release="shared")])
    assert (
        told == f"{READ} was used in an installation of the whole run: tell in the table what for"
    )


def test_what_was_allowed_beyond_the_table_is_told() -> None:
    [told] = judged({}, [asked(READ)])
    assert told == f"{READ} was allowed in {TEST}, but is not in the table"


def test_discovery_is_open_to_everybody() -> None:
    path = Right("operator", "", "/apis/productive-mcp.dev/v1alpha1", ANY, "get")
    assert judged({}, [asked(path)]) == []


def test_the_right_to_make_is_used_by_an_apply_that_made_something() -> None:
    table = {APPLY: Use("", TEST), MAKE: Use("", TEST)}
    [told] = judged(table, [asked(APPLY)])
    assert told.startswith(f"{MAKE} was not used")
    assert judged(table, [asked(APPLY, made=True)]) == []


def test_the_name_of_what_is_posted_is_no_name() -> None:
    make = Right("keys", "release", "secrets", ANY, "create")
    posted = Right("keys", "release", "secrets", "key_ring", "create")
    assert judged({make: Use("", TEST)}, [asked(posted, made=True)]) == []


@pytest.mark.parametrize("release", ["t-1", "t-2", "shared"])
def test_a_refusal_is_told(release: str) -> None:
    [told] = judged({READ: Use("", "another")}, [asked(READ, release=release, allowed=False)])
    assert told.startswith(f"{READ} was refused in")


def test_a_refusal_on_purpose_is_fine_for_that_account_of_that_test_only() -> None:
    refused = [asked(READ, allowed=False)]
    assert judged({}, refused, refusals={TEST: frozenset({"gateway"})}) == []
    told = judged({}, refused, refusals={TEST: frozenset({"operator"})})
    assert len(told) == 2
    assert f"nothing was refused to operator in {TEST}, which says so" in told


@pytest.mark.parametrize(
    "user", ["admin", "system:serviceaccount:t-1:default", "system:serviceaccount:t-1:t-1-gateway"]
)
def test_a_program_under_another_account_is_told(user: str) -> None:
    request = Asked(user, "get", "secrets", "t-1", "t-1-mapping", allowed=True, made=False)
    [told] = judged({}, [request])
    assert told == f"a program asked as {user}, whose rights no rule file gives"


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


def asked(right: Right, *, release: str = "t-1", allowed: bool = True, made: bool = False) -> Asked:
    names = {"mapping": f"{release}-mapping", "key_ring": f"{release}-keys"}
    return Asked(
        user=f"system:serviceaccount:{release}:{right.account}",
        verb=right.verb,
        resource=right.resource,
        namespace={"release": release}.get(right.place, right.place),
        name=names.get(right.name, ""),
        allowed=allowed,
        made=made,
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
