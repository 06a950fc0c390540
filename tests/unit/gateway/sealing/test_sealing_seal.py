"""Seals and MACs: only the same purpose, binding and key open them, and only unchanged."""

from __future__ import annotations

import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.sealing.errors import BrokenSeal, SealError, UnknownKey
from productive_gateway.sealing.keys import Key, KeyRing
from productive_gateway.sealing.purposes import Purpose
from productive_gateway.sealing.seal import (
    decode_text,
    encode_text,
    frame,
    mac,
    seal,
    unseal,
)

OLD = Key("old", hashlib.sha256(b"old").digest(), 0)
NEW = Key("new", hashlib.sha256(b"new").digest(), 0)
RING = KeyRing((OLD,), "old")
PURPOSES = st.sampled_from(list(Purpose))


@given(PURPOSES, st.binary(max_size=300), st.binary(max_size=40))
def test_what_was_sealed_opens_again(purpose: Purpose, payload: bytes, bound: bytes) -> None:
    text = seal(RING, purpose, payload, bound=bound)
    assert unseal(RING, purpose, text, bound=bound) == payload
    assert text.isascii()
    assert text.startswith("old.")


@given(st.binary(max_size=60), st.data())
def test_any_other_character_anywhere_breaks_a_seal(payload: bytes, data: st.DataObject) -> None:
    text = seal(RING, Purpose.ACCESS, payload)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters().filter(lambda character: character != text[at]))
    with pytest.raises(SealError):
        unseal(RING, Purpose.ACCESS, text[:at] + other + text[at + 1 :])


@given(st.binary(max_size=60), st.integers(1, 60))
def test_a_cut_seal_is_broken(payload: bytes, cut: int) -> None:
    with pytest.raises(SealError):
        unseal(RING, Purpose.ACCESS, seal(RING, Purpose.ACCESS, payload)[:-cut])


@given(PURPOSES, PURPOSES)
def test_a_seal_of_one_purpose_opens_for_no_other(one: Purpose, other: Purpose) -> None:
    text = seal(RING, one, b"payload")
    if one is other:
        assert unseal(RING, other, text) == b"payload"
    else:
        with pytest.raises(BrokenSeal):
            unseal(RING, other, text)


@pytest.mark.attack("H-03")
def test_a_seal_bound_to_one_resource_opens_for_no_other() -> None:
    text = seal(RING, Purpose.ACCESS, b"payload", bound=b"https://a.example/mcp")
    with pytest.raises(BrokenSeal):
        unseal(RING, Purpose.ACCESS, text, bound=b"https://b.example/mcp")
    with pytest.raises(BrokenSeal):
        unseal(RING, Purpose.ACCESS, text)


@given(st.text(max_size=200))
def test_garbage_does_not_open(text: str) -> None:
    with pytest.raises(SealError):
        unseal(RING, Purpose.ACCESS, text)


def test_a_key_that_is_not_in_the_ring_is_told_apart_from_a_broken_seal() -> None:
    text = seal(KeyRing((NEW,), "new"), Purpose.ACCESS, b"payload")
    with pytest.raises(UnknownKey) as unknown:
        unseal(RING, Purpose.ACCESS, text)
    assert unknown.value.kid == "new"


@pytest.mark.attack("R-07")
def test_seals_open_on_every_replica_through_the_three_phases_of_a_rotation() -> None:
    phases = [RING, KeyRing((OLD, NEW), "old"), KeyRing((OLD, NEW), "new")]
    for behind, ahead in [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2)]:
        for one, other in [(behind, ahead), (ahead, behind)]:
            text = seal(phases[one], Purpose.CODE, b"payload")
            assert unseal(phases[other], Purpose.CODE, text) == b"payload"


def test_two_seals_of_the_same_payload_differ() -> None:
    assert seal(RING, Purpose.CODE, b"payload") != seal(RING, Purpose.CODE, b"payload")


def test_a_mac_depends_on_key_purpose_and_data_and_not_on_the_form_of_the_key() -> None:
    tag = mac(RING, Purpose.RECORD, b"data")
    assert tag == mac(OLD, Purpose.RECORD, b"data")
    others = [
        mac(NEW, Purpose.RECORD, b"data"),
        mac(OLD, Purpose.RATCHET, b"data"),
        mac(OLD, Purpose.RECORD, b"Data"),
    ]
    assert tag not in others
    assert len(set(others)) == 3


@given(st.lists(st.binary(max_size=8), max_size=5), st.lists(st.binary(max_size=8), max_size=5))
def test_different_parts_frame_to_different_bytes(one: list[bytes], other: list[bytes]) -> None:
    assert (frame(*one) == frame(*other)) == (one == other)


@given(st.binary(max_size=50))
def test_bytes_survive_their_text(raw: bytes) -> None:
    assert decode_text(encode_text(raw)) == raw


@pytest.mark.parametrize("text", ["QQ==", "QR", "Q", "Q Q", "Q+", "Q/", "ä", "\ud800", "QQ\n"])
def test_only_canonical_base64url_is_read(text: str) -> None:
    with pytest.raises(BrokenSeal):
        decode_text(text)


def test_a_nonce_comes_from_the_given_entropy() -> None:
    asked: list[int] = []

    def entropy(count: int) -> bytes:
        asked.append(count)
        return os.urandom(count)

    seal(RING, Purpose.CODE, b"payload", entropy=entropy)
    assert asked == [12]
