"""A grant's record: everything comes back, and nobody without a key changes anything."""

from __future__ import annotations

import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.grantkit import (
    KEY,
    NOW,
    RING,
    SECRET,
    VERIFIER,
    HeldKeys,
    active,
    new_key,
    pending,
    refresh_of,
)
from productive_contract.clock import system_entropy
from productive_contract.names import (
    LABEL_CLIENT,
    LABEL_EXPIRES_DAY,
    LABEL_STATE,
    LABEL_USER,
    LABEL_USER_UID,
)
from productive_contract.secret import Secret
from productive_gateway.errors import Unavailable
from productive_gateway.grants.grant import Cause, Grant, GrantState, ended
from productive_gateway.grants.provider import seal_token
from productive_gateway.grants.record import (
    LABELS,
    Record,
    RecordKind,
    Tampered,
    attempt_of,
    decode,
    encode,
    key_of,
    label_value,
    read,
)
from productive_gateway.grants.transitions import current_secret
from productive_gateway.sealing.errors import UnknownKey
from productive_gateway.sealing.keys import KeyRing

READ = Record(RecordKind.GRANT, "g-" + "a" * 26, {}, {}, uid="uid-1", version="7")
"""What was read before a write."""
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
TIME = st.floats(0, 4e9, allow_nan=False)
GRANTS = st.builds(
    Grant,
    name=st.just("g-" + "a" * 26),
    state=st.sampled_from(GrantState),
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


GRANTS_OF_PROVIDERS = st.builds(
    replace,
    GRANTS,
    upstream=st.text(string.ascii_letters + ".", min_size=1),
    lease=st.text(string.hexdigits),
    lease_end=TIME,
    asks=st.integers(0, 9),
)


@given(st.one_of(GRANTS, GRANTS_OF_PROVIDERS))
def test_any_grant_reads_back_as_it_was_written(grant: Grant) -> None:
    record = encode(grant, RING, replacing=READ)
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
    "grant", [pending(), active(), ended(active(), Cause.REVOKED, now=NOW)], ids=list(GrantState)
)
def test_any_changed_missing_or_added_field_is_tampering(grant: Grant) -> None:
    record = encode(grant, RING, replacing=READ)
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


def test_authentic_record_that_holds_no_grant_is_refused() -> None:
    record = encode(active(generation="none"), RING, replacing=READ)
    with pytest.raises(Tampered):
        decode(record, RING)


@pytest.mark.attack("R-09")
def test_any_changed_or_missing_label_and_another_name_is_tampering() -> None:
    record = encode(active(), RING, replacing=READ)
    for label in LABELS:
        for labels in (
            {**record.labels, label: "other"},
            {name: value for name, value in record.labels.items() if name != label},
        ):
            with pytest.raises(Tampered):
                decode(replace(record, labels=labels), RING)
    with pytest.raises(Tampered):
        decode(replace(record, name="g-" + "b" * 26), RING)


def test_foreign_labels_do_not_matter() -> None:
    record = encode(active(), RING, replacing=READ)
    labels = {**record.labels, "velero.io/exclude-from-backup": "true"}
    assert decode(replace(record, labels=labels), RING) == active()


@pytest.mark.attack("J-14")
def test_restored_object_is_tampering_from_activation_on() -> None:
    for grant in (active(), ended(active(), Cause.REVOKED, now=NOW)):
        record = encode(grant, RING, replacing=READ)
        with pytest.raises(Tampered):
            decode(replace(record, uid="uid-2"), RING)
    # A new object has no uid when its record is made.
    fresh = encode(pending(), RING)
    assert decode(replace(fresh, uid="uid-1", version="1"), RING) == pending()


@pytest.mark.attack("R-15")
def test_key_of_another_ring_is_not_tampering() -> None:
    record = encode(active(), RING, replacing=READ)
    foreign = new_key()
    with pytest.raises(UnknownKey) as unknown:
        decode(record, KeyRing((foreign,), foreign.kid))
    assert unknown.value.kid == KEY.kid


@pytest.mark.attack("R-09")
def test_naming_another_key_of_the_ring_does_not_help() -> None:
    other = new_key()
    record = changed(encode(active(), RING, replacing=READ), "key", other.kid.encode())
    with pytest.raises(Tampered):
        decode(record, KeyRing((KEY, other), KEY.kid))


