"""The Ready condition: what it says, when it moves, when it has to be written."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.operatorkit import token_secret, user, user_body
from productive_contract.mapping import Reason
from productive_operator.conditions import (
    Status,
    decode_status,
    describe,
    desired_status,
    encode_status,
    is_transition,
)
from productive_operator.resolve import Outcome, resolve

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)

SYNCED = resolve([user()], [token_secret()])[0]
MISSING = resolve([user()], [])[0]
OUTCOMES = {
    Reason.SYNCED: SYNCED,
    Reason.EMAIL_CONFLICT: Outcome(user(), Reason.EMAIL_CONFLICT, holder="acme-users/first"),
    Reason.TOKEN_SECRET_NOT_FOUND: MISSING,
    Reason.TOKEN_KEY_MISSING: Outcome(user(), Reason.TOKEN_KEY_MISSING),
    Reason.TOKEN_EMPTY: Outcome(user(), Reason.TOKEN_EMPTY),
    Reason.SUSPENDED: Outcome(user(suspend=True), Reason.SUSPENDED),
    Reason.MAPPING_FULL: Outcome(user(), Reason.MAPPING_FULL),
    Reason.INVALID: Outcome(user(), Reason.INVALID, problems=("a rule is broken", "so is another")),
}
REMEDY = {
    Reason.SYNCED: "acts as person 9104 of Productive",
    Reason.EMAIL_CONFLICT: "or delete acme-users/first",
    Reason.TOKEN_SECRET_NOT_FOUND: (
        "kubectl create secret generic ana-productive -n acme-users "
        "--type=productive-mcp.dev/token --from-literal=token=TOKEN"
    ),
    Reason.TOKEN_KEY_MISSING: "spec.apiTokenSecretRef.key",
    Reason.TOKEN_EMPTY: "Put the person's Productive API token there",
    Reason.SUSPENDED: "to end the sign-ins, set spec.revokedBefore to the present time",
    Reason.MAPPING_FULL: "Delete those that are no longer needed",
    Reason.INVALID: "Correct this ProductiveUser: a rule is broken; so is another.",
}


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_names_the_next_step(reason: Reason) -> None:
    sentence = describe(OUTCOMES[reason])
    assert REMEDY[reason] in sentence
    assert sentence.endswith(".")
    assert "{" not in sentence


@pytest.mark.parametrize("reason", Reason)
def test_only_synced_is_ready(reason: Reason) -> None:
    status = desired_status(OUTCOMES[reason], None, NOON)
    assert status.ready == (reason is Reason.SYNCED)
    assert (status.reason, status.since) == (reason.value, "2026-11-23T12:00:00Z")


def test_nothing_has_to_be_written_while_nothing_changes() -> None:
    first = desired_status(MISSING, None, NOON)
    assert desired_status(MISSING, first, LATER) == first


def test_another_reason_does_not_move_the_time_of_the_transition() -> None:
    first = desired_status(MISSING, None, NOON)
    second = desired_status(OUTCOMES[Reason.TOKEN_EMPTY], first, LATER)
    assert (second.reason, second.since) == (Reason.TOKEN_EMPTY.value, first.since)


def test_becoming_ready_moves_it() -> None:
    first = desired_status(MISSING, None, NOON)
    assert desired_status(SYNCED, first, LATER).since == "2026-11-23T13:00:00Z"


def test_a_new_generation_is_written_down() -> None:
    first = desired_status(SYNCED, None, NOON)
    edited = replace(SYNCED, user=replace(SYNCED.user, generation=2))
    second = desired_status(edited, first, LATER)
    assert second == replace(first, generation=2)


def test_what_is_written_reads_back_the_same() -> None:
    for outcome in OUTCOMES.values():
        status = desired_status(outcome, None, NOON)
        assert decode_status({"status": encode_status(status)}) == status


@pytest.mark.parametrize(
    "status",
    [
        None,
        {},
        {"conditions": []},
        {"observedGeneration": 1, "conditions": [{"type": "Other", "status": "True"}]},
        {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "Unknown"}]},
        {"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1}]},
        {
            "observedGeneration": 2,
            "conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1}],
        },
    ],
)
def test_a_status_that_is_not_ours_is_rewritten(status: object) -> None:
    assert decode_status(user_body() | {"status": status}) is None


def test_conditions_of_others_are_ignored() -> None:
    ours = desired_status(SYNCED, None, NOON)
    written = encode_status(ours)
    written["conditions"].insert(0, {"type": "Audited", "status": "True"})
    assert decode_status({"status": written}) == ours


def test_a_change_of_reason_is_a_transition() -> None:
    synced, missing = (desired_status(o, None, NOON) for o in (SYNCED, MISSING))
    assert is_transition(synced, missing)
    assert is_transition(missing, synced)
    assert not is_transition(missing, replace(missing, message="other words", generation=2))


def test_a_new_person_gets_an_event_only_with_a_problem() -> None:
    assert is_transition(None, desired_status(MISSING, None, NOON))
    assert not is_transition(None, desired_status(SYNCED, None, NOON))


@given(st.lists(st.sampled_from(list(OUTCOMES.values())), min_size=1))
def test_the_time_of_the_transition_is_when_ready_last_changed(history: list[Outcome]) -> None:
    current: Status | None = None
    changed = NOON
    for hour, outcome in enumerate(history):
        now = NOON + timedelta(hours=hour)
        status = desired_status(outcome, current, now)
        if current is None or status.ready != current.ready:
            changed = now
        assert status.since == changed.strftime("%Y-%m-%dT%H:%M:%SZ")
        current = status
