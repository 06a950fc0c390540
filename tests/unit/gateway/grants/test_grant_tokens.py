"""Codes, access tokens and refresh tokens as texts."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.grantkit import RESOURCE, SCOPES, new_key
from productive_gateway.grants.grant import client_hash, subject_digest
from productive_gateway.grants.subject import subject_name
from productive_gateway.grants.tokens import (
    AccessToken,
    AuthorizationCode,
    RefreshToken,
    grant_name,
    pack_name,
    read_access,
    read_code,
    read_refresh,
    unpack_name,
    write_access,
    write_code,
    write_refresh,
)
from productive_gateway.sealing.errors import BrokenSeal, SealError, UnknownKey
from productive_gateway.sealing.keys import KeyRing
from productive_gateway.sealing.purposes import Purpose
from productive_gateway.sealing.seal import seal

KEY = new_key()
RING = KeyRing((KEY,), KEY.kid)
NAME = grant_name(b"t" * 16)
CODE = AuthorizationCode(NAME, b"c" * 32)
ACCESS = AccessToken(NAME, 3, 1, 1_795_000_000, 1_795_003_600, SCOPES)
REFRESH = RefreshToken(NAME, 3, b"r" * 32)
READERS = {"code": read_code, "access": read_access, "refresh": read_refresh}


def texts() -> dict[str, str]:
    return {
        "code": write_code(RING, CODE, RESOURCE, os.urandom),
        "access": write_access(RING, ACCESS, RESOURCE, os.urandom),
        "refresh": write_refresh(KEY, REFRESH, RESOURCE),
    }


def test_each_kind_reads_as_it_was_written_and_has_its_prefix() -> None:
    written = texts()
    assert read_code(RING, written["code"], RESOURCE) == CODE
    assert read_access(RING, written["access"], RESOURCE) == ACCESS
    assert read_refresh(RING, written["refresh"], RESOURCE) == REFRESH
    prefixes = {"code": "pmcp_ac_", "access": "pmcp_at_", "refresh": "pmcp_rt_"}
    for kind, text in written.items():
        assert re.fullmatch(prefixes[kind] + r"[A-Za-z0-9_.-]{60,200}", text)


@pytest.mark.attack("J-15")
def test_no_kind_reads_as_another_even_under_its_prefix() -> None:
    for kind, text in texts().items():
        for other, read in READERS.items():
            if kind != other:
                for tried in (text, texts()[other][:8] + text[8:]):
                    with pytest.raises(SealError):
                        read(RING, tried, RESOURCE)


@pytest.mark.attack("H-03")
def test_text_of_another_deployment_with_the_same_keys_is_refused() -> None:
    for kind, text in texts().items():
        with pytest.raises(BrokenSeal):
            READERS[kind](RING, text, "https://other.example.test/mcp")


@pytest.mark.attack("F-08")
@given(st.sampled_from(sorted(READERS)), st.data())
def test_any_changed_character_breaks_a_text(kind: str, data: st.DataObject) -> None:
    text = texts()[kind]
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters().filter(lambda character: character != text[at]))
    with pytest.raises(SealError):
        READERS[kind](RING, text[:at] + other + text[at + 1 :], RESOURCE)


@pytest.mark.attack("F-08")
@pytest.mark.parametrize("kind", sorted(READERS))
def test_truncated_and_oversized_texts_are_refused(kind: str) -> None:
    text = texts()[kind]
    for tried in ("", text[:8], text[:40], text[:-1], text + "A", text + "A" * 10_000, " " + text):
        with pytest.raises(SealError):
            READERS[kind](RING, tried, RESOURCE)


def test_genuine_seal_of_another_shape_is_refused() -> None:
    bound = RESOURCE.encode()
    with pytest.raises(BrokenSeal):
        read_code(RING, "pmcp_ac_" + seal(RING, Purpose.CODE, b"x", bound=bound), RESOURCE)
    with pytest.raises(BrokenSeal):
        read_access(RING, "pmcp_at_" + seal(RING, Purpose.ACCESS, b"x", bound=bound), RESOURCE)


def test_unknown_key_is_reported_as_such() -> None:
    other = new_key()
    for kind, text in texts().items():
        with pytest.raises(UnknownKey):
            READERS[kind](KeyRing((other,), other.kid), text, RESOURCE)


def test_refresh_token_is_the_same_text_each_time() -> None:
    assert len({write_refresh(KEY, REFRESH, RESOURCE) for _ in range(3)}) == 1


def test_repr_of_a_token_hides_its_secret() -> None:
    assert "ccc" not in repr(CODE)
    assert "rrr" not in repr(REFRESH)


@given(st.binary(min_size=16, max_size=16))
def test_name_of_a_grant_is_valid_in_a_cluster(raw: bytes) -> None:
    name = pack_name(raw)
    assert re.fullmatch(r"g-[a-z2-7]{26}", name)
    assert unpack_name(name) == raw


def test_names_follow_from_the_transaction_alone() -> None:
    assert grant_name(b"t" * 16) == grant_name(b"t" * 16) != grant_name(b"u" * 16)
    assert (b"t" * 16).hex() not in grant_name(b"t" * 16)


def test_subject_digest_depends_on_each_part_and_its_boundaries() -> None:
    digests = {
        subject_digest("iss", "sub", "uid"),
        subject_digest("isss", "ub", "uid"),
        subject_digest("iss", "subu", "id"),
        subject_digest("iss2", "sub", "uid"),
        subject_digest("iss", "sub", "uid2"),
    }
    assert len(digests) == 5
    assert subject_name("uid") == "subject-uid"


def test_client_hash_accepts_any_text() -> None:
    assert len(client_hash("\ud800" * 3)) == 64
