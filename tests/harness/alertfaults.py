"""Series of a healthy installation, and what each fault changes in them, in promtool's notation.

`1x3` is four samples, `_x3` three that are missing.

There is a sample each minute. A fault begins in minute 20 and ends in minute 85.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

BEGINS: Final = 20
ENDS: Final = 85
LAST: Final = 110
GATEWAYS: Final = ("productive-gateway-1", "productive-gateway-2")
OPERATOR: Final = "productive-operator-1"
MIB: Final = 1024 * 1024
SMALL_OPERATOR: Final[Mapping[str, object]] = {
    "operator": {"resources": {"limits": {"memory": "200Mi"}}}
}


def during(healthy: float, faulty: float) -> str:
    """Return a gauge that has another value during the fault."""
    before, fault, after = BEGINS - 1, ENDS - BEGINS - 1, LAST - ENDS
    return f"{healthy}x{before} {faulty}x{fault} {healthy}x{after}"


def always(value: float) -> str:
    return f"{value}x{LAST}"


def each_minute(number: float) -> str:
    """Return a counter that grows all the time."""
    return f"0+{number}x{LAST}"


def counted(number: float) -> str:
    """Return a counter that is 0 before the fault, and grows each minute during it."""
    steps = ENDS - BEGINS - 1
    return f"0x{BEGINS - 1} {number}+{number}x{steps} {number * (steps + 1)}x{LAST - ENDS}"


def slowed(number: float, then: float) -> str:
    """Return a counter that grows each minute, and less during the fault."""
    before, fault, after = BEGINS - 1, ENDS - BEGINS - 1, LAST - ENDS
    begins = number * BEGINS
    ends = begins + then * (ENDS - BEGINS)
    return f"0+{number}x{before} {begins}+{then}x{fault} {ends}+{number}x{after}"


def once() -> str:
    """Return a counter that counts one event, when the fault begins."""
    return f"0x{BEGINS - 1} 1x{LAST - BEGINS}"


def of(name: str, pod: str = GATEWAYS[0], **labels: str) -> str:
    """Return a series of a pod."""
    every = {"namespace": "productive", "pod": pod, **labels}
    matched = ", ".join(f'{key}="{value}"' for key, value in every.items())
    return f"{name}{{{matched}}}"


def requests(status: str, pod: str = GATEWAYS[0], route: str = "/mcp") -> str:
    return of("productive_mcp_http_requests_total", pod, route=route, method="POST", status=status)


def event(name: str, reason: str = "", pod: str = GATEWAYS[0]) -> str:
    return of("productive_mcp_audit_events_total", pod, event=name, reason=reason)


def calls(error: str, pod: str = GATEWAYS[0]) -> str:
    """Return the number of tool calls with this outcome."""
    return of(
        "mcp_server_operation_duration_seconds_count",
        pod,
        mcp_method_name="tools/call",
        gen_ai_tool_name="get_me",
        error_type=error,
        mcp_protocol_version="2026-07-28",
    )


def calls_within(seconds: str, pod: str = GATEWAYS[0]) -> str:
    """Return the number of successful tool calls that took no longer."""
    return calls("", pod).replace("_count{", "_bucket{").replace("{", f'{{le="{seconds}", ')


def to_productive(status: str, error: str = "", pod: str = GATEWAYS[0]) -> str:
    """Return the number of requests to Productive with this answer."""
    return of(
        "http_client_request_duration_seconds_count",
        pod,
        http_request_method="GET",
        http_response_status_code=status,
        error_type=error,
    )


def refused(limit: str, pod: str = GATEWAYS[0]) -> str:
    """Return the number of requests that this part of the budget refused."""
    return of("productive_mcp_budget_refused_total", pod, limit=limit)


def spans(outcome: str, pod: str = GATEWAYS[0]) -> str:
    """Return the number of spans of traces with this outcome."""
    return of("productive_mcp_spans_total", pod, outcome=outcome)


def _gateway(pod: str) -> dict[str, str]:
    quiet = {
        "record_tampered": ("",),
        "code_replay": ("code_replay",),
        "refresh_reuse": ("refresh_reuse",),
        "wrong_token_owner": ("other_person", "user_id_is_not_person_id"),
        "sign_in_refused": ("store_full", "subject_mismatch", "grants_forbidden"),
    }
    return {
        of("productive_mcp_ready", pod): always(1),
        **{
            of("productive_mcp_watch_healthy", pod, watch=watch): always(1)
            for watch in ("mapping", "key_ring", "grants", "replicas")
        },
        of("productive_mcp_mapping_broken", pod): always(0),
        of("productive_mcp_key_ring_broken", pod): always(0),
        of("productive_mcp_clients_broken", pod): always(0),
        of("productive_mcp_current_key_created_timestamp_seconds", pod): always(1),
        of("productive_mcp_grants_stored", pod): always(900),
        of("process_resident_memory_bytes", pod): always(150 * MIB),
        requests("200", pod): each_minute(100),
        # Some requests always fail, and scanners always find something to ask for.
        requests("503", pod): each_minute(1),
        requests("404", pod, "other"): each_minute(500),
        requests("500", pod, "other"): always(0),
        **{
            event(name, reason, pod): always(0)
            for name, reasons in quiet.items()
            for reason in reasons
        },
        event("sign_in_refused", "token_invalid_client", pod): always(0),
        event("token_refused", "token_invalid_client", pod): always(0),
        event("token_issued", "", pod): each_minute(5),
        calls("", pod): each_minute(50),
        calls("invalid_value", pod): each_minute(5),
        # A call in fifty takes longer than ten seconds.
        calls_within("5.0", pod): each_minute(48),
        calls_within("10.0", pod): each_minute(49),
        calls_within("30.0", pod): each_minute(50),
        calls_within("+Inf", pod): each_minute(50),
        to_productive("200", "", pod): each_minute(100),
        to_productive("422", "422", pod): each_minute(20),
        to_productive("502", "502", pod): each_minute(1),
        to_productive("", "ReadTimeout", pod): each_minute(1),
        to_productive("", "CancelledError", pod): each_minute(20),
        # The provider fails once an hour.
        event("sign_in_refused", "token_unreachable", pod): "0x15 1x60 2x60",
        of("productive_mcp_limit_hits_total", pod, limit="failed_tokens"): each_minute(1),
        of("productive_mcp_budget_requests", pod): always(1800),
        of("productive_mcp_budget_requests_used", pod): always(1500),
        # Somebody's assistant always asks a little too fast.
        refused("token", pod): each_minute(1),
        refused("share", pod): always(0),
        refused("organization", pod): always(0),
        refused("server_time", pod): always(0),
        spans("exported", pod): each_minute(300),
        # The collector restarts now and then.
        spans("failed", pod): "0x30 40x40 80x40",
        spans("dropped", pod): always(0),
    }


HEALTHY: Final[Mapping[str, str]] = {
    **{name: values for pod in GATEWAYS for name, values in _gateway(pod).items()},
    # The clock of promtool begins at 0.
    of("productive_operator_last_success_timestamp_seconds", OPERATOR): each_minute(60),
    of("productive_operator_watch_age_seconds", OPERATOR, watch="productiveusers"): always(10),
    of("productive_operator_watch_age_seconds", OPERATOR, watch="secrets"): always(10),
    of("productive_operator_dead_watches_total", OPERATOR, watch="secrets"): always(0),
    of("productive_operator_statuses_failing", OPERATOR): always(0),
    of("productive_operator_mapping_bytes", OPERATOR): always(400_000),
    of("productive_operator_users", OPERATOR, reason="Synced"): always(90),
    of("productive_operator_users", OPERATOR, reason="Suspended"): always(3),
    of("productive_operator_users", OPERATOR, reason="TokenEmpty"): always(0),
    of("process_resident_memory_bytes", OPERATOR): always(170 * MIB),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and the alert for it."""

    name: str
    alert: str
    minutes: int
    """How soon the alert fires at the latest."""
    series: Mapping[str, str]
    """What is different from the healthy installation."""
    values: Mapping[str, object] = field(default_factory=dict)
    """Values of the chart."""


