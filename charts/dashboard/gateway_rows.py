"""Rows about the gateway: whether it is up, who uses it, whether it is slow."""

from __future__ import annotations

from typing import Final

from charts.dashboard.panels import (
    EVENTS,
    OPERATION,
    OWN_PODS,
    Graph,
    Row,
    Stat,
    quantile,
    quantiles,
)

REQUESTS: Final = "productive_mcp_http_requests_total"
CALLS: Final = 'mcp_method_name="tools/call"'
NO_CALLS: Final = 'mcp_method_name!~"tools/call|subscriptions/listen"'


UP: Final = Row(
    "Is it up?",
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
            'count(ALERTS{@, alertname=~"ProductiveMcp.+", alertstate="firing"}) or vector(0)',
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
        Graph(
            "Traces",
            "Spans by what became of them, while tracing is on. `failed`: the collector did not"
            " take them. `dropped`: too many waited.",
            {"{{outcome}}": "sum by (outcome) (rate(productive_mcp_spans_total{@}[]))"},
            "ops",
        ),
    ),
)

USE: Final = Row(
    "Who uses it?",
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
            {"{{error_type}}": f"sum by (error_type) (rate({OPERATION}_count{{@, {CALLS}}}[]))"},
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
)

SPEED: Final = Row(
    "Is it slow?",
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
            {"{{gen_ai_tool_name}}": quantile(0.9, OPERATION, f"@, {CALLS}", "gen_ai_tool_name")},
            "s",
        ),
        Graph(
            "Time of other messages by method, p99",
            "Without streams, which last for hours.",
            {"{{mcp_method_name}}": quantile(0.99, OPERATION, f"@, {NO_CALLS}", "mcp_method_name")},
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
)
