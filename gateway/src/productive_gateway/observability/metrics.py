"""The gateway's metrics, in their own registry; served on the internal port only.

Labels hold slugs and route names, never a person, a client or a token.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY: Final = CollectorRegistry()

AUDIT_EVENTS: Final = Counter(
    "productive_mcp_audit_events", "Decisions about access", ["event", "reason"], registry=REGISTRY
)
LIMIT_HITS: Final = Counter(
    "productive_mcp_limit_hits", "Requests refused by a limit", ["limit"], registry=REGISTRY
)
CLIENT_DOCUMENTS: Final = Counter(
    "productive_mcp_client_documents",
    "Client documents by the outcome of their fetch",
    ["outcome"],
    registry=REGISTRY,
)
REQUESTS: Final = Counter(
    "productive_mcp_http_requests",
    "HTTP requests by route and status",
    ["route", "method", "status"],
    registry=REGISTRY,
)
REQUEST_SECONDS: Final = Histogram(
    "productive_mcp_http_request_seconds", "Time to answer", ["route"], registry=REGISTRY
)
TOOL_SECONDS: Final = Histogram(
    "mcp_server_operation_duration_seconds",
    "Duration of tool calls",
    ["tool", "outcome"],
    registry=REGISTRY,
)
PRODUCTIVE_REQUESTS: Final = Counter(
    "productive_mcp_productive_requests",
    "Requests to Productive by method and status",
    ["method", "status"],
    registry=REGISTRY,
)
KUBERNETES_REQUESTS: Final = Counter(
    "productive_mcp_kubernetes_requests",
    "Requests to the Kubernetes API by verb and status",
    ["verb", "status"],
    registry=REGISTRY,
)
GRANTS: Final = Gauge(
    "productive_mcp_grants", "Grants in the index by state", ["state"], registry=REGISTRY
)
GRANTS_STORED: Final = Gauge(
    "productive_mcp_grants_stored",
    "Secrets in the namespace of grants (grants, subject bindings, ledgers) at the last sweep",
    registry=REGISTRY,
)
WATCH_HEALTHY: Final = Gauge(
    "productive_mcp_watch_healthy", "1 while the watch is healthy", ["watch"], registry=REGISTRY
)
MAPPING_REVISION: Final = Gauge(
    "productive_mcp_mapping_revision", "Revision of the current mapping", registry=REGISTRY
)
MAPPING_PEOPLE: Final = Gauge(
    "productive_mcp_mapping_people",
    "People in the current mapping by state",
    ["state"],
    registry=REGISTRY,
)
MAPPING_BROKEN: Final = Gauge(
    "productive_mcp_mapping_broken",
    "1 while the published mapping is missing or unreadable and the last good one is in use",
    registry=REGISTRY,
)
KEYS_LOADED: Final = Gauge(
    "productive_mcp_key_loaded",
    "1 for each key id of the current key ring",
    ["kid", "current"],
    registry=REGISTRY,
)
SWEPT: Final = Counter(
    "productive_mcp_grants_swept", "Grants removed by the sweeper", ["cause"], registry=REGISTRY
)
KEY_RING_BROKEN: Final = Gauge(
    "productive_mcp_key_ring_broken",
    "1 while the published key ring is missing or unreadable and the last good one is in use",
    registry=REGISTRY,
)
CLIENTS_BROKEN: Final = Gauge(
    "productive_mcp_clients_broken",
    "1 while the pre-registered clients are missing or wrong and the last good ones are in use",
    registry=REGISTRY,
)
PREREGISTERED_CLIENTS: Final = Gauge(
    "productive_mcp_preregistered_clients",
    "Clients in the list of pre-registered ones",
    registry=REGISTRY,
)
BUDGET_REPLICAS: Final = Gauge(
    "productive_mcp_budget_replicas",
    "Ready replicas that share the organization's budget of requests, as this one sees it",
    registry=REGISTRY,
)
BUDGET_REQUESTS: Final = Gauge(
    "productive_mcp_budget_requests",
    "Requests to Productive that this replica may send for one organization in 30 minutes",
    registry=REGISTRY,
)
BUDGET_REQUESTS_USED: Final = Gauge(
    "productive_mcp_budget_requests_used",
    "How many of them it sent in the last 30 minutes, for the organization with most",
    registry=REGISTRY,
)
BUDGET_WAIT_SECONDS: Final = Histogram(
    "productive_mcp_budget_wait_seconds",
    "Waits of requests that the budget did not allow at once",
    buckets=(0.1, 0.25, 0.5, 1, 2, 4, 8),
    registry=REGISTRY,
)
BUDGET_REFUSED: Final = Counter(
    "productive_mcp_budget_refused",
    "Requests refused because the wait for the budget would have been too long",
    ["limit"],
    registry=REGISTRY,
)


def count_kubernetes_request(verb: str, status: str) -> None:
    """Count a request to the Kubernetes API, for `KubeClient`."""
    KUBERNETES_REQUESTS.labels(verb=verb, status=status).inc()
