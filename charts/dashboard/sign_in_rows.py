"""The row about sign-ins and security."""

from __future__ import annotations

from typing import Final

from charts.dashboard.panels import EVENTS, Graph, Row, quantile

TO_PROVIDER: Final = "productive_mcp_provider_request_duration_seconds"


SIGN_INS: Final = Row(
    "Sign-ins and security",
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
)