def test_record_holds_no_secret_that_was_given_out() -> None:
    grant = active()
    record = encode(grant, RING, replacing=READ)
    stored = b"\n".join(record.data.values())
    for secret in (SECRET, current_secret(grant, SECRET, RING), refresh_of(grant).secret):
        assert secret not in stored
        assert secret.hex().encode() not in stored
    assert VERIFIER.encode() not in stored
    assert KEY.secret.hex().encode() not in stored


def test_labels_say_whose_grant_it_is_and_its_state() -> None:
    record = encode(active(), RING, replacing=READ)
    assert record.kind is RecordKind.GRANT
    assert record.labels == {
        LABEL_USER_UID: active().user_uid,
        LABEL_USER: "ana",
        LABEL_CLIENT: active().client[:20],
        LABEL_STATE: "active",
        LABEL_EXPIRES_DAY: "20261125",
    }
    assert encode(pending(), RING).labels[LABEL_EXPIRES_DAY] == "20261118"


@given(st.text())
def test_label_value_is_valid_in_a_cluster(text: str) -> None:
    value = label_value(text)
    assert len(value) <= 63
    assert value == "" or (value[0].isalnum() and value[-1].isalnum() and value.isascii())
    assert set(value) <= set(string.ascii_letters + string.digits + "-_.")


async def test_record_under_a_newer_key_is_read_with_a_fresh_ring() -> None:
    newer = new_key()
    ahead = KeyRing((KEY, newer), newer.kid)
    keys = HeldKeys(RING)
    record = encode(pending(), ahead)
    keys.stored = None
    with pytest.raises(Unavailable):
        await read(record, keys)
    keys.stored = ahead
    assert await read(record, keys) == (pending(), ahead)


async def test_key_of_the_current_refresh_token_is_needed_too() -> None:
    newer = new_key()
    ahead = KeyRing((KEY, newer), KEY.kid)
    grant = active(ratchet_kid=newer.kid)
    record = encode(grant, RING, replacing=READ)
    keys = HeldKeys(RING)
    with pytest.raises(UnknownKey):
        await read(record, keys)
    keys.stored = ahead
    assert await read(record, keys) == (grant, ahead)


async def test_key_of_the_providers_token_is_needed_too() -> None:
    newer = new_key()
    ahead = KeyRing((KEY, newer), newer.kid)
    sealed = seal_token(ahead, Secret("token"), active().name, system_entropy)
    grant = active(upstream=sealed)
    keys = HeldKeys(RING)
    record = encode(grant, RING, replacing=READ)
    with pytest.raises(UnknownKey):
        await read(record, keys)
    keys.stored = ahead
    assert await read(record, keys) == (grant, ahead)


@pytest.mark.parametrize("name", ["upstream", "lease", "lease-end", "asks"])
def test_what_is_known_of_the_provider_is_under_the_mac(name: str) -> None:
    grant = active(upstream="sealed", lease="attempt", lease_end=NOW, asks=1)
    record = encode(grant, RING, replacing=READ)
    for data in (
        {**record.data, name: b"0"},
        {other: value for other, value in record.data.items() if other != name},
    ):
        with pytest.raises(Tampered):
            decode(replace(record, data=data), RING)


def test_a_grant_without_a_provider_token_has_no_fields_about_it() -> None:
    record = encode(active(), RING, replacing=READ)
    assert not {"upstream", "lease", "lease-end", "asks"} & set(record.data)


def test_record_that_is_being_deleted_is_a_gone_grant() -> None:
    for grant in (pending(), active()):
        record = encode(grant, RING, replacing=READ)
        deleting = decode(replace(record, deleting=True), RING)
        assert deleting == replace(grant, state=GrantState.GONE)
    with pytest.raises(Tampered):
        decode(replace(changed(record, "mac", b"wrong"), deleting=True), RING)


def test_write_keeps_foreign_labels_and_what_others_attached() -> None:
    read = replace(
        encode(pending(), RING),
        uid="uid-1",
        version="7",
        attached={"finalizers": ["example.com/backup"]},
    )
    read = replace(read, labels={**read.labels, "example.com/team": "a"})
    record = encode(active(), RING, replacing=read)
    assert record.attached == read.attached
    assert record.labels == {**encode(active(), RING).labels, "example.com/team": "a"}
    assert decode(record, RING) == active()
