"""The table of rights: which program uses which right for what.

Rule files and the requests of the programs are compared with it. Each verb names a test in which
the program uses it, in the test's own installation, or says why it is granted although it is
unused. A test may also run parts of a program in its own process, with the program's account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harness.rights import ANY, Account, Right


@dataclass(frozen=True, slots=True)
class Use:
    """The purpose of a verb, and the id of a test in which it is used."""

    what: str
    test: str


@dataclass(frozen=True, slots=True)
class Unused:
    """The reason why an unused verb is granted."""

    why: str


@dataclass(frozen=True, slots=True)
class Row:
    """The verbs that an account may use on a resource."""

    account: Account
    place: str
    resource: str
    name: str
    verbs: Mapping[str, Use | Unused]


PERSON = "productiveusers.productive-mcp.dev"
OPERATOR = "tests/cluster/test_operator_program.py::"
APPLIED = f"{OPERATOR}test_what_kubectl_applies_is_in_the_mapping"
REASONS = f"{OPERATOR}test_every_reason_is_reported_and_cleared"
EVENTS = f"{OPERATOR}test_transitions_are_posted_as_events"
REPAIRED = f"{OPERATOR}test_whatever_is_done_to_the_mapping_is_repaired"
WHOLE_WAY = "tests/clients/test_whole_way.py::test_from_kubectl_apply_to_a_tool_call_and_back"
SWEPT = (
    "tests/cluster/test_grants_sweeper.py::test_oldest_grant_of_a_person_over_the_cap_is_removed"
)
FRESH = (
    "tests/cluster/test_keys_ring.py::"
    "test_a_key_that_the_watch_did_not_tell_of_is_found_by_one_fresh_read"
)
KEPT = "tests/cluster/test_keys_ring.py::test_the_job_makes_the_ring_once_and_leaves_it_alone"
ROTATED = (
    "tests/cluster/test_keys_rotation.py::test_the_schedule_takes_each_step_with_its_own_rights"
)
DIVIDED = (
    "tests/cluster/test_gateway_budget.py::"
    "test_three_replicas_share_the_requests_of_one_organization"
)

TABLE: Final = (
    Row(
        "operator",
        "users",
        PERSON,
        ANY,
        {
            "list": Use("lists people, all or by name, at each pass", APPLIED),
            "watch": Use("a change starts a pass", REASONS),
        },
    ),
    Row(
        "operator",
        "users",
        f"{PERSON}/status",
        ANY,
        {"patch": Use("sets the condition Ready", REASONS)},
    ),
    Row(
        "operator",
        "users",
        "secrets",
        ANY,
        {
            "list": Use("lists the tokens of people, all or by name, at each pass", APPLIED),
            "watch": Use("a new token starts a pass", REASONS),
        },
    ),
    Row("operator", "users", "events", ANY, {"create": Use("reports changes of Ready", EVENTS)}),
    Row(
        "operator",
        "release",
        "secrets",
        "mapping",
        {
            "get": Use("reads content and version of the mapping before a pass", APPLIED),
            "list": Use("starts the watch", REPAIRED),
            "watch": Use("notices changes by others", REPAIRED),
            "create": Use("creates it again after a deletion, by server-side apply", REPAIRED),
            "patch": Use("publishes, by server-side apply", APPLIED),
        },
    ),
    Row(
        "gateway",
        "grants",
        "secrets",
        ANY,
        {
            "get": Use("checks a code or refresh token against its grant", WHOLE_WAY),
            "list": Use("fills the index; finds what to sweep", WHOLE_WAY),
            "watch": Use("learns of revocations by other replicas", WHOLE_WAY),
            "create": Use("creates grant and subject binding at a sign-in", WHOLE_WAY),
            "update": Use("redeems, refreshes and revokes, by compare-and-swap", WHOLE_WAY),
            "delete": Use("sweeps expired and excess records", SWEPT),
        },
    ),
    Row(
        "gateway",
        "release",
        "secrets",
        "mapping",
        {
            "get": Unused("one rule covers both Secrets; a list by name shows the same"),
            "list": Use("starts the watch", WHOLE_WAY),
            "watch": Use("learns of changes of people within a second", WHOLE_WAY),
        },
    ),
    Row(
        "gateway",
        "release",
        "secrets",
        "key_ring",
        {
            "get": Use("reads the ring once when a key is unknown", FRESH),
            "list": Use("starts the watch", WHOLE_WAY),
            "watch": Use("learns of rotations", WHOLE_WAY),
        },
    ),
    Row(
        "gateway",
        "release",
        "endpointslices.discovery.k8s.io",
        ANY,
        {
            "list": Use("starts the watch", DIVIDED),
            "watch": Use("learns how many replicas share the requests to Productive", DIVIDED),
        },
    ),
    Row("keys", "release", "secrets", ANY, {"create": Use("creates the key ring", KEPT)}),
    Row("keys", "release", "secrets", "key_ring", {"get": Use("checks an existing ring", KEPT)}),
    Row(
        "rotation",
        "release",
        "secrets",
        "key_ring",
        {
            "get": Use("reads the ring before a step", ROTATED),
            "update": Use("stores the next ring, by compare-and-swap", ROTATED),
        },
    ),
)


def rights() -> dict[Right, Use | Unused]:
    """Return the table with one entry per verb."""
    return {
        Right(row.account, row.place, row.resource, row.name, verb): use
        for row in TABLE
        for verb, use in row.verbs.items()
    }
