"""What was opened is not opened again, and nothing outlives its key."""

from __future__ import annotations

import gc
from types import FunctionType, ModuleType

import pytest

from productive_contract.clock import system_entropy
from productive_gateway.sealing.errors import BrokenSeal, UnknownKey
from productive_gateway.sealing.keys import KeyRing, new_ring
from productive_gateway.sealing.memo import SealMemo
from productive_gateway.sealing.purposes import Purpose
from productive_gateway.sealing.seal import seal, unseal


class Reads:
    """Opens seals, and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, ring: KeyRing, text: str) -> bytes:
        self.count += 1
        return unseal(ring, Purpose.ACCESS, text)


def test_text_is_opened_once() -> None:
    ring, reads = new_ring(0, system_entropy), Reads()
    memo, text = SealMemo(reads), seal(ring, Purpose.ACCESS, b"payload")
    assert [memo.read(ring, text) for _ in range(3)] == [b"payload"] * 3
    assert reads.count == 1


@pytest.mark.attack("L-16")
def test_text_opens_no_more_once_its_key_has_left_the_ring() -> None:
    old, new = new_ring(0, system_entropy), new_ring(0, system_entropy)
    memo, text = SealMemo(Reads()), seal(old, Purpose.ACCESS, b"payload")
    assert memo.read(old, text) == b"payload"
    with pytest.raises(UnknownKey):
        memo.read(new, text)
    both = KeyRing((*new.keys, *old.keys), new.current)
    assert memo.read(both, text) == b"payload"


@pytest.mark.attack("L-02")
def test_changed_text_is_refused_every_time_and_never_remembered() -> None:
    ring, reads = new_ring(0, system_entropy), Reads()
    memo, text = SealMemo(reads), seal(ring, Purpose.ACCESS, b"payload")
    memo.read(ring, text)
    changed = text[:-2] + ("A" if text[-2] != "A" else "B") + text[-1]
    for _ in range(3):
        with pytest.raises(BrokenSeal):
            memo.read(ring, changed)
    assert reads.count == 4
    assert len(memo) == 1


def test_texts_used_longest_ago_are_forgotten() -> None:
    ring, reads = new_ring(0, system_entropy), Reads()
    memo = SealMemo(reads, most=2)
    first, second, third = (seal(ring, Purpose.ACCESS, bytes([one])) for one in range(3))
    for text in (first, second, first, third):
        memo.read(ring, text)
    assert (len(memo), reads.count) == (2, 3)
    memo.read(ring, first)
    assert reads.count == 3
    memo.read(ring, second)
    assert reads.count == 4


def test_texts_themselves_are_not_kept_in_memory() -> None:
    ring = new_ring(0, system_entropy)
    memo, text = SealMemo(Reads()), seal(ring, Purpose.ACCESS, b"payload")
    memo.read(ring, text)
    reachable: list[object] = [memo]
    for one in reachable:
        known = {id(other) for other in reachable}
        if not isinstance(one, type | ModuleType | FunctionType):
            reachable += [other for other in gc.get_referents(one) if id(other) not in known]
    assert b"payload" in reachable
    assert text not in [one for one in reachable if isinstance(one, str)]
    assert text.encode() not in [one for one in reachable if isinstance(one, bytes)]
