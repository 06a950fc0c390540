"""A Prometheus that scrapes a deployment and evaluates the chart's alerts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import yaml

from harness.deployment import Deployment
from harness.processes import Program, free_port, listening, new_folder, pause
from harness.prometheus import prometheus_program, write_rules

NAMESPACE = "productive"
INTERVAL = "1s"
LONGEST = 300.0
"""Seconds until an alert fires or ends."""
FURTHER_EVALUATIONS = 4
"""How long another alert has the opportunity to fire as well."""


@dataclass(frozen=True, slots=True)
class Monitor:
    """The HTTP API of the server."""

    url: str

    def query(self, query: str) -> list[dict[str, Any]]:
        """Return the series that a query answers with.

        Raises:
            AssertionError: the server refuses it.
        """
        answer = self._get("query", query=query)
        assert answer["status"] == "success", answer
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def scraped(self) -> int:
        """Return how many programs answer."""
        return len(self.query("up == 1"))

    def alerts(self, *states: str) -> dict[str, dict[str, str]]:
        """Return the annotations of each alert in one of these states, by its name."""
        listed = self._get("alerts")["data"]["alerts"]
        return {
            one["labels"]["alertname"]: one["annotations"]
            for one in listed
            if one["state"] in states
        }

    def until_calm(self) -> None:
        """Wait until no alert is pending or fires, in several evaluations.

        Raises:
            AssertionError: one is still.
        """
        deadline = time.monotonic() + LONGEST
        calm: set[str] = set()
        while len(calm) < FURTHER_EVALUATIONS:
            evaluated = self._evaluated()
            if alerts := self.alerts("pending", "firing"):
                calm.clear()
                assert time.monotonic() < deadline, f"{sorted(alerts)} do not end"
            else:
                calm.add(evaluated)
            pause(0.2)

    def only(self, alert: str) -> dict[str, str]:
        """Wait until an alert fires, and a little longer; return its annotations.

        Raises:
            AssertionError: it did not fire in time, or another one did, too.
        """
        deadline = time.monotonic() + LONGEST
        fired: set[str] = set()
        while alert not in fired:
            assert time.monotonic() < deadline, f"{alert} does not fire; {fired or 'nothing'} does"
            fired |= self.alerts("firing").keys()
            pause(0.2)
        seen: set[str] = set()
        firing: dict[str, dict[str, str]] = {}
        while len(seen) < FURTHER_EVALUATIONS:
            seen.add(self._evaluated())
            firing = self.alerts("firing")
            fired |= firing.keys()
            pause(0.2)
        assert fired == {alert}, f"{sorted(fired)} fired"
        return firing[alert]

    def _evaluated(self) -> str:
        """Return when the rules were evaluated last."""
        [group] = self._get("rules")["data"]["groups"]
        return str(group["lastEvaluation"])

    def _get(self, path: str, **parameters: str) -> Any:
        # Prometheus takes a moment to evaluate everything on a busy machine.
        answer = httpx.get(
            f"{self.url}/api/v1/{path}", params=parameters, trust_env=False, timeout=30
        )
        return answer.json()


@contextmanager
def monitoring(site: Deployment, rules: list[dict[str, Any]]) -> Iterator[Monitor]:
    """Scrape all programs of a deployment while the block lasts.

    Raises:
        PrometheusMissing: there is no Prometheus.
    """
    folder, port = new_folder("prometheus"), free_port()
    pods = {f"productive-gateway-{at}": port for at, port in enumerate(site.internal_ports)}
    pods["productive-operator-0"] = site.operator_port
    configuration = {
        "global": {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL},
        "rule_files": [str(write_rules(folder / "rules.yaml", rules))],
        "scrape_configs": [
            {
                "job_name": pod,
                "static_configs": [
                    {
                        "targets": [f"127.0.0.1:{internal}"],
                        "labels": {"namespace": NAMESPACE, "pod": pod},
                    }
                ],
            }
            for pod, internal in pods.items()
        ],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
    program = Program(
        "prometheus",
        [
            prometheus_program("prometheus"),
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        log=folder / "prometheus.log",
    )
    try:
        program.until(lambda: listening(port))
        monitor = Monitor(f"http://127.0.0.1:{port}")
        program.until(lambda: monitor.scraped() == len(pods))
        yield monitor
    finally:
        program.kill()
