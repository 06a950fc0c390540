"""A grant's record: everything comes back, and nobody without a key changes anything."""

from __future__ import annotations

import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.grantkit import NOW, VERIFIER, new_key
from productive_contract.names import (
    LABEL_CLIENT,
    LABEL_EXPIRES_DAY,
    LABEL_STATE,
    LABEL_USER,
    LABEL_USER_UID,
)
from productive_gateway.grants.grant import Cause, Grant, State, ended
from productive_gateway.grants.ratchet import current_secret
from productive_gateway.grants.record import (
    LABELS,
    Tampered,
    attempt_of,
    decode,
    encode,
    key_of,
    label_value,
)
from productive_gateway.grants.store import Kind, Record
from productive_gateway.sealing.errors import UnknownKey
from productive_gateway.sealing.keys import KeyRing
from unit.gateway.grants.test_grant_transitions import KEY, RING, SECRET, active, claim_of, pending

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
TIME = st.floats(0, 4e9, allow_nan=False)
GRANTS = st.builds(
    Grant,
    name=st.just("g-" + "a" * 26),
    state=st.sampled_from(State),
    user_uid=st.uuids().map(str),
    user=TEXT,
    subject=TEXT,
    client=st.binary(min_size=32, max_size=32).map(bytes.hex),
    client_name=TEXT,
    client_host=TEXT,
    redirect_uri=TEXT,
    resource=TEXT,
    scopes=st.frozensets(st.text(string.ascii_letters + ":", min_size=1)),
    auth_time=TIME,
    created=TIME,
    absolute_end=TIME,
    epoch=st.integers(0, 2**32 - 1),
    attempt=TEXT,
    code_hash=TEXT,
    challenge=TEXT,
    code_end=TIME,
    salt=st.binary(max_size=16),
    generation=st.integers(0, 2**32 - 1),
    refresh_hash=TEXT,
    ratchet_kid=TEXT,
    rotated_at=TIME,
    ended_at=TIME,
    ended_cause=TEXT,
)


@given(GRANTS)
def test_any_grant_survives_its_record(grant: Grant) -> None:
    record = encode(grant, RING, uid="uid-1", version="7")
    assert decode(record, RING) == grant
    assert (record.name, record.uid, record.version) == (grant.name, "uid-1", "7")
    assert (key_of(record), attempt_of(record)) == (
        KEY.kid,
        grant.attempt.encode().decode("ascii", "replace"),
    )


def changed(record: Record, field: str, value: bytes | None) -> Record:
    data = dict(record.data)
    if value is None:
        del data[field]
    else:
        data[field] = value
    return replace(record, data=data)


@pytest.mark.attack("R-09")
@pytest.mark.parametrize(
    "grant", [pending(), active(), ended(active(), Cause.REVOKED, now=NOW)], ids=list(State)
)
def test_any_changed_missing_or_added_field_is_tampering(grant: Grant) -> None:
    record = encode(grant, RING, uid="uid-1")
    for field in record.data.keys() - {"key"}:
        for value in (None, b"", record.data[field] + b"0", b"\xff"):
            if value != record.data[field]:
                with pytest.raises(Tampered):
                    decode(changed(record, field, value), RING)
    with pytest.raises(Tampered):
        decode(changed(record, "extra", b""), RING)
    for value in (None, b"\xff"):
        with pytest.raises(Tampered):
            decode(changed(record, "key", value), RING)
    with pytest.raises(Tampered):
        decode(replace(record, data={}), RING)


def test_a_record_that_is_authentic_and_yet_no_grant_is_refused() -> None:
    record = encode(active(generation="none"), RING, uid="uid-1")
    with pytest.raises(Tampered):
        decode(record, RING)


@pytest.mark.attack("R-09")
def test_any_changed_or_missing_label_and_another_name_is_tampering() -> None:
    record = encode(active(), RING, uid="uid-1")
    for label in LABELS:
        for labels in (
            {**record.labels, label: "other"},
            {name: value for name, value in record.labels.items() if name != label},
        ):
            with pytest.raises(Tampered):
                decode(replace(record, labels=labels), RING)
    with pytest.raises(Tampered):
        decode(replace(record, name="g-" + "b" * 26), RING)


def test_labels_of_others_do_not_matter() -> None:
    record = encode(active(), RING, uid="uid-1")
    labels = {**record.labels, "velero.io/exclude-from-backup": "true"}
    assert decode(replace(record, labels=labels), RING) == active()


@pytest.mark.attack("J-14")
def test_an_object_that_was_deleted_and_restored_is_tampering_from_activation_on() -> None:
    for grant in (active(), ended(active(), Cause.REVOKED, now=NOW)):
        record = encode(grant, RING, uid="uid-1")
        with pytest.raises(Tampered):
            decode(replace(record, uid="uid-2"), RING)
    # A new object has no uid when its record is made.
    fresh = encode(pending(), RING)
    assert decode(replace(fresh, uid="uid-1", version="1"), RING) == pending()


@pytest.mark.attack("R-15")
def test_the_key_of_another_ring_is_no_tampering() -> None:
    record = encode(active(), RING, uid="uid-1")
    foreign = new_key()
    with pytest.raises(UnknownKey) as unknown:
        decode(record, KeyRing((foreign,), foreign.kid))
    assert unknown.value.kid == KEY.kid


@pytest.mark.attack("R-09")
def test_a_key_of_the_ring_named_in_place_of_the_right_one_does_not_help() -> None:
    other = new_key()
    record = changed(encode(active(), RING, uid="uid-1"), "key", other.kid.encode())
    with pytest.raises(Tampered):
        decode(record, KeyRing((KEY, other), KEY.kid))


def test_a_record_holds_no_secret_that_was_given_out() -> None:
    grant = active()
    record = encode(grant, RING, uid="uid-1")
    stored = b"\n".join(record.data.values())
    for secret in (SECRET, current_secret(grant, SECRET, RING), claim_of(grant).secret):
        assert secret not in stored
        assert secret.hex().encode() not in stored
    assert VERIFIER.encode() not in stored
    assert KEY.secret.hex().encode() not in stored


def test_labels_say_whose_it_is_and_how_it_stands() -> None:
    record = encode(active(), RING, uid="uid-1")
    assert record.kind is Kind.GRANT
    assert record.labels == {
        LABEL_USER_UID: active().user_uid,
        LABEL_USER: "ana",
        LABEL_CLIENT: active().client[:20],
        LABEL_STATE: "active",
        LABEL_EXPIRES_DAY: "20261125",
    }
    assert encode(pending(), RING).labels[LABEL_EXPIRES_DAY] == "20261118"


@given(st.text())
def test_a_label_value_is_one_that_a_cluster_takes(text: str) -> None:
    value = label_value(text)
    assert len(value) <= 63
    assert value == "" or (value[0].isalnum() and value[-1].isalnum() and value.isascii())
    assert set(value) <= set(string.ascii_letters + string.digits + "-_.")
