"""What a row of the dashboard consists of.

In a query, `@` stands for the namespace's matcher, and `[]` for the interval of a rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

NAMESPACE: Final = 'namespace="$namespace"'
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
OWN_PODS: Final = 'pod=~".+-(gateway|operator)-.+"'
OPERATION: Final = "mcp_server_operation_duration_seconds"
EVENTS: Final = "productive_mcp_audit_events_total"


@dataclass(frozen=True, slots=True)
class Stat:
    """One number, with the colour of its state."""

    title: str
    says: str
    query: str
    unit: str = "short"
    red_from: float | None = None
    """The number is red from here on."""
    green_from: float | None = None
    """The number is red below."""

    def panel(self) -> dict[str, Any]:
        """Return it as Grafana's JSON, without its place."""
        steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
        if self.red_from is not None:
            steps.append({"color": "red", "value": self.red_from})
        if self.green_from is not None:
            steps = [{"color": "red", "value": None}, {"color": "green", "value": self.green_from}]
        defaults = {"unit": self.unit, "thresholds": {"mode": "absolute", "steps": steps}}
        return {
            "type": "stat",
            "title": self.title,
            "description": self.says,
            "targets": _targets({"": self.query}),
            "fieldConfig": {"defaults": defaults, "overrides": []},
            "options": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value"},
        }


@dataclass(frozen=True, slots=True)
class Graph:
    """Curves over time."""

    title: str
    says: str
    queries: Mapping[str, str]
    """By legend; `{{label}}` is filled in."""
    unit: str = "short"

    def panel(self) -> dict[str, Any]:
        """Return it as Grafana's JSON, without its place."""
        return {
            "type": "timeseries",
            "title": self.title,
            "description": self.says,
            "targets": _targets(self.queries),
            "fieldConfig": {"defaults": {"unit": self.unit, "min": 0}, "overrides": []},
            "options": {
                "legend": {"displayMode": "list", "placement": "bottom"},
                "tooltip": {"mode": "multi", "sort": "desc"},
            },
        }


@dataclass(frozen=True, slots=True)
class Row:
    """A question of the dashboard's reader, and what answers it."""

    title: str
    stats: tuple[Stat, ...]
    graphs: tuple[Graph, ...]


def quantile(share: float, metric: str, matchers: str = "@", by: str = "") -> str:
    """Return the query for a quantile of a histogram."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{{{matchers}}}[])))"


def quantiles(metric: str, matchers: str = "@") -> dict[str, str]:
    """Return what half, nine tenths and 99 % stay below."""
    return {f"p{share * 100:g}": quantile(share, metric, matchers) for share in (0.5, 0.9, 0.99)}


def _targets(queries: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "datasource": SOURCE,
            "expr": query.replace("@", NAMESPACE).replace("[]", "[$__rate_interval]"),
            "legendFormat": legend,
            "refId": chr(ord("A") + at),
        }
        for at, (legend, query) in enumerate(queries.items())
    ]
