"""Rows about the operator, and about what the programs have room for."""

from __future__ import annotations

from typing import Final

from charts.dashboard.panels import OWN_PODS, Graph, Row, Stat, quantiles

GATEWAY_PODS: Final = 'pod=~".+-gateway-.+"'


OPERATOR: Final = Row(
    "Operator",
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
)

CAPACITY: Final = Row(
    "Capacity",
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
            "Open requests",
            "To `/mcp`. At a quarter of `gateway.maxConnections` further ones are refused.",
            {"{{pod}}": "productive_mcp_requests_open{@}"},
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
            {"{{status}}": "sum by (status) (rate(productive_mcp_kubernetes_requests_total{@}[]))"},
            "reqps",
        ),
    ),
)
