"""The Grafana dashboard is what `charts.dashboard` writes, and Prometheus understands its queries.

`tests/full` asks them of a server that scrapes a running installation.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from charts.dashboard.document import text

from harness.helm import CHART
from harness.prometheus import PrometheusMissing, dashboard_queries, promtool, write_rules

DASHBOARD = CHART / "files" / "dashboard.json"


def test_the_file_is_up_to_date() -> None:
    assert DASHBOARD.read_text() == text(), "run python -m charts.dashboard"


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    queries = dashboard_queries(json.loads(DASHBOARD.read_text()), namespace="productive")
    rules = [{"record": f"query:{at}", "expr": query} for at, query in enumerate(queries.values())]
    try:
        code, output = promtool("check", "rules", write_rules(tmp_path / "rules.yaml", rules))
    except PrometheusMissing as error:
        pytest.fail(str(error), pytrace=False)
    assert code == 0, output


def test_every_panel_says_what_it_shows_and_in_which_unit() -> None:
    for panel in _panels():
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])


def test_no_two_panels_share_a_place() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        at = panel["gridPos"]
        mine = {
            (at["x"] + right, at["y"] + down) for right in range(at["w"]) for down in range(at["h"])
        }
        assert not mine & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= mine


def _panels() -> list[dict[str, Any]]:
    return [one for one in json.loads(DASHBOARD.read_text())["panels"] if one["type"] != "row"]
