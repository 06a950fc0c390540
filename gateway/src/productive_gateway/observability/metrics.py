"""The gateway's metrics, in their own registry; served on the internal port only.

Labels hold slugs and route names, never a person, a client or a token.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
)

from productive_gateway import __version__

REGISTRY: Final = CollectorRegistry()

ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

OPERATION_BUCKETS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
"""Seconds; the conventions of OpenTelemetry for MCP."""
HTTP_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Seconds; the conventions of OpenTelemetry for HTTP."""

BUILD_INFO: Final = Gauge(
    "productive_mcp_build_info", "1 for the version of this program", ["version"], registry=REGISTRY
)
BUILD_INFO.labels(__version__).set(1)

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
OPERATION_SECONDS: Final = Histogram(
    "mcp_server_operation_duration_seconds",
    "Duration of MCP requests and notifications, by method, tool, error and protocol revision",
    ["mcp_method_name", "gen_ai_tool_name", "error_type", "mcp_protocol_version"],
    registry=REGISTRY,
    buckets=OPERATION_BUCKETS,
)
PRODUCTIVE_SECONDS: Final = Histogram(
    "http_client_request_duration_seconds",
    "Duration of requests to Productive, by method, status and error",
    ["http_request_method", "http_response_status_code", "error_type"],
    registry=REGISTRY,
    buckets=HTTP_BUCKETS,
)
PROVIDER_SECONDS: Final = Histogram(
    "productive_mcp_provider_request_duration_seconds",
    "Duration of requests to the sign-in provider, by what was asked and outcome",
    ["request", "outcome"],
    registry=REGISTRY,
    buckets=HTTP_BUCKETS,
)
CACHE_REQUESTS: Final = Counter(
    "productive_mcp_cache_requests",
    "Look-ups in caches: hit, miss, or shared with another caller's read",
    ["cache", "outcome"],
    registry=REGISTRY,
)
SPANS: Final = Counter(
    "productive_mcp_spans",
    "Spans of traces by what became of them; none while tracing is off",
    ["outcome"],
    registry=REGISTRY,
)
EVENT_LOOP_LAG: Final = Histogram(
    "productive_mcp_event_loop_lag_seconds",
    "How late a timer of the event loop ran",
    registry=REGISTRY,
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
KUBERNETES_REQUESTS: Final = Counter(
    "productive_mcp_kubernetes_requests",
    "Requests to the Kubernetes API by verb and status",
    ["verb", "status"],
    registry=REGISTRY,
)
REQUESTS_OPEN: Final = Gauge(
    "productive_mcp_requests_open",
    "Requests to /mcp that are being answered, without streams; at a quarter of MAX_CONNECTIONS "
    "further ones are refused",
    registry=REGISTRY,
)
STREAMS_OPEN: Final = Gauge(
    "productive_mcp_streams_open",
    "Streams of subscriptions/listen that are open; each is one request until it ends",
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
READY: Final = Gauge(
    "productive_mcp_ready",
    "1 while this replica can serve, as /readyz reports it; 0 while it starts and drains",
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
CURRENT_KEY_CREATED: Final = Gauge(
    "productive_mcp_current_key_created_timestamp_seconds",
    "When the key that seals was made; 0 before a key ring is loaded",
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


class CacheCounters:
    """Counts the look-ups in one cache."""

    def __init__(self, cache: str) -> None:
        """Have all outcomes at 0 from the start.

        Args:
            cache: its label.
        """
        self.hit, self.miss, self.shared = (
            CACHE_REQUESTS.labels(cache, outcome) for outcome in ("hit", "miss", "shared")
        )


def count_kubernetes_request(verb: str, status: str) -> None:
    """Count a request to the Kubernetes API, for `KubeClient`."""
    KUBERNETES_REQUESTS.labels(verb=verb, status=status).inc()
