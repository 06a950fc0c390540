"""Runs the suite against a gateway of its own, and fails if a result is not as expected."""

from __future__ import annotations

import sys
from pathlib import Path

from conformance.suite import differences, expected_failures, required_scenarios, run_suite
from harness.foreignapp import App
from harness.standalone import ANA, standalone

_TESTS = Path(__file__).parents[1]


def check_conformance(revision: str) -> None:
    """Fail unless the gateway passes what a revision requires, except for the expected failures."""
    with standalone(PYTHONPATH=str(_TESTS)) as site:
        site.gateway = (sys.executable, "-m", "conformance.gateway")
        site.start_dev_provider()
        site.start_gateway()
        tokens = App(site).tokens({"email": ANA}).json()
        results = run_suite(site, tokens["access_token"], revision)
        log = site.programs["gateway"].output()
    wrong = [*differences(results, required_scenarios(revision), expected_failures(revision))]
    assert not wrong, "\n".join(wrong)
    # The calls went through the registry, which writes an audit line for each.
    calls = [line for line in log.splitlines() if "tool_called" in line]
    assert any("test_simple_text" in line and ANA in line for line in calls), log
