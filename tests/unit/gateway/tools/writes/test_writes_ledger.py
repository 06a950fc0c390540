"""The content of a ledger: written and read again, expired, and kept small."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.tools.writes.ledger import (
    Inverse,
    Ledger,
    Used,
    Write,
    decode,
    encode,
)

TIMES = st.floats(0, 4e9)
LEDGERS = st.builds(
    Ledger,
    st.binary(min_size=32, max_size=32),
    st.dictionaries(
        st.text(max_size=5),
        st.builds(Write, st.text(), TIMES, TIMES, TIMES, st.none() | st.text()),
        max_size=5,
    ),
    st.dictionaries(
        st.text(max_size=5), st.builds(Inverse, st.text(), TIMES, st.binary(), st.text())
    ),
    st.dictionaries(st.text(max_size=5), st.builds(Used, st.text(), TIMES), max_size=5),
)


@given(LEDGERS)
def test_written_content_reads_as_it_was(ledger: Ledger) -> None:
    assert decode(encode(ledger)) == ledger


@given(LEDGERS, TIMES)
def test_what_has_expired_is_gone_and_the_rest_stays(ledger: Ledger, now: float) -> None:
    pruned = ledger.pruned(now)
    for before, after in (
        (ledger.writes, pruned.writes),
        (ledger.inverses, pruned.inverses),
        (ledger.used, pruned.used),
    ):
        assert after == {name: one for name, one in before.items() if one.kept > now}


@given(LEDGERS, st.integers(1, 200))
def test_what_is_open_or_used_up_never_makes_room(ledger: Ledger, excess: int) -> None:
    lighter = ledger.lighter(excess)
    finished = [one for one in ledger.writes.values() if one.result is not None]
    spared = [*finished, *ledger.inverses.values()]
    assert (lighter is None) == (not spared)
    if lighter is not None:
        assert lighter.used == ledger.used
        opened = {name: one for name, one in ledger.writes.items() if one.result is None}
        assert opened.items() <= lighter.writes.items()
        assert len(encode(lighter)) < len(encode(ledger))
        kept = [one.kept for one in lighter.inverses.values()]
        gone = [one.kept for name, one in ledger.inverses.items() if name not in lighter.inverses]
        assert not kept or not gone or max(gone) <= min(kept)


@given(st.binary(), st.binary())
def test_intent_is_named_by_a_key_of_the_ledger(one: bytes, other: bytes) -> None:
    first, second = Ledger(b"a" * 32), Ledger(b"b" * 32)
    assert (first.digest(one) == first.digest(other)) == (one == other)
    assert first.digest(one) != second.digest(one)


def test_neither_key_nor_inverses_are_in_a_representation() -> None:
    ledger = Ledger(b"k" * 32, inverses={"undo": Inverse("a", 1.0, b"delete 1000")})
    assert "kkk" not in repr(ledger)
    assert "1000" not in repr(ledger)
