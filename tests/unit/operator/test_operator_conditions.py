"""The conditions: their content, when their times move, when they have to be written."""

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
    Reason.TOKEN_KEY_MISSING: resolve([user()], [token_secret(apiToken="x", other="y")])[0],
    Reason.TOKEN_EMPTY: Outcome(user(), Reason.TOKEN_EMPTY),
    Reason.SUSPENDED: Outcome(user(suspend=True), Reason.SUSPENDED),
    Reason.MAPPING_FULL: Outcome(user(), Reason.MAPPING_FULL),
    Reason.INVALID: Outcome(user(), Reason.INVALID, problems=("a rule is broken", "so is another")),
}
OTHER_TYPE = replace(MISSING, other_type="Opaque")
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
    message = describe(OUTCOMES[reason], NOON)
    assert REMEDY[reason] in message
    assert message.endswith(".")
    assert "{" not in message


@pytest.mark.parametrize("reason", Reason)
def test_only_a_wanted_state_is_ready(reason: Reason) -> None:
    status = desired_status(OUTCOMES[reason], None, NOON)
    assert status.ready.true == (reason in (Reason.SYNCED, Reason.SUSPENDED))
    assert (status.ready.reason, status.ready.since) == (reason.value, "2026-11-23T12:00:00Z")


@pytest.mark.parametrize("reason", Reason)
def test_stalled_is_what_only_a_change_by_somebody_can_help(reason: Reason) -> None:
    stalled = desired_status(OUTCOMES[reason], None, NOON).stalled
    assert (stalled is not None) == (reason in (Reason.INVALID, Reason.EMAIL_CONFLICT))
    if stalled is not None:
        assert (stalled.true, stalled.reason) == (True, reason.value)


def test_a_secret_of_another_type_is_stalled_and_a_missing_one_may_still_come() -> None:
    status = desired_status(OTHER_TYPE, None, NOON)
    assert status.ready.reason == Reason.TOKEN_SECRET_NOT_FOUND
    assert "has type Opaque instead of productive-mcp.dev/token" in status.ready.message
    assert status.stalled is not None
    assert desired_status(MISSING, status, NOON).stalled is None


@pytest.mark.parametrize("suspend", [True, False])
def test_suspended_is_a_condition_only_while_it_is_true(suspend: bool) -> None:
    [outcome] = resolve([user(suspend=suspend)], [token_secret()])
    status = desired_status(outcome, None, NOON)
    assert status.ready.true
    assert (status.suspended is not None) == suspend
    kinds = [condition["type"] for condition in encode_status(status)["conditions"]]
    assert kinds == (["Ready", "Suspended"] if suspend else ["Ready"])


def test_a_missing_key_names_the_keys_that_there_are() -> None:
    assert 'its keys: "apiToken", "other".' in describe(OUTCOMES[Reason.TOKEN_KEY_MISSING], NOON)
    many = token_secret(**{f"key-{number}": "x" for number in range(9)})
    assert '"key-4" and 4 more.' in describe(resolve([user()], [many])[0], NOON)
    none = replace(OUTCOMES[Reason.TOKEN_KEY_MISSING], keys=())
    assert "its keys: none." in describe(none, NOON)


def test_a_time_in_the_future_is_in_the_message_until_it_comes() -> None:
    [outcome] = resolve([user(revokedBefore="2026-11-23T12:30:00Z")], [token_secret()])
    warning = "every sign-in ends at once until 2026-11-23T12:30:00Z"
    assert warning in describe(outcome, NOON)
    assert warning not in describe(outcome, LATER)


def test_toolsets_of_a_newer_version_are_named_as_ignored() -> None:
    [outcome] = resolve([user(access={"toolsets": ["core", "holograms"]})], [token_secret()])
    assert outcome.reason is Reason.SYNCED
    assert 'does not know them: toolsets "holograms".' in describe(outcome, NOON)


def test_nothing_has_to_be_written_while_nothing_changes() -> None:
    first = desired_status(MISSING, None, NOON)
    assert desired_status(MISSING, first, LATER) == first


def test_another_reason_does_not_move_the_time_of_the_transition() -> None:
    first = desired_status(MISSING, None, NOON)
    second = desired_status(OUTCOMES[Reason.TOKEN_EMPTY], first, LATER).ready
    assert (second.reason, second.since) == (Reason.TOKEN_EMPTY.value, first.ready.since)


def test_becoming_ready_moves_it() -> None:
    first = desired_status(MISSING, None, NOON)
    assert desired_status(SYNCED, first, LATER).ready.since == "2026-11-23T13:00:00Z"


def test_each_condition_has_a_time_of_its_own() -> None:
    first = desired_status(OUTCOMES[Reason.INVALID], None, NOON)
    suspended = resolve([user(suspend=True, organizationId="x")], [])[0]
    second = desired_status(suspended, first, LATER)
    assert second.stalled is not None
    assert second.suspended is not None
    assert (second.ready.since, second.stalled.since) == (first.ready.since, first.ready.since)
    assert second.suspended.since == "2026-11-23T13:00:00Z"


def test_a_new_generation_is_written_down() -> None:
    first = desired_status(SYNCED, None, NOON)
    edited = replace(SYNCED, user=replace(SYNCED.user, generation=2))
    second = desired_status(edited, first, LATER)
    assert second == replace(first, generation=2)


def test_what_is_written_reads_back_the_same() -> None:
    for outcome in (*OUTCOMES.values(), OTHER_TYPE):
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
    gone = {"type": "Stalled", "status": "False", "observedGeneration": 1}
    written["conditions"].append(gone)
    assert decode_status({"status": written}) == ours


def test_a_change_of_reason_is_a_transition() -> None:
    synced, missing = (desired_status(o, None, NOON) for o in (SYNCED, MISSING))
    assert is_transition(synced, missing)
    assert is_transition(missing, synced)
    other = replace(missing.ready, message="other words")
    assert not is_transition(missing, replace(missing, ready=other, generation=2))


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
        if current is None or status.ready.true != current.ready.true:
            changed = now
        assert status.ready.since == changed.strftime("%Y-%m-%dT%H:%M:%SZ")
        current = status
