"""The dashboard as a document of Grafana: a row for each question of its reader."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from charts.dashboard.capacity_rows import CAPACITY, OPERATOR
from charts.dashboard.gateway_rows import SPEED, UP, USE
from charts.dashboard.panels import SOURCE, Graph, Row, Stat
from charts.dashboard.productive_rows import PRODUCTIVE
from charts.dashboard.sign_in_rows import SIGN_INS

ROWS: Final[tuple[Row, ...]] = (UP, USE, SPEED, PRODUCTIVE, SIGN_INS, OPERATOR, CAPACITY)
WIDTH: Final = 24
"""Columns of a dashboard."""


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana's JSON."""
    people = "label_values(productive_mcp_ready, namespace)"
    return {
        "uid": "productive-mcp",
        "title": "productive-mcp",
        "tags": ["productive-mcp", "mcp"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "",
        "templating": {
            "list": [
                {
                    "name": "datasource",
                    "type": "datasource",
                    "query": "prometheus",
                    "label": "Data source",
                    "hide": 0,
                },
                {
                    "name": "namespace",
                    "type": "query",
                    "label": "Namespace",
                    "datasource": SOURCE,
                    "query": {"query": people, "refId": "namespace"},
                    "definition": people,
                    "refresh": 2,
                    "sort": 1,
                },
            ]
        },
        "panels": list(_panels()),
    }


def _panels() -> Iterator[dict[str, Any]]:
    number = y = 0
    for row in ROWS:
        number += 1
        place = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        yield {"id": number, "type": "row", "title": row.title, "gridPos": place, "panels": []}
        y += 1
        lines: list[tuple[Sequence[Stat | Graph], int]] = [
            *((row.stats[at : at + 6], 4) for at in range(0, len(row.stats), 6)),
            *((row.graphs[at : at + 3], 8) for at in range(0, len(row.graphs), 3)),
        ]
        for line, height in lines:
            width = WIDTH // len(line)
            for at, one in enumerate(line):
                number += 1
                place = {"x": at * width, "y": y, "w": width, "h": height}
                yield {"id": number, "datasource": SOURCE, **one.panel(), "gridPos": place}
            y += height


def text() -> str:
    """Return the content of the file."""
    return json.dumps(dashboard(), indent=1) + "\n"
