"""The key ring: its document, its one-key form, and what is too weak to be used."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.errors import Unavailable
from productive_gateway.sealing.errors import KeyRingError, UnknownKey
from productive_gateway.sealing.keys import (
    FixedKeys,
    Key,
    KeyRing,
    encode_ring,
    key_id,
    new_ring,
    parse_ring,
    ring_of_cookie_key,
    with_known_key,
)

STRONG = hashlib.sha256(b"a key for the tests").digest()
OTHER = hashlib.sha256(b"another key for the tests").digest()


def test_a_new_ring_survives_its_document() -> None:
    ring = new_ring(1_795_000_000.7, os.urandom)
    assert parse_ring(encode_ring(ring)) == ring
    assert ring.sealing_key().created == 1_795_000_000.0


@given(
    st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=5, unique=True),
    st.integers(0, 2**32 - 1),
    st.data(),
)
def test_any_ring_survives_its_document(
    seeds: list[bytes], epoch: int, data: st.DataObject
) -> None:
    keys = tuple(
        Key(f"k{n}", hashlib.sha256(seed).digest(), float(n)) for n, seed in enumerate(seeds)
    )
    ring = KeyRing(keys, data.draw(st.sampled_from(keys)).kid, epoch)
    assert parse_ring(encode_ring(ring)) == ring


def test_a_key_has_the_same_id_in_both_forms_of_a_ring() -> None:
    ring = new_ring(0, lambda _: STRONG)
    assert ring_of_cookie_key(STRONG.hex()).current == ring.current == key_id(STRONG)


def test_previous_cookie_keys_open_but_do_not_seal() -> None:
    ring = ring_of_cookie_key(STRONG.hex().upper(), [OTHER.hex(), STRONG.hex()])
    assert [key.secret for key in ring.keys] == [STRONG, OTHER]
    assert ring.sealing_key().secret == STRONG
    assert ring.find(key_id(OTHER)) is not None


def test_a_key_is_not_shown_by_its_repr() -> None:
    ring = new_ring(0, lambda _: STRONG)
    assert repr(STRONG) not in repr(ring)
    assert STRONG.hex() not in repr(ring)


@pytest.mark.attack("Q-07")
@pytest.mark.parametrize(
    ("secret", "weakness"),
    [
        (bytes(32), "all zero"),
        (b"\x01" * 32, "repeats"),
        (bytes.fromhex("0123456789abcdef" * 4), "repeats"),
        (b"deadbeef" * 4, "repeats"),
        (bytes(range(32)), "counts up"),
        (bytes(range(255, 223, -1)), "counts up"),
        (hashlib.sha256(b"").digest(), "sample value"),
    ],
)
def test_a_weak_key_is_refused_in_both_forms(secret: bytes, weakness: str) -> None:
    with pytest.raises(KeyRingError, match=weakness) as refused:
        ring_of_cookie_key(secret.hex())
    assert "openssl rand -hex 32" in str(refused.value)
    ring = KeyRing((Key("abc", secret, 0),), "abc")
    with pytest.raises(KeyRingError, match=weakness) as refused:
        parse_ring(encode_ring(ring))
    assert "keys init" in str(refused.value)


@pytest.mark.attack("Q-07")
@pytest.mark.parametrize(
    "text", ["", "short", "g" * 64, "ab" * 31, "ab" * 33, " " + "ab" * 32, "ä" * 64]
)
def test_a_cookie_key_that_is_not_64_hex_digits_is_refused(text: str) -> None:
    with pytest.raises(KeyRingError, match="COOKIE_ENCRYPTION_KEY must be 64"):
        ring_of_cookie_key(text)
    with pytest.raises(KeyRingError, match="COOKIE_ENCRYPTION_KEY_PREVIOUS must be 64") as refused:
        ring_of_cookie_key(STRONG.hex(), [text])
    assert not text.strip() or text not in str(refused.value)


def test_too_many_previous_keys_are_refused() -> None:
    previous = [hashlib.sha256(bytes([n])).hexdigest() for n in range(16)]
    with pytest.raises(KeyRingError, match="remove old ones"):
        ring_of_cookie_key(STRONG.hex(), previous)


def _document(**changes: Any) -> bytes:
    key = {
        "kid": "abc",
        "created": "2026-11-23T12:00:00Z",
        "secret": base64.urlsafe_b64encode(STRONG).decode(),
    }
    document: dict[str, Any] = {"version": 1, "current": "abc", "epoch": 0, "keys": [key]}
    for name, value in changes.items():
        if name in key:
            document["keys"] = [key | {name: value}]
        else:
            document[name] = value
    return json.dumps(document).encode()


def test_a_padded_secret_and_a_missing_epoch_are_accepted() -> None:
    document = json.loads(_document())
    del document["epoch"]
    assert parse_ring(json.dumps(document).encode()).epoch == 0


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"not json",
        b"[]",
        b"{" * 100_000,
        _document(version=2),
        _document(keys=[]),
        _document(keys="abc"),
        _document(keys=["abc"]),
        _document(keys=[json.loads(_document())["keys"][0]] * 2),
        _document(keys=[json.loads(_document())["keys"][0]] * 17),
        _document(current="other"),
        _document(current=None),
        _document(epoch=-1),
        _document(epoch=True),
        _document(epoch="1"),
        _document(epoch=2**32),
        _document(kid="Über"),
        _document(kid="a.b"),
        _document(kid=None),
        _document(secret="!!!"),
        _document(secret="ä"),
        _document(secret=None),
        _document(secret="c2hvcnQ"),
        _document(created="yesterday"),
        _document(created=None),
        _document(created="2026-11-23T12:00:00"),
    ],
)
def test_a_malformed_ring_is_refused_without_quoting_a_key(document: bytes) -> None:
    with pytest.raises(KeyRingError) as refused:
        parse_ring(document)
    sentence = str(refused.value)
    assert len(sentence.split()) > 6
    assert base64.urlsafe_b64encode(STRONG).decode()[:8] not in sentence


class _Changing:
    def __init__(self, loaded: KeyRing, stored: KeyRing | None) -> None:
        self.loaded, self.stored, self.reads = loaded, stored, 0

    def ring(self) -> KeyRing:
        return self.loaded

    def last_ring(self) -> KeyRing:
        return self.loaded

    async def fresh(self) -> KeyRing:
        self.reads += 1
        if self.stored is None:
            raise Unavailable("Try again.", reason="keys_away")
        return self.stored


@pytest.mark.attack("R-07")
async def test_an_unknown_key_is_looked_for_in_a_fresh_ring_once() -> None:
    old, new = KeyRing((Key("old", STRONG, 0),), "old"), KeyRing((Key("new", OTHER, 0),), "new")
    keys = _Changing(old, new)
    assert (await with_known_key(keys, lambda ring: ring.require("old"))).kid == "old"
    assert keys.reads == 0
    assert (await with_known_key(keys, lambda ring: ring.require("new"))).kid == "new"
    with pytest.raises(UnknownKey):
        await with_known_key(keys, lambda ring: ring.require("forged"))
    assert keys.reads == 2


@pytest.mark.attack("R-07")
async def test_without_a_fresh_ring_an_unknown_key_is_unavailable() -> None:
    keys = _Changing(KeyRing((Key("old", STRONG, 0),), "old"), None)
    with pytest.raises(Unavailable):
        await with_known_key(keys, lambda ring: ring.require("new"))


async def test_fixed_keys_have_no_newer_ring() -> None:
    ring = ring_of_cookie_key(STRONG.hex())
    assert FixedKeys(ring).ring() is await FixedKeys(ring).fresh() is ring