def gone(*prefixes: str) -> dict[str, str]:
    """Return all series with one of these labels as missing during the fault."""
    missing = {}
    for name, values in HEALTHY.items():
        if any(prefix in name for prefix in prefixes):
            first, _, rise = values.partition("x")[0].partition("+")
            resumed = f"{float(rise) * ENDS:g}+{rise}" if rise else first
            before, fault, after = BEGINS - 1, ENDS - BEGINS - 1, LAST - ENDS
            missing[name] = f"{first}{rise and '+'}{rise}x{before} _x{fault + 1} {resumed}x{after}"
    return missing


FAULTS: Final = (
    # Promtool notices a missing series after five minutes, a server at the next scrape.
    Fault(
        "all gateways are gone", "ProductiveMcpGatewayAbsent", 11, gone('pod="productive-gateway')
    ),
    Fault(
        "no gateway has loaded people and keys",
        "ProductiveMcpGatewayAbsent",
        6,
        {of("productive_mcp_ready", pod): during(1, 0) for pod in GATEWAYS},
    ),
    Fault(
        "one gateway does not become ready",
        "ProductiveMcpReplicaNotReady",
        11,
        {of("productive_mcp_ready"): during(1, 0)},
    ),
    Fault(
        "all requests fail",
        "ProductiveMcpOutage",
        7,
        {requests("503", pod): counted(300) for pod in GATEWAYS},
    ),
    Fault(
        "one request in ten fails",
        "ProductiveMcpErrors",
        16,
        {requests("503", pod): counted(11) for pod in GATEWAYS},
    ),
    Fault(
        "a gateway's memory grows",
        "ProductiveMcpMemoryNearLimit",
        16,
        {of("process_resident_memory_bytes"): during(150 * MIB, 470 * MIB)},
    ),
    Fault(
        "the operator's memory grows beyond a limit of its own",
        "ProductiveMcpMemoryNearLimit",
        16,
        {of("process_resident_memory_bytes", OPERATOR): during(170 * MIB, 185 * MIB)},
        SMALL_OPERATOR,
    ),
    Fault(
        "a request fails with 500",
        "ProductiveMcpInternalErrors",
        1,
        # The series does not exist before.
        {requests("500"): f"_x{BEGINS} 1x{LAST - BEGINS}"},
    ),
    Fault(
        "a tool fails",
        "ProductiveMcpInternalErrors",
        1,
        {calls("internal_error"): f"_x{BEGINS} 1x{LAST - BEGINS}"},
    ),
    Fault(
        "a tool that failed before fails again",
        "ProductiveMcpInternalErrors",
        1,
        {calls("internal_error"): f"3x{BEGINS - 1} 4x{LAST - BEGINS}"},
    ),
    Fault(
        "Productive answers with errors",
        "ProductiveMcpProductiveFailing",
        9,
        {to_productive("502", "502", pod): counted(60) for pod in GATEWAYS},
    ),
    Fault(
        "Productive does not answer",
        "ProductiveMcpProductiveFailing",
        9,
        {to_productive("", "ConnectError", pod): counted(60) for pod in GATEWAYS},
    ),
    Fault(
        "one person's assistant loops",
        "ProductiveMcpProductiveLimited",
        30,
        {calls("rate_limited"): counted(2), refused("share"): counted(2)},
    ),
    Fault(
        "other programs use up what Productive allows",
        "ProductiveMcpBudgetUsedUp",
        8,
        {calls("rate_limited"): counted(2), refused("organization"): counted(2)},
    ),
    Fault(
        "Productive's servers worked too long for the organization",
        "ProductiveMcpBudgetUsedUp",
        8,
        {calls("rate_limited"): counted(2), refused("server_time"): counted(2)},
    ),
    Fault(
        "many people use nearly the whole budget of one replica",
        "ProductiveMcpBudgetUsedUp",
        6,
        {
            of("productive_mcp_budget_requests_used"): during(1500, 1700),
            calls("rate_limited"): counted(2),
            refused("share"): counted(2),
        },
    ),
    Fault(
        "Productive is slow",
        "ProductiveMcpCallsSlow",
        25,
        {calls_within("5.0", pod): slowed(48, 20) for pod in GATEWAYS}
        | {calls_within("10.0", pod): slowed(49, 25) for pod in GATEWAYS},
    ),
    Fault(
        "a token was revoked in Productive",
        "ProductiveMcpTokensRejected",
        1,
        {to_productive("401", "401"): f"_x{BEGINS} 1x{LAST - BEGINS}"},
    ),
    Fault(
        "a watch of one gateway is broken",
        "ProductiveMcpWatchUnhealthy",
        3,
        {of("productive_mcp_watch_healthy", watch="grants"): during(1, 0)},
    ),
    Fault(
        "a gateway cannot watch EndpointSlices",
        "ProductiveMcpReplicasNotCounted",
        16,
        {of("productive_mcp_watch_healthy", watch="replicas"): during(1, 0)},
    ),
    Fault(
        "one gateway cannot reach the API server",
        "ProductiveMcpWatchUnhealthy",
        3,
        {
            of("productive_mcp_watch_healthy", watch=watch): during(1, 0)
            for watch in ("mapping", "key_ring", "grants", "replicas")
        },
    ),
    Fault(
        "the mapping is malformed",
        "ProductiveMcpMappingBroken",
        3,
        {of("productive_mcp_mapping_broken", pod): during(0, 1) for pod in GATEWAYS},
    ),
    Fault(
        "the key ring is deleted",
        "ProductiveMcpKeyRingBroken",
        3,
        {of("productive_mcp_key_ring_broken", pod): during(0, 1) for pod in GATEWAYS},
    ),
    Fault(
        "the pre-registered clients are wrong",
        "ProductiveMcpClientsBroken",
        3,
        {of("productive_mcp_clients_broken", pod): during(0, 1) for pod in GATEWAYS},
    ),
    Fault(
        "the collector of traces does not answer",
        "ProductiveMcpTracesFailing",
        20,
        {spans("exported", pod): slowed(300, 0) for pod in GATEWAYS}
        | {spans("failed", pod): counted(300) for pod in GATEWAYS},
    ),
    Fault(
        "the collector of traces is too slow",
        "ProductiveMcpTracesFailing",
        20,
        {spans("exported", pod): slowed(300, 200) for pod in GATEWAYS}
        | {spans("dropped", pod): counted(100) for pod in GATEWAYS},
    ),
    Fault(
        "the provider does not answer",
        "ProductiveMcpProviderFailing",
        8,
        {event("sign_in_refused", "discovery_unreachable"): counted(1)},
    ),
    Fault(
        "the provider's keys cannot be used at refreshes",
        "ProductiveMcpProviderFailing",
        8,
        {event("token_refused", "jwks_status"): counted(1)},
    ),
    Fault(
        "the client secret has expired",
        "ProductiveMcpProviderRefusesGateway",
        1,
        {event("sign_in_refused", "token_invalid_client"): once()},
    ),
    Fault(
        "an address belongs to another account",
        "ProductiveMcpSubjectMismatch",
        1,
        {event("sign_in_refused", "subject_mismatch"): once()},
    ),
    Fault(
        "the gateway may not create grants",
        "ProductiveMcpGrantsNotStored",
        1,
        {event("sign_in_refused", "grants_forbidden"): once()},
    ),
    Fault(
        "four fifths of the quota are used",
        "ProductiveMcpGrantsNearlyFull",
        1,
        {of("productive_mcp_grants_stored"): during(900, 20_001)},
    ),
    Fault(
        "the quota is used up",
        "ProductiveMcpGrantsFull",
        1,
        {event("sign_in_refused", "store_full"): once()},
    ),
    Fault(
        "somebody tries many tokens",
        "ProductiveMcpLimitHits",
        32,
        {of("productive_mcp_limit_hits_total", limit="failed_tokens"): counted(10)},
    ),
    Fault("a grant is edited", "ProductiveMcpGrantTampered", 1, {event("record_tampered"): once()}),
    Fault(
        "a refresh token is used twice",
        "ProductiveMcpRefreshReuse",
        1,
        {event("refresh_reuse", "refresh_reuse"): once()},
    ),
    Fault(
        "a code is used twice",
        "ProductiveMcpCodeReplay",
        1,
        {event("code_replay", "code_replay"): once()},
    ),
    Fault(
        "a token is somebody else's",
        "ProductiveMcpWrongTokenOwner",
        1,
        {event("wrong_token_owner", "other_person"): once()},
    ),
    Fault("the operator is gone", "ProductiveMcpOperatorAbsent", 21, gone(f'pod="{OPERATOR}"')),
    Fault(
        "the operator's passes fail",
        "ProductiveMcpOperatorStale",
        21,
        {
            of("productive_operator_last_success_timestamp_seconds", OPERATOR): (
                f"0+60x{BEGINS - 1} {BEGINS * 60}x{ENDS - BEGINS - 1} {ENDS * 60}+60x{LAST - ENDS}"
            )
        },
    ),
    Fault(
        "a watch of the operator cannot be opened",
        "ProductiveMcpOperatorWatchStale",
        4,
        {
            of("productive_operator_watch_age_seconds", OPERATOR, watch="secrets"): (
                f"10x{BEGINS - 1} 70+60x{ENDS - BEGINS - 1} 10x{LAST - ENDS}"
            )
        },
    ),
    Fault(
        "a watch of the operator reports nothing",
        "ProductiveMcpOperatorWatchDead",
        1,
        {of("productive_operator_dead_watches_total", OPERATOR, watch="secrets"): once()},
    ),
    Fault(
        "the mapping grows",
        "ProductiveMcpMappingFull",
        16,
        {of("productive_operator_mapping_bytes", OPERATOR): during(400_000, 850_000)},
    ),
    Fault(
        "statuses cannot be written",
        "ProductiveMcpStatusesFailing",
        16,
        {of("productive_operator_statuses_failing", OPERATOR): during(0, 2)},
    ),
    Fault(
        "a person has no token",
        "ProductiveMcpPeopleNotReady",
        61,
        {of("productive_operator_users", OPERATOR, reason="TokenEmpty"): during(0, 1)},
    ),
)
