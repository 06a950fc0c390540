"""Each alert fires for its fault and for no other, by promtool over generated series.

`tests/full` makes the faults in a running installation.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.alertfaults import (
    BEGINS,
    ENDS,
    FAULTS,
    GATEWAYS,
    HEALTHY,
    LAST,
    SMALL_OPERATOR,
    Fault,
    during,
    of,
    requests,
)
from harness.helm import Helm, Values
from harness.prometheus import (
    PrometheusMissing,
    alerts,
    promtool,
    scenario,
    unit_tests,
    write_rules,
)

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
KEY_OLD = "ProductiveMcpKeyOld"
SEVERITIES = {"critical", "warning", "info"}


def test_prometheus_accepts_the_rules(helm: Helm, tmp_path: Path) -> None:
    try:
        rules = write_rules(tmp_path / "rules.yaml", alerts(helm))
        code, output = promtool("check", "rules", rules)
    except PrometheusMissing as error:
        pytest.fail(str(error), pytrace=False)
    assert code == 0, output


def test_each_alert_has_a_fault_here(helm: Helm) -> None:
    assert {rule["alert"] for rule in alerts(helm)} == {one.alert for one in FAULTS} | {KEY_OLD}


@pytest.mark.timeout(600)  # on a busy machine: half a second of the processor for each fault
def test_each_fault_fires_its_alert_and_no_other(helm: Helm, tmp_path: Path) -> None:
    for values in ({}, SMALL_OPERATOR):
        faults = [fault for fault in FAULTS if fault.values == values]
        _check(helm, tmp_path, *map(_scenario, faults), values=values)


def test_nothing_fires_while_all_is_well(helm: Helm, tmp_path: Path) -> None:
    _check(helm, tmp_path, _silent(HEALTHY))


def test_nothing_fires_while_pods_are_replaced(helm: Helm, tmp_path: Path) -> None:
    """One gateway after the other ends, and another pod starts, which is not ready at once."""
    series = {}
    for name, values in HEALTHY.items():
        pods = [pod for pod in GATEWAYS if f'"{pod}"' in name]
        if not pods:
            series[name] = values
            continue
        ends = BEGINS + 2 * GATEWAYS.index(pods[0])
        healthy = values.partition("x")[0]
        series[name] = f"{healthy}x{ends}"
        new = name.replace(pods[0], f"{pods[0]}-new")
        starts = "_" if "ready" not in name else "0"
        series[new] = f"_x{ends - 2} {starts}x2 {healthy}x{LAST - ends}"
    _check(helm, tmp_path, _silent(series))


def test_nothing_fires_for_one_error_of_a_quiet_server(helm: Helm, tmp_path: Path) -> None:
    quiet = {name: values for name, values in HEALTHY.items() if "http_requests" not in name}
    quiet[requests("200")] = f"0x{LAST}"
    quiet[requests("503")] = f"0x{BEGINS} 1x{ENDS - BEGINS} 2x{LAST - ENDS}"
    _check(helm, tmp_path, _silent(quiet))


@pytest.mark.parametrize(("rotated", "days"), [(False, 365), (True, 97)])
def test_an_old_key_fires_its_alert_and_no_other(
    helm: Helm, tmp_path: Path, rotated: bool, days: int
) -> None:
    """A scheduled rotation has a week to succeed."""
    steps = days + 10
    series = {
        of("productive_mcp_ready"): f"1x{steps}",
        of("productive_mcp_current_key_created_timestamp_seconds"): f"3600x{steps}",
        of("productive_operator_last_success_timestamp_seconds"): f"0+86400x{steps}",
    }
    firing = {f"{days}d": set[str](), f"{days + 2}d": {KEY_OLD}}
    values = {"keys": {"rotation": {"enabled": rotated}}}
    _check(helm, tmp_path, scenario("old key", series, firing, step="1d"), values=values)


def test_a_pod_without_a_memory_limit_is_never_near_it(helm: Helm, tmp_path: Path) -> None:
    values = {"gateway": {"resources": {"limits": {"memory": None}}}}
    series = dict(HEALTHY) | {
        of("process_resident_memory_bytes"): during(150e6, 64e9),
    }
    _check(helm, tmp_path, _silent(series), values=values)


def test_each_alert_says_what_is_wrong_and_where_to_read_on(helm: Helm) -> None:
    page = "https://git.example.com/mcp/docs/operations.md"
    for rule in alerts(helm, {"metrics": {"prometheusRule": {"runbook": page}}}):
        assert rule["labels"]["severity"] in SEVERITIES
        # Most queries aggregate it away, and an AlertmanagerConfig matches by it.
        assert rule["labels"]["namespace"] == "productive"
        annotations = rule["annotations"]
        assert set(annotations) == {"summary", "description", "runbook_url"}
        assert annotations["summary"].endswith(".")
        assert "{{" not in annotations["summary"]
        assert annotations["runbook_url"] == f"{page}#{rule['alert'].lower()}"


def test_each_alert_has_a_heading_and_each_heading_an_alert(helm: Helm) -> None:
    _, _, part = OPERATIONS.read_text().partition("\n## Alerts\n")
    part = part.partition("\n## ")[0]
    headings = [line.removeprefix("### ") for line in part.splitlines() if line.startswith("### ")]
    assert headings == [rule["alert"] for rule in alerts(helm)]


def _scenario(fault: Fault) -> dict[str, Any]:
    firing = {
        f"{BEGINS - 1}m": set[str](),
        f"{BEGINS + fault.minutes}m": {fault.alert},
        f"{LAST - 1}m": set(),
    }
    return scenario(fault.name, {**HEALTHY, **fault.series}, firing)


def _silent(series: Mapping[str, str]) -> dict[str, Any]:
    minutes = range(5, LAST)
    return scenario("silent", series, {f"{minute}m": set() for minute in minutes})


def _check(
    helm: Helm, folder: Path, *scenarios: dict[str, Any], values: Values | None = None
) -> None:
    try:
        code, output = unit_tests(folder, alerts(helm, values), *scenarios)
    except PrometheusMissing as error:
        pytest.fail(str(error), pytrace=False)
    assert code == 0, output[:4000]
