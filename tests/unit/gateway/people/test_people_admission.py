"""The one check of a person."""

from __future__ import annotations

import pytest

from harness.grantkit import NOW, ana
from productive_contract.mapping import State
from productive_gateway.people.admission import Denial, check


@pytest.mark.attack("M-09")
def test_person_missing_from_the_mapping_is_gone() -> None:
    assert check(None, NOW) is Denial.PERSON_GONE


@pytest.mark.parametrize(
    ("revoked_before", "denial"),
    [
        (None, None),
        (NOW - 1, None),
        (NOW, None),
        (NOW + 1, Denial.REVOKED_BEFORE),
    ],
)
def test_only_sign_ins_before_the_revocation_are_ended(
    revoked_before: float | None, denial: Denial | None
) -> None:
    assert check(ana(revoked_before=revoked_before), NOW) is denial


@pytest.mark.attack("M-09")
def test_suspended_person_may_not_act_and_person_without_productive_token_may() -> None:
    assert check(ana(state=State.SUSPENDED), NOW) is Denial.SUSPENDED
    assert check(ana(state=State.NO_TOKEN), NOW) is None


def test_ended_sign_in_is_reported_before_a_suspension() -> None:
    person = ana(state=State.SUSPENDED, revoked_before=NOW + 1)
    assert check(person, NOW) is Denial.REVOKED_BEFORE
