"""The mapping document: golden files, writer and reader as inverses, and malformed documents."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_contract.mapping import (
    GZIP_ABOVE,
    MAX_INTEGER,
    MAX_PLAIN,
    Access,
    Mapping,
    MappingError,
    Person,
    Reason,
    State,
    decode,
    decode_document,
    decoding,
    encode,
    format_time,
    parse_time,
)
from productive_contract.names import MAPPING_KEY, MAPPING_KEY_GZIP
from productive_contract.secret import Secret
from productive_contract.slices import at_once, in_turns

GOLDEN = Path(__file__).resolve().parents[2] / "contract"
V1 = (GOLDEN / "mapping-v1.json").read_bytes().rstrip(b"\n")

ANA = Person(
    email="ana@example.com",
    uid="8a6f4c3e-6d0e-4b9c-9f0e-0d9a4b7e1c11",
    user="acme-users/ana",
    user_id=9104,
    state=State.ACTIVE,
    reason=Reason.SYNCED,
    api_token=Secret("token-of-ana"),
)
BOB = Person(
    email="bob@example.com",
    uid="1c2d3e4f-0000-4000-8000-000000000002",
    user="acme-users/bob",
    user_id=9105,
    state=State.ACTIVE,
    reason=Reason.SYNCED,
    api_token=Secret("token-of-bob"),
    organization_id="1200",
    access=Access(read_only=True, toolsets=("core", "time")),
    revoked_before=datetime(2026, 11, 23, 12, tzinfo=UTC),
)
CLEO = Person(
    email="cleo@example.com",
    uid="1c2d3e4f-0000-4000-8000-000000000003",
    user="acme-users/cleo",
    user_id=9106,
    state=State.SUSPENDED,
    reason=Reason.SUSPENDED,
)
DAN = Person(
    email="dan@example.com",
    uid="1c2d3e4f-0000-4000-8000-000000000004",
    user="acme-users/dan",
    user_id=9107,
    state=State.NO_TOKEN,
    reason=Reason.TOKEN_SECRET_NOT_FOUND,
)
EVERYBODY = Mapping(
    1795478400123, {p.email: p for p in (DAN, CLEO, BOB, ANA)}, namespace="acme-users"
)

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
EMAILS = st.builds(
    "{}@{}".format, st.sampled_from(["ana", "bob", "a.b+c", "x'y"]), st.sampled_from(["a", "b.c"])
)
INSTANTS = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 (the time zone is drawn apart)
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.timezones() | st.just(UTC),
).map(lambda moment: moment.astimezone(UTC).replace(microsecond=0))
PERSONS = st.builds(
    Person,
    email=EMAILS,
    uid=TEXT,
    user=st.text(st.characters(codec="utf-8"), max_size=20),
    user_id=st.integers(1, MAX_INTEGER),
    state=st.sampled_from(State),
    reason=st.none() | st.sampled_from(Reason),
    api_token=TEXT.map(Secret),
    organization_id=st.none() | TEXT,
    access=st.builds(Access, st.booleans(), st.none() | st.lists(TEXT, max_size=3).map(tuple)),
    revoked_before=st.none() | INSTANTS,
)
MAPPINGS = st.builds(
    Mapping,
    revision=st.integers(0, MAX_INTEGER),
    people=st.lists(PERSONS, max_size=4).map(lambda found: {p.email: p for p in found}),
    namespace=st.none() | TEXT,
)


@given(MAPPINGS)
def test_whatever_is_written_reads_back_equal(mapping: Mapping) -> None:
    assert decode(encode(mapping)) == mapping


@given(INSTANTS)
def test_whatever_time_is_written_reads_back_equal(moment: datetime) -> None:
    assert parse_time(format_time(moment)) == moment
    assert len(format_time(moment)) == len("2026-11-23T12:00:00Z")


def test_the_golden_document_is_written() -> None:
    assert encode(EVERYBODY) == {MAPPING_KEY: V1}


def test_the_golden_document_is_read() -> None:
    assert decode({MAPPING_KEY: V1}) == EVERYBODY


def test_what_a_newer_operator_adds_is_ignored() -> None:
    mapping = decode_document((GOLDEN / "mapping-v1-newer-writer.json").read_bytes())
    ana = mapping.people["ana@example.com"]
    assert (mapping.revision, ana.reason, ana.user_id) == (7, None, 9104)
    assert ana.access.toolsets == ("core", "holograms")


def test_the_workers_document_is_read_as_version_0() -> None:
    mapping = decode_document((GOLDEN / "mapping-v0-worker.json").read_bytes())
    ana = mapping.people["ana@example.com"]
    assert mapping.revision == 0
    assert (ana.user_id, ana.state, ana.api_token) == (9104, State.ACTIVE, Secret("token-of-ana"))
    assert ana.uid == "d0cb4bdc-6419-5baa-ba08-a5690bdc5521"
    assert set(mapping.people) == {"ana@example.com", "bob@example.com"}


def test_a_large_document_is_compressed_and_always_to_the_same_bytes() -> None:
    people = {
        f"p{n}@example.com": Person(
            email=f"p{n}@example.com",
            uid=f"uid-{n}",
            user=f"acme-users/p{n}",
            user_id=n + 1,
            state=State.ACTIVE,
            api_token=Secret(f"token-{n}"),
        )
        for n in range(4000)
    }
    written = encode(Mapping(5, people))
    assert list(written) == [MAPPING_KEY_GZIP]
    assert len(gzip.decompress(written[MAPPING_KEY_GZIP])) > GZIP_ABOVE
    assert encode(Mapping(5, dict(reversed(people.items())))) == written
    assert decode(written).people == people


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", "not JSON"),
        (b'{"version":1,"revision":1,"users":{', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"version":1,"revision":NaN,"users":{}}', "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"version":2,"revision":1,"users":{}}', "version 2 is not known"),
        (b'{"version":true,"revision":1,"users":{}}', "is not known"),
        (b'{"version":"1","revision":1,"users":{}}', "is not known"),
        (b'{"version":1,"users":{}}', "revision"),
        (b'{"version":1,"revision":-1,"users":{}}', "revision"),
        (b'{"version":1,"revision":1e3,"users":{}}', "revision"),
        (b'{"version":1,"revision":9007199254740992,"users":{}}', "revision"),
        (b'{"version":1,"revision":1%s,"users":{}}' % (b"0" * 400), "revision"),
        (b'{"version":1,"revision":1%s,"users":{}}' % (b"0" * 9000), "revision"),
        (b'{"version":1,"revision":1}', "users is not an object"),
        (b'{"version":1,"revision":1,"users":{"ana":{}}}', "no entry can be read"),
        (b'{"version":1,"revision":1,"users":{"a@b":[]}}', "no entry can be read"),
        (b'{"version":1,"revision":1,"users":{"a@b":{}}}', "no entry can be read"),
        (b'{"a":{"userId":1,"apiToken":"x"}}', "no entry can be read"),
        (b'{"a@b":{"userId":1,"apiToken":"x"},"A@b":{"userId":1,"apiToken":"x"}}', "repeated"),
    ],
)
def test_a_document_that_is_not_understood_is_refused(document: bytes, why: str) -> None:
    with pytest.raises(MappingError, match=why):
        decode_document(document)


def changed(email: str = "ana@example.com", **fields: object) -> bytes:
    """Return the golden document with other fields in one entry."""
    document = json.loads(V1)
    document["users"][email] |= fields
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "fields",
    [
        {"state": "retired"},
        {"state": ["active"]},
        {"userId": 0},
        {"userId": "9104"},
        {"userId": True},
        {"userId": 10**400},
        {"user": None},
        {"apiToken": None},
        {"apiToken": 5},
        {"organizationId": 1200},
        {"access": {"readOnly": "yes"}},
        {"access": {"toolsets": 5}},
        {"access": {"toolsets": "core"}},
        {"access": ["core"]},
        {"revokedBefore": "yesterday"},
        {"revokedBefore": "2026-11-23T12:00:00"},
        {"revokedBefore": "1-01-01T00:00:00Z"},
        {"revokedBefore": "0001-01-01T00:00:00+01:00"},
        {"revokedBefore": 5},
    ],
)
def test_a_malformed_entry_leaves_that_person_without_a_token(fields: dict[str, object]) -> None:
    mapping = decode_document(changed(**fields))
    ana = mapping.people["ana@example.com"]
    assert (ana.state, ana.reason, ana.api_token) == (State.NO_TOKEN, Reason.INVALID, None)
    assert (ana.uid, ana.user_id) == (ANA.uid, 0 if "userId" in fields else 9104)
    others = {email: person for email, person in mapping.people.items() if person is not ana}
    assert others == {p.email: p for p in (BOB, CLEO, DAN)}
    assert mapping.complete
    [fault] = mapping.faults
    assert "token-of" not in fault


def test_a_malformed_entry_of_somebody_who_is_suspended_stays_suspended() -> None:
    mapping = decode_document(changed("cleo@example.com", revokedBefore="yesterday"))
    assert mapping.people["cleo@example.com"].state is State.SUSPENDED


def test_an_access_that_is_empty_narrows_nothing() -> None:
    for access in ({}, None, []):
        assert decode_document(changed(access=access)) == EVERYBODY


@pytest.mark.parametrize("uid", [None, "", 5])
def test_an_entry_without_a_uid_makes_the_mapping_incomplete(uid: object) -> None:
    mapping = decode_document(changed(uid=uid))
    assert not mapping.complete
    assert mapping.people == {p.email: p for p in (BOB, CLEO, DAN)}


@pytest.mark.parametrize("key", ["ana", "", "Ana@example.com"])
def test_a_key_that_is_no_address_or_a_repeated_one_makes_it_incomplete(key: str) -> None:
    document = json.loads(V1)
    document["users"][key] = document["users"]["bob@example.com"]
    mapping = decode_document(json.dumps(document).encode())
    assert not mapping.complete
    expected = [BOB, CLEO, DAN] if "@" in key else [ANA, BOB, CLEO, DAN]
    assert mapping.people == {p.email: p for p in expected}


def test_a_malformed_entry_of_the_workers_document_is_that_persons_alone() -> None:
    document = b'{"ana@example.com":{"userId":1,"apiToken":"x"},"bob@example.com":{"userId":1}}'
    mapping = decode_document(document)
    assert mapping.complete
    states = {email: person.state for email, person in mapping.people.items()}
    assert states == {"ana@example.com": State.ACTIVE, "bob@example.com": State.NO_TOKEN}


def test_a_document_without_a_namespace_is_read() -> None:
    document = json.loads(V1)
    del document["namespace"]
    mapping = decode_document(json.dumps(document).encode())
    assert mapping == replace(EVERYBODY, namespace=None)
    assert b"namespace" not in encode(mapping)[MAPPING_KEY]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({}, "neither users.json nor users.json.gz"),
        ({"other": b"{}"}, "neither"),
        ({MAPPING_KEY_GZIP: b"{}"}, "not gzip"),
        ({MAPPING_KEY_GZIP: gzip.compress(V1)[:-9]}, "cut short"),
    ],
)
def test_data_that_is_no_mapping_is_refused(data: dict[str, bytes], why: str) -> None:
    with pytest.raises(MappingError, match=why):
        decode(data)


def test_a_decompression_bomb_is_refused() -> None:
    packer = zlib.compressobj(wbits=31)
    block = b" " * (1024 * 1024)
    packed = b"".join(packer.compress(block) for _ in range(MAX_PLAIN // len(block) + 1))
    with pytest.raises(MappingError, match="more than is allowed"):
        decode({MAPPING_KEY_GZIP: packed + packer.flush()})


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_in_order(raw: bytes) -> None:
    for key in (MAPPING_KEY, MAPPING_KEY_GZIP):
        try:
            decode({key: raw})
        except MappingError:
            continue


def test_an_empty_object_signs_nobody_out() -> None:
    with pytest.raises(MappingError):
        decode({"users.json": b"{}"})


@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 5_000, 10_000])
async def test_decoding_in_slices_gives_the_same_mapping(count: int) -> None:
    people = [replace(ANA, email=f"p{number}@example.com") for number in range(count)]
    data = encode(Mapping(7, {person.email: person for person in people}))
    slices = sum(1 for _ in decoding(data))
    assert slices >= count / 200
    assert decode(data) == at_once(decoding(data)) == await in_turns(decoding(data))
    assert len(decode(data).people) == count


async def test_decoding_in_slices_refuses_what_decoding_at_once_refuses() -> None:
    faulty = {MAPPING_KEY: V1.replace(b'"userId":9104', b'"userId":"x"')}
    assert decode(faulty) == await in_turns(decoding(faulty))
    for data in ({}, {MAPPING_KEY: b"{"}, {MAPPING_KEY_GZIP: b"x"}):
        with pytest.raises(MappingError) as at_once_error:
            decode(data)
        with pytest.raises(MappingError, match=re.escape(str(at_once_error.value))):
            await in_turns(decoding(data))


def test_a_document_that_is_not_in_use_yet_can_be_refused_for_its_faults() -> None:
    decode_document(V1).refuse_faults()
    with pytest.raises(MappingError, match="unknown state"):
        decode_document(changed(state="retired")).refuse_faults()
