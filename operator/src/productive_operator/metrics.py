"""The operator's metrics, in a registry of their own; labels hold slugs, never a person."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

PASSES: Final = Counter(
    "productive_operator_passes",
    "Passes by result: ok, conflict, failed",
    ["result"],
    registry=REGISTRY,
)
PASS_SECONDS: Final = Histogram(
    "productive_operator_pass_seconds", "Duration of a pass", registry=REGISTRY
)
LAST_SUCCESS: Final = Gauge(
    "productive_operator_last_success_timestamp_seconds",
    "When the mapping was last known to be as decided; alert when older than 15 minutes",
    registry=REGISTRY,
)
USERS: Final = Gauge(
    "productive_operator_users", "ProductiveUsers by Ready reason", ["reason"], registry=REGISTRY
)
MAPPING_BYTES: Final = Gauge(
    "productive_operator_mapping_bytes",
    "Size of the published mapping; at 943,718 the youngest people are left out",
    registry=REGISTRY,
)
MAPPING_REVISION: Final = Gauge(
    "productive_operator_mapping_revision", "Revision of the published mapping", registry=REGISTRY
)
MAPPING_WRITES: Final = Counter(
    "productive_operator_mapping_writes",
    "Writes of the mapping by cause: change, drift",
    ["cause"],
    registry=REGISTRY,
)
STATUSES_FAILING: Final = Gauge(
    "productive_operator_statuses_failing",
    "ProductiveUsers whose status could not be written; it is tried again within 10 minutes",
    registry=REGISTRY,
)
STATUS_FAILURES: Final = Counter(
    "productive_operator_status_failures",
    "Failed writes of statuses, by HTTP status; none had no answer",
    ["status"],
    registry=REGISTRY,
)
EVENTS_LEFT_OUT: Final = Counter(
    "productive_operator_events_left_out",
    "Events of transitions that were not posted, because there were too many in a minute",
    registry=REGISTRY,
)
WATCH_AGE: Final = Gauge(
    "productive_operator_watch_age_seconds",
    "Seconds since a watch was last known to work, by watch; about 10 when it does",
    ["watch"],
    registry=REGISTRY,
)
DEAD_WATCHES: Final = Counter(
    "productive_operator_dead_watches",
    "Times that a watch was proved dead: a change was listed twice and never reported by it",
    ["watch"],
    registry=REGISTRY,
)
STATUS_WRITES: Final = Counter(
    "productive_operator_status_writes", "Statuses written", registry=REGISTRY
)
ENQUEUED: Final = Counter(
    "productive_operator_enqueued",
    "Watch events that asked for a pass, by kind",
    ["kind"],
    registry=REGISTRY,
)
KUBERNETES_REQUESTS: Final = Counter(
    "productive_operator_kubernetes_requests",
    "Requests to the Kubernetes API by verb and status; timeout and error had no answer",
    ["verb", "status"],
    registry=REGISTRY,
)


def count_request(verb: str, status: str) -> None:
    """Count a request to the Kubernetes API; an observer of `KubeClient`."""
    KUBERNETES_REQUESTS.labels(verb=verb, status=status).inc()
