"""Runs the suite against a gateway of its own, and fails if a result is not as expected."""

from __future__ import annotations

import sys
from pathlib import Path

from conformance.gateway import ANSWERED_BY_SDK, WITHOUT_PLAIN_CALLS
from conformance.suite import differences, expected_failures, required_scenarios, run_suite
from harness.foreignapp import App
from harness.standalone import ANA, standalone

_TESTS = Path(__file__).parents[1]


def check_conformance(revision: str, *, plain_calls: bool) -> None:
    """Fail unless the gateway passes what a revision requires, except for the expected failures.

    Args:
        revision: of the protocol.
        plain_calls: whether plain calls of tools are answered without the SDK, as they are in
            service.
    """
    with standalone(PYTHONPATH=str(_TESTS)) as site:
        site.gateway = (
            sys.executable,
            "-m",
            "conformance.gateway",
            *([] if plain_calls else [WITHOUT_PLAIN_CALLS]),
        )
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
    assert (f"{ANSWERED_BY_SDK} test_simple_text" in log) != plain_calls
