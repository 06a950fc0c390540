"""The row about Productive: requests to it, caches, and the budget of an organization."""

from __future__ import annotations

from typing import Final

from charts.dashboard.panels import Graph, Row, Stat, quantiles

TO_PRODUCTIVE: Final = "http_client_request_duration_seconds"
BUDGET_USED: Final = "productive_mcp_budget_requests_used{@} / productive_mcp_budget_requests{@}"


PRODUCTIVE: Final = Row(
    "Productive",
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
            {"{{limit}}": "sum by (limit) (increase(productive_mcp_budget_refused_total{@}[]))"},
        ),
    ),
)
