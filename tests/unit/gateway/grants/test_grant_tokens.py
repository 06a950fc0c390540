"""Codes, access tokens and refresh tokens as texts."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.grantkit import RESOURCE, SCOPES, new_key
from productive_gateway.grants.naming import (
    client_hash,
    grant_name,
    pack_name,
    subject_digest,
    subject_name,
    unpack_name,
)
from productive_gateway.grants.resource import same_resource
from productive_gateway.grants.tokens import (
    AccessToken,
    Code,
    RefreshToken,
    read_access,
    read_code,
    read_refresh,
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
CODE = Code(NAME, b"c" * 32)
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
def test_a_text_of_another_deployment_with_the_same_keys_is_refused() -> None:
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
def test_cut_and_endless_texts_are_refused(kind: str) -> None:
    text = texts()[kind]
    for tried in ("", text[:8], text[:40], text[:-1], text + "A", text + "A" * 10_000, " " + text):
        with pytest.raises(SealError):
            READERS[kind](RING, tried, RESOURCE)


def test_a_well_sealed_text_of_another_shape_is_refused() -> None:
    bound = RESOURCE.encode()
    with pytest.raises(BrokenSeal):
        read_code(RING, "pmcp_ac_" + seal(RING, Purpose.CODE, b"x", bound=bound), RESOURCE)
    with pytest.raises(BrokenSeal):
        read_access(RING, "pmcp_at_" + seal(RING, Purpose.ACCESS, b"x", bound=bound), RESOURCE)


def test_a_key_that_is_not_here_is_told_apart() -> None:
    other = new_key()
    for kind, text in texts().items():
        with pytest.raises(UnknownKey):
            READERS[kind](KeyRing((other,), other.kid), text, RESOURCE)


def test_a_refresh_token_is_the_same_text_each_time() -> None:
    assert len({write_refresh(KEY, REFRESH, RESOURCE) for _ in range(3)}) == 1


def test_a_token_hides_its_secret_in_logs() -> None:
    assert "ccc" not in repr(CODE)
    assert "rrr" not in repr(REFRESH)


@given(st.binary(min_size=16, max_size=16))
def test_a_grant_has_a_name_that_a_cluster_takes(raw: bytes) -> None:
    name = pack_name(raw)
    assert re.fullmatch(r"g-[a-z2-7]{26}", name)
    assert unpack_name(name) == raw


def test_names_follow_from_the_transaction_alone() -> None:
    assert grant_name(b"t" * 16) == grant_name(b"t" * 16) != grant_name(b"u" * 16)
    assert (b"t" * 16).hex() not in grant_name(b"t" * 16)


def test_a_subject_digest_depends_on_all_three_and_on_where_one_ends() -> None:
    digests = {
        subject_digest("iss", "sub", "uid"),
        subject_digest("isss", "ub", "uid"),
        subject_digest("iss", "subu", "id"),
        subject_digest("iss2", "sub", "uid"),
        subject_digest("iss", "sub", "uid2"),
    }
    assert len(digests) == 5
    assert subject_name("uid") == "subject-uid"


def test_a_client_hash_takes_any_text() -> None:
    assert len(client_hash("\ud800" * 3)) == 64


@pytest.mark.attack("H-01")
@pytest.mark.parametrize(
    ("given", "same"),
    [
        ("https://mcp.example.test/mcp", True),
        ("HTTPS://MCP.Example.Test/mcp", True),
        ("https://mcp.example.test/mcp/", False),
        ("https://mcp.example.test/MCP", False),
        ("https://mcp.example.test/mcp#x", False),
        ("https://mcp.example.test/mcp?x", False),
        ("https://mcp.example.test:443/mcp", False),
        ("https://user@mcp.example.test/mcp", False),
        ("https://other.example.test/mcp", False),
        ("http://mcp.example.test/mcp", False),
        ("//mcp.example.test/mcp", False),
        ("/mcp", False),
        ("mcp", False),
        ("", False),
        ("https://mcp.example.test", False),
    ],
)
def test_only_scheme_and_host_of_a_resource_are_compared_without_case(
    given: str, same: bool
) -> None:
    assert same_resource(given, RESOURCE) is same
