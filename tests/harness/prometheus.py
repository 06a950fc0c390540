"""Debian's Prometheus, and the chart's alerts as its rules."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from harness.cache import cache_folder
from harness.helm import Helm, Values

INSTALL = Path(__file__).parents[2] / "bin" / "prometheus"


class PrometheusMissing(Exception):
    """Prometheus is not here and cannot be fetched; `str()` says what to do."""


def prometheus_program(name: str) -> Path:
    """Return the path of `prometheus` or `promtool`; fetches both if needed.

    Raises:
        PrometheusMissing: there is none.
    """
    done = subprocess.run([INSTALL], check=False, capture_output=True, text=True)
    if done.returncode:
        raise PrometheusMissing(done.stderr.strip())
    chosen = os.environ.get("PROMETHEUS")
    folders = [Path(chosen)] if chosen else [cache_folder() / "prometheus"]
    for folder in folders:
        if (folder / name).exists():
            return folder / name
    found = shutil.which(name)
    if found is None:
        raise PrometheusMissing(f"{name} was not found in PATH")
    return Path(found)


def alerts(helm: Helm, values: Values | None = None) -> list[dict[str, Any]]:
    """Return the alerts that the chart creates with these values."""
    rendered = helm.render(values, "--set", "metrics.prometheusRule.enabled=true")
    [rule] = rendered.of("PrometheusRule")
    [group] = rule["spec"]["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def hastened(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the alerts with all waits and windows cut to seconds, for a test that waits for them.

    They still fire for the same faults: only time passes faster. Two scrapes that come too late on
    a busy machine are no absence yet.
    """
    return [{**rule, "for": _wait(rule), "expr": _hastened(rule["expr"])} for rule in rules]


def _wait(rule: Mapping[str, Any]) -> str:
    """Return the wait of an alert; one that was longer than the query's window still is.

    Where all requests fail, a share of them passes on its way up through what another alert waits
    for.
    """
    windows = [int(minutes) for minutes in re.findall(r"\[(\d+)m\]", rule["expr"])]
    minutes = re.fullmatch(r"(\d+)m", rule.get("for", "0m"))
    longer = minutes is not None and windows and int(minutes[1]) > max(windows)
    return "12s" if longer else "4s"


def _hastened(query: str) -> str:
    for pattern, short in _SHORT:
        query = re.sub(pattern, short, query)
    return query


_SHORT: Final = (
    (r"\[\d+m\]", "[10s]"),
    (r"offset \d+m", "offset 10s"),
    # Seconds since the operator's last good pass, and since it opened a watch.
    (r"> 900$", "> 25"),
    (r"> 60$", "> 25"),
)


def dashboard_queries(
    dashboard: Mapping[str, Any], *, namespace: str, interval: str = "1m"
) -> dict[str, str]:
    """Return each query of a Grafana dashboard by its panel and letter, with all variables set."""
    variables = {"$namespace": namespace, "$__rate_interval": interval}
    found = {}
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            query = target["expr"]
            for variable, value in variables.items():
                query = query.replace(variable, value)
            found[f"{panel['title']} {target['refId']}"] = query
    return found


def write_rules(path: Path, rules: list[dict[str, Any]]) -> Path:
    """Write alerts as a file for Prometheus."""
    path.write_text(yaml.safe_dump({"groups": [{"name": "alerts", "rules": rules}]}))
    return path


def promtool(*arguments: str | Path) -> tuple[int, str]:
    """Run promtool; returns its exit code and output.

    Raises:
        PrometheusMissing: there is none.
    """
    command = [prometheus_program("promtool"), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def scenario(
    name: str, series: Mapping[str, str], firing: Mapping[str, set[str]], *, step: str = "1m"
) -> dict[str, Any]:
    """Return one test for `unit_tests`.

    Args:
        name: what it is about, for the output.
        series: values of each series, in promtool's notation.
        firing: which alerts fire, and no others, at each time such as `65m`.
        step: between two values.
    """
    return {
        "name": name,
        "interval": step,
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"}) > bool 0',
                "eval_time": at,
                "exp_samples": [
                    {"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(expected)
                ],
            }
            for at, expected in firing.items()
        ],
    }


def unit_tests(
    folder: Path, rules: list[dict[str, Any]], *scenarios: dict[str, Any]
) -> tuple[int, str]:
    """Let promtool run scenarios of the same step; returns its exit code and output.

    Raises:
        PrometheusMissing: there is none.
    """
    document = {
        "rule_files": [str(write_rules(folder / "rules.yaml", rules))],
        "evaluation_interval": scenarios[0]["interval"],
        "tests": list(scenarios),
    }
    path = folder / "scenarios.yaml"
    path.write_text(yaml.safe_dump(document))
    return promtool("test", "rules", path)
