"""The youngest are left out of a full mapping, and nobody else is."""

from __future__ import annotations

import random
from functools import cache

import pytest

from harness.operatorkit import token_secret, user
from productive_contract.mapping import Mapping, Reason, decode
from productive_operator.resolve import Outcome, people, resolve
from productive_operator.size_limit import LIMIT, fit

REVISION = 1_795_500_000_000


@cache
def crowd(count: int, token_length: int) -> tuple[Outcome, ...]:
    """Return that many people, oldest first, with tokens that do not compress."""
    noise = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
    return resolve(
        [user(f"p{n}", age=n, userId=n + 1) for n in range(count)],
        [
            token_secret(f"p{n}-productive", token="".join(noise.choices(letters, k=token_length)))
            for n in range(count)
        ],
    )


def size(outcomes: tuple[Outcome, ...]) -> int:
    return fit(outcomes, REVISION).size


def test_nine_tenths_of_a_secret_are_used_at_most() -> None:
    assert LIMIT == 943_718


def test_a_mapping_that_fits_is_unchanged() -> None:
    outcomes = crowd(50, 36)
    for fitted in (fit(outcomes, REVISION), fit(outcomes, REVISION, size(outcomes))):
        assert fitted.outcomes == outcomes
        assert fitted.mapping == Mapping(REVISION, people(outcomes))


def test_the_youngest_are_left_out_with_mapping_full() -> None:
    outcomes = crowd(50, 36)
    fitted = fit(outcomes, REVISION, size(outcomes[:30]))
    assert fitted.outcomes[:30] == outcomes[:30]
    assert {o.reason for o in fitted.outcomes[30:]} == {Reason.MAPPING_FULL}
    assert [o.user for o in fitted.outcomes] == [o.user for o in outcomes]
    assert set(fitted.mapping.people) == {f"p{n}@example.com" for n in range(30)}


def test_the_stored_data_decode_to_the_mapping() -> None:
    outcomes = crowd(50, 36)
    for limit in (LIMIT, 5_000):
        fitted = fit(outcomes, REVISION, limit)
        assert decode(fitted.data) == fitted.mapping
        assert fitted.size <= limit


def test_one_byte_less_leaves_one_person_more_out() -> None:
    outcomes = crowd(50, 36)
    assert len(fit(outcomes, REVISION, size(outcomes[:30]) - 1).mapping.people) == 29


def test_people_left_out_for_another_reason_keep_it() -> None:
    younger = user("copy", email="p0@example.com", age=1000)
    outcomes = resolve([*(o.user for o in crowd(20, 36)), younger], [])
    assert fit(outcomes, REVISION, 1000).outcomes[-1].reason is Reason.EMAIL_CONFLICT


def test_nobody_fits_into_a_limit_of_zero() -> None:
    assert not fit(crowd(5, 36), REVISION, 0).mapping.people


@pytest.mark.parametrize(("count", "token_length"), [(13_000, 36), (9_000, 64)])
def test_as_many_people_fit_as_is_promised(count: int, token_length: int) -> None:
    assert len(fit(crowd(count, token_length), REVISION).mapping.people) == count


def test_a_mapping_that_is_too_large_even_compressed_is_cut_to_the_limit() -> None:
    fitted = fit(crowd(2_000, 1_000), REVISION)
    kept = len(fitted.mapping.people)
    assert 900 < kept < 2_000
    assert LIMIT * 0.98 < fitted.size <= LIMIT
    assert all(o.reason is Reason.MAPPING_FULL for o in fitted.outcomes[kept:])
