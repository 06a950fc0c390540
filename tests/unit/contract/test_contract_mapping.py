"""The mapping document: golden files of each version, and what a reader must refuse."""

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
EVERYBODY = Mapping(1795478400123, {p.email: p for p in (DAN, CLEO, BOB, ANA)})


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
        (b'{"version":1,"revision":1}', "users is not an object"),
        (b'{"version":1,"revision":1,"users":{"ana":{}}}', "no e-mail address"),
        (b'{"version":1,"revision":1,"users":{"a@b":[]}}', "not an object"),
        (b'{"version":1,"revision":1,"users":{"a@b":{}}}', "missing or malformed"),
        (b'{"a@b":{"userId":1}}', "no userId"),
        (b'{"a@b":{"userId":1,"apiToken":"x"},"A@b":{"userId":1,"apiToken":"x"}}', "twice"),
    ],
)
def test_a_document_that_is_not_understood_is_refused(document: bytes, why: str) -> None:
    with pytest.raises(MappingError, match=why):
        decode_document(document)


@pytest.mark.parametrize(
    "change",
    [
        {"state": "retired"},
        {"userId": 0},
        {"userId": "9104"},
        {"userId": True},
        {"uid": ""},
        {"user": None},
        {"apiToken": None},
        {"access": []},
        {"access": {"toolsets": 5}},
        {"revokedBefore": "yesterday"},
        {"revokedBefore": "2026-11-23T12:00:00"},
    ],
)
def test_a_malformed_entry_is_refused_without_quoting_it(change: dict[str, object]) -> None:
    document = json.loads(V1)
    document["users"]["ana@example.com"] |= change
    if change == {"access": []}:
        # An empty list reads as no access at all, which narrows nothing: nothing to refuse.
        assert decode_document(json.dumps(document).encode()).people["ana@example.com"] == ANA
        return
    with pytest.raises(MappingError) as refused:
        decode_document(json.dumps(document).encode())
    assert "token-of" not in str(refused.value)


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
    bad = {MAPPING_KEY: V1.replace(b'"userId":9104', b'"userId":"x"')}
    for data in ({}, {MAPPING_KEY: b"{"}, {MAPPING_KEY_GZIP: b"x"}, bad):
        with pytest.raises(MappingError) as at_once_error:
            decode(data)
        with pytest.raises(MappingError, match=re.escape(str(at_once_error.value))):
            await in_turns(decoding(data))
