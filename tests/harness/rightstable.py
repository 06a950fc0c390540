"""Who uses which right for what: the table that rule files, API server and programs are held to.

Each verb names a test in which the program uses it, in an installation of the test's own, or says
why it is granted although nothing uses it. A program is its parts as well: a test may run them in
its own process, under the program's account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harness.rights import ANY, Account, Right


@dataclass(frozen=True, slots=True)
class Use:
    """What a verb is for, and the id of a test in which it is used."""

    what: str
    test: str


@dataclass(frozen=True, slots=True)
class Unused:
    """Why a verb is granted that nothing uses."""

    why: str


@dataclass(frozen=True, slots=True)
class Row:
    """The verbs that an account may use on a kind of objects."""

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
SWEPT = "tests/cluster/test_grants_sweeper.py::test_over_the_cap_the_oldest_of_a_person_goes"
FRESH = (
    "tests/cluster/test_keys_ring.py::"
    "test_a_key_that_the_watch_did_not_tell_of_is_found_by_one_fresh_read"
)
KEPT = "tests/cluster/test_keys_ring.py::test_the_job_makes_the_ring_once_and_leaves_it_alone"

TABLE: Final = (
    Row(
        "operator",
        "users",
        PERSON,
        ANY,
        {
            "list": Use("all people, at each pass", APPLIED),
            "watch": Use("a change begins a pass", REASONS),
        },
    ),
    Row(
        "operator",
        "users",
        f"{PERSON}/status",
        ANY,
        {"patch": Use("the condition Ready", REASONS)},
    ),
    Row(
        "operator",
        "users",
        "secrets",
        ANY,
        {
            "list": Use("the tokens of people, at each pass", APPLIED),
            "watch": Use("a new token begins a pass", REASONS),
        },
    ),
    Row("operator", "users", "events", ANY, {"create": Use("transitions of Ready", EVENTS)}),
    Row(
        "operator",
        "release",
        "secrets",
        "mapping",
        {
            "get": Use("what is published, and in which version, before it is replaced", APPLIED),
            "list": Use("begins the watch", REPAIRED),
            "watch": Use("notices what others do to it", REPAIRED),
            "create": Use("makes it again when it was deleted, by server-side apply", REPAIRED),
            "patch": Use("publishes, by server-side apply", APPLIED),
        },
    ),
    Row(
        "gateway",
        "grants",
        "secrets",
        ANY,
        {
            "get": Use("a code or refresh token is checked against its grant", WHOLE_WAY),
            "list": Use("fills the index; sweeps", WHOLE_WAY),
            "watch": Use("revocations, wherever they were made", WHOLE_WAY),
            "create": Use("a grant and the subject binding, at a sign-in", WHOLE_WAY),
            "update": Use("redemption, refresh and revocation, by compare-and-swap", WHOLE_WAY),
            "delete": Use("sweeps what expired or is too much", SWEPT),
        },
    ),
    Row(
        "gateway",
        "release",
        "secrets",
        "mapping",
        {
            "get": Unused("one rule for both Secrets; a list by name shows the same"),
            "list": Use("begins the watch", WHOLE_WAY),
            "watch": Use("changes of people within a second", WHOLE_WAY),
        },
    ),
    Row(
        "gateway",
        "release",
        "secrets",
        "key_ring",
        {
            "get": Use("one fresh read when a key is unknown", FRESH),
            "list": Use("begins the watch", WHOLE_WAY),
            "watch": Use("rotations", WHOLE_WAY),
        },
    ),
    Row("keys", "release", "secrets", ANY, {"create": Use("makes the key ring", KEPT)}),
    Row("keys", "release", "secrets", "key_ring", {"get": Use("checks one that is there", KEPT)}),
)


def rights() -> dict[Right, Use | Unused]:
    """Return the table verb by verb."""
    return {
        Right(row.account, row.place, row.resource, row.name, verb): use
        for row in TABLE
        for verb, use in row.verbs.items()
    }
