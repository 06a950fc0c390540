"""Writes the chart's Grafana dashboard, files/dashboard.json.

There is a row for each question of its reader. In a query, `@` stands for the namespace's matcher,
and `[]` for the interval of a rate.
"""  # noqa: INP001 (a script)

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

DASHBOARD: Final = Path(__file__).parent / "productive-mcp" / "files" / "dashboard.json"
NAMESPACE: Final = 'namespace="$namespace"'
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
WIDTH: Final = 24
"""Columns of a dashboard."""
CALLS: Final = 'mcp_method_name="tools/call"'
NO_CALLS: Final = 'mcp_method_name!~"tools/call|subscriptions/listen"'
GATEWAY_PODS: Final = 'pod=~".+-gateway-.+"'
OWN_PODS: Final = 'pod=~".+-(gateway|operator)-.+"'


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


def quantile(share: float, metric: str, matchers: str = "@", by: str = "") -> str:
    """Return the query for a quantile of a histogram."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{{{matchers}}}[])))"


def quantiles(metric: str, matchers: str = "@") -> dict[str, str]:
    """Return what half, nine tenths and 99 % stay below."""
    return {f"p{share * 100:g}": quantile(share, metric, matchers) for share in (0.5, 0.9, 0.99)}


REQUESTS: Final = "productive_mcp_http_requests_total"
OPERATION: Final = "mcp_server_operation_duration_seconds"
TO_PRODUCTIVE: Final = "http_client_request_duration_seconds"
TO_PROVIDER: Final = "productive_mcp_provider_request_duration_seconds"
EVENTS: Final = "productive_mcp_audit_events_total"
BUDGET_USED: Final = "productive_mcp_budget_requests_used{@} / productive_mcp_budget_requests{@}"

ROWS: Final[Mapping[str, tuple[tuple[Stat, ...], tuple[Graph, ...]]]] = {
    "Is it up?": (
        (
            Stat(
                "Replicas that are ready",
                "Replicas of the gateway that can serve.",
                "sum(productive_mcp_ready{@})",
                green_from=1,
            ),
            Stat(
                "Alerts",
                "Alerts of this product that are firing.",
                'count(ALERTS{alertname=~"ProductiveMcp.+", alertstate="firing"}) or vector(0)',
                red_from=1,
            ),
            Stat(
                "Requests that fail",
                "Share of the requests of the last five minutes that ended in a 5xx.",
                f'(sum(rate({REQUESTS}{{@, route!="other", status=~"5.."}}[5m])) or vector(0))'
                f' / sum(rate({REQUESTS}{{@, route!="other"}}[5m]))',
                "percentunit",
                red_from=0.05,
            ),
            Stat(
                "Broken watches",
                "Watches of the replicas that do not report changes.",
                "count(productive_mcp_watch_healthy{@} == 0) or vector(0)",
                red_from=1,
            ),
            Stat(
                "Age of the last good pass",
                "How long ago the operator last knew that the list of people is right.",
                "time() - max(productive_operator_last_success_timestamp_seconds{@})",
                "s",
                red_from=900,
            ),
            Stat(
                "People who are not ready",
                "ProductiveUsers that something is wrong with: `kubectl get pu -A`.",
                'max(sum by (pod) (productive_operator_users{@, reason!~"Synced|Suspended"}))'
                " or vector(0)",
                red_from=1,
            ),
        ),
        (
            Graph(
                "Requests by status",
                "All requests of the public port.",
                {"{{status}}": f"sum by (status) (rate({REQUESTS}{{@}}[]))"},
                "reqps",
            ),
            Graph(
                "Failed requests by replica",
                "Requests that ended in a 5xx. One line alone is a fault of that replica or node.",
                {"{{pod}}": f'sum by (pod) (rate({REQUESTS}{{@, status=~"5.."}}[]))'},
                "reqps",
            ),
        ),
    ),
    "Who uses it?": (
        (
            Stat(
                "People",
                "People in the published list.",
                "max(sum by (pod) (productive_mcp_mapping_people{@}))",
            ),
            Stat(
                "Sign-ins",
                "Connected apps of all people.",
                'max(productive_mcp_grants{@, state="active"})',
            ),
            Stat(
                "Tool calls of 24 hours",
                "Calls of all people, also those that failed.",
                f"sum(increase({OPERATION}_count{{@, {CALLS}}}[24h]))",
            ),
            Stat(
                "New sign-ins of 24 hours",
                "How often somebody connected an app.",
                f'sum(increase({EVENTS}{{@, event="signed_in"}}[24h])) or vector(0)',
            ),
        ),
        (
            Graph(
                "Calls by tool",
                "Tool calls of all people, also those that failed.",
                {
                    "{{gen_ai_tool_name}}": f"sum by (gen_ai_tool_name)"
                    f" (rate({OPERATION}_count{{@, {CALLS}}}[]))"
                },
                "reqps",
            ),
            Graph(
                "Results of calls",
                "Empty: it worked. `needs_confirmation` and `declined` are no failures.",
                {
                    "{{error_type}}": f"sum by (error_type)"
                    f" (rate({OPERATION}_count{{@, {CALLS}}}[]))"
                },
                "reqps",
            ),
            Graph(
                "Messages by revision of the protocol",
                "Which revisions the assistants speak.",
                {
                    "{{mcp_protocol_version}}": f"sum by (mcp_protocol_version)"
                    f" (rate({OPERATION}_count{{@}}[]))"
                },
                "reqps",
            ),
        ),
    ),
    "Is it slow?": (
        (),
        (
            Graph(
                "Time of a tool call",
                "Until the whole answer is sent, with the requests to Productive.",
                quantiles(OPERATION, f"@, {CALLS}"),
                "s",
            ),
            Graph(
                "Time of a tool call by tool, p90",
                "Nine calls in ten take no longer.",
                {
                    "{{gen_ai_tool_name}}": quantile(
                        0.9, OPERATION, f"@, {CALLS}", "gen_ai_tool_name"
                    )
                },
                "s",
            ),
            Graph(
                "Time of other messages by method, p99",
                "Without streams, which last for hours.",
                {
                    "{{mcp_method_name}}": quantile(
                        0.99, OPERATION, f"@, {NO_CALLS}", "mcp_method_name"
                    )
                },
                "s",
            ),
            Graph(
                "Time to answer by route, p99",
                "Requests of the public port, except `/mcp`: the panels about calls and messages.",
                {
                    "{{route}}": quantile(
                        0.99, "productive_mcp_http_request_seconds", '@, route!~"/mcp/?"', "route"
                    )
                },
                "s",
            ),
            Graph(
                "Lag of the event loop, p99",
                "All requests of a replica wait this long. Above 0.1 s: more replicas or CPU.",
                {"{{pod}}": quantile(0.99, "productive_mcp_event_loop_lag_seconds", by="pod")},
                "s",
            ),
            Graph(
                "CPU",
                "Cores that each program uses.",
                {"{{pod}}": f"sum by (pod) (rate(process_cpu_seconds_total{{@, {OWN_PODS}}}[]))"},
            ),
        ),
    ),
    "Productive": (
        (
            Stat(
                "Budget that is used",
                "Share of the requests of 30 minutes, at the replica that used most of its own.",
                f"max({BUDGET_USED})",
                "percentunit",
                red_from=0.9,
            ),
            Stat(
                "Replicas that share the budget",
                "As the replicas see it; fewer than there are: the watch `replicas` is broken.",
                "min(productive_mcp_budget_replicas{@})",
            ),
        ),
        (
            Graph(
                "Requests to Productive by status",
                "Empty: there was no answer.",
                {
                    "{{http_response_status_code}}": f"sum by (http_response_status_code)"
                    f" (rate({TO_PRODUCTIVE}_count{{@}}[]))"
                },
                "reqps",
            ),
            Graph(
                "Requests that failed, by error",
                "The status, or what happened instead of an answer, such as `ReadTimeout`.",
                {
                    "{{error_type}}": "sum by (error_type)"
                    f' (rate({TO_PRODUCTIVE}_count{{@, error_type!=""}}[]))'
                },
                "reqps",
            ),
            Graph(
                "Time of a request",
                "Until the answer of Productive is read.",
                quantiles(TO_PRODUCTIVE),
                "s",
            ),
            Graph(
                "Look-ups in caches",
                "`shared`: waited for a read of somebody else.",
                {
                    "{{cache}} {{outcome}}": "sum by (cache, outcome)"
                    " (rate(productive_mcp_cache_requests_total{@}[]))"
                },
                "reqps",
            ),
            Graph(
                "Budget that is used, by replica",
                "Share of its requests of 30 minutes that each replica sent for one organization.",
                {"{{pod}}": BUDGET_USED},
                "percentunit",
            ),
            Graph(
                "Refused for lack of budget",
                "`token`, `share`: one person waits. `organization`, `server_time`: everybody.",
                {
                    "{{limit}}": "sum by (limit)"
                    " (increase(productive_mcp_budget_refused_total{@}[]))"
                },
            ),
        ),
    ),
    "Sign-ins and security": (
        (),
        (
            Graph(
                "Decisions about access",
                "Audit lines by event; docs/audit.md explains each one.",
                {"{{event}}": f'sum by (event) (increase({EVENTS}{{@, event!="tool_called"}}[]))'},
            ),
            Graph(
                "Refusals by reason",
                "Sign-ins and tokens that were refused; docs/audit.md explains each reason.",
                {
                    "{{reason}}": "sum by (reason)"
                    f' (increase({EVENTS}{{@, event=~"sign_in_refused|token_refused"}}[]))'
                },
            ),
            Graph(
                "What should never happen",
                "Edited records, tokens and codes that were used twice, tokens of somebody else.",
                {
                    "{{event}}": f"sum by (event) (increase({EVENTS}{{@, event=~"
                    '"record_tampered|refresh_reuse|code_replay|wrong_token_owner"}[]))'
                },
            ),
            Graph(
                "Requests to the sign-in provider",
                "`unavailable`: nobody new can sign in.",
                {
                    "{{request}} {{outcome}}": "sum by (request, outcome)"
                    f" (rate({TO_PROVIDER}_count{{@}}[]))"
                },
                "reqps",
            ),
            Graph(
                "Time of a request to the sign-in provider, p90",
                "Each sign-in waits for one to the token endpoint.",
                {"{{request}}": quantile(0.9, TO_PROVIDER, by="request")},
                "s",
            ),
            Graph(
                "Refused by limits",
                "Requests that were answered 429.",
                {"{{limit}}": "sum by (limit) (increase(productive_mcp_limit_hits_total{@}[]))"},
            ),
            Graph(
                "Documents of assistants",
                "`busy` grows: somebody tries many addresses.",
                {
                    "{{outcome}}": "sum by (outcome)"
                    " (increase(productive_mcp_client_documents_total{@}[]))"
                },
            ),
        ),
    ),
    "Operator": (
        (),
        (
            Graph(
                "ProductiveUsers by reason",
                "All but Synced and Suspended need somebody to do something.",
                {"{{reason}}": "max by (reason) (productive_operator_users{@})"},
            ),
            Graph(
                "Passes by result",
                "A pass decides about everybody, and publishes what differs.",
                {"{{result}}": "sum by (result) (increase(productive_operator_passes_total{@}[]))"},
            ),
            Graph(
                "Time of a pass",
                "With 10,000 people about a second.",
                quantiles("productive_operator_pass_seconds"),
                "s",
            ),
            Graph(
                "Age of the watches",
                "About 10 s. More: changes are found by full passes only.",
                {"{{watch}}": "max by (watch) (productive_operator_watch_age_seconds{@})"},
                "s",
            ),
            Graph(
                "Statuses that cannot be written",
                "ProductiveUsers that show an old status.",
                {"people": "max(productive_operator_statuses_failing{@})"},
            ),
            Graph(
                "Requests to the API server by status",
                "Requests of the operator; `timeout` and `error` had no answer.",
                {
                    "{{status}}": "sum by (status)"
                    " (rate(productive_operator_kubernetes_requests_total{@}[]))"
                },
                "reqps",
            ),
        ),
    ),
    "Capacity": (
        (
            Stat(
                "Secrets of sign-ins",
                "Compare with `namespaces.grantsQuota`; counted every 5 to 15 minutes.",
                "max(productive_mcp_grants_stored{@})",
            ),
            Stat(
                "Size of the list of people",
                "At 900 KiB the newest people are left out.",
                "max(productive_operator_mapping_bytes{@})",
                "bytes",
                red_from=838_860,
            ),
            Stat(
                "Age of the key",
                "How long ago the key was made that seals sign-ins.",
                "time() - max(productive_mcp_current_key_created_timestamp_seconds{@} > 0)",
                "s",
            ),
        ),
        (
            Graph(
                "Memory",
                "Compare with the limits in `gateway.resources` and `operator.resources`.",
                {"{{pod}}": f"process_resident_memory_bytes{{@, {OWN_PODS}}}"},
                "bytes",
            ),
            Graph(
                "Open files and connections",
                "Descriptors of each replica of the gateway.",
                {"{{pod}}": f"process_open_fds{{@, {GATEWAY_PODS}}}"},
            ),
            Graph(
                "Open streams",
                "Assistants that wait to hear of a changed list of tools.",
                {"{{pod}}": "productive_mcp_streams_open{@}"},
            ),
            Graph(
                "Sign-ins by state",
                "`pending`: the app has not fetched its tokens yet.",
                {"{{state}}": "max by (state) (productive_mcp_grants{@})"},
            ),
            Graph(
                "Sign-ins removed by the sweeper",
                "By cause: expired, orphaned, more than a person may have.",
                {"{{cause}}": "sum by (cause) (increase(productive_mcp_grants_swept_total{@}[]))"},
            ),
            Graph(
                "Gateway's requests to the API server by status",
                "None for tool calls; a few for each sign-in and refresh.",
                {
                    "{{status}}": "sum by (status)"
                    " (rate(productive_mcp_kubernetes_requests_total{@}[]))"
                },
                "reqps",
            ),
        ),
    ),
}


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
    for title, (stats, graphs) in ROWS.items():
        number += 1
        row = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        yield {"id": number, "type": "row", "title": title, "gridPos": row, "panels": []}
        y += 1
        lines: list[tuple[Sequence[Stat | Graph], int]] = [
            *((stats[at : at + 6], 4) for at in range(0, len(stats), 6)),
            *((graphs[at : at + 3], 8) for at in range(0, len(graphs), 3)),
        ]
        for line, height in lines:
            width = WIDTH // len(line)
            for at, one in enumerate(line):
                number += 1
                place = {"x": at * width, "y": y, "w": width, "h": height}
                yield {"id": number, "datasource": SOURCE, **one.panel(), "gridPos": place}
            y += height


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


def text() -> str:
    """Return the content of the file."""
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    DASHBOARD.write_text(text())
