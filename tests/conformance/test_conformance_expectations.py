"""When a run of the suite is not as expected."""

from __future__ import annotations

from collections import Counter

import pytest

from conformance.suite import Result, differences, expected_failures, required_scenarios

PASSED = Result("tools-list", Counter(SUCCESS=2), ())
FAILED = Result("tools-list", Counter(SUCCESS=1, FAILURE=1), ("tools-list FAILURE: no tools",))
UNCHECKED = Result("tools-list", Counter(SKIPPED=1), ())
REASON = {"tools-list": "It has no tools."}
REQUIRED = frozenset({"tools-list"})


def found(result: Result | None, expected: dict[str, str]) -> list[str]:
    results = {} if result is None else {result.scenario: result}
    return list(differences(results, REQUIRED, expected))


def test_passed_scenario_is_as_expected() -> None:
    assert found(PASSED, {}) == []


def test_failed_scenario_is_reported_with_its_problem() -> None:
    assert found(FAILED, {}) == ["tools-list: tools-list FAILURE: no tools"]


def test_expected_failure_is_as_expected() -> None:
    assert found(FAILED, REASON) == []


def test_expected_failure_that_passes_is_reported() -> None:
    assert "and passed" in found(PASSED, REASON)[0]


def test_scenario_without_checks_is_reported() -> None:
    assert found(UNCHECKED, {}) == ["tools-list: nothing was checked"]


def test_scenario_that_did_not_run_is_reported() -> None:
    assert found(None, {}) == ["tools-list did not run"]
    assert found(None, REASON) == ["tools-list did not run"]


def test_expected_failure_that_nobody_requires_is_reported() -> None:
    [told] = found(PASSED, {"tasks-lifecycle": "There are no tasks."})
    assert told == "tasks-lifecycle is expected to fail, but is not required"


def test_scenario_that_is_not_required_may_fail() -> None:
    extension = Result("tasks-lifecycle", Counter(FAILURE=1), ("tasks-lifecycle FAILURE: none",))
    assert list(differences({"tasks-lifecycle": extension}, frozenset(), {})) == []


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
def test_suite_requires_scenarios_and_each_expected_failure_has_a_reason(revision: str) -> None:
    required = required_scenarios(revision)
    assert len(required) > 30
    assert not {name for name in required if name.startswith("tasks-")}
    expected = expected_failures(revision)
    assert set(expected) <= required
    assert all(expected.values())
