"""One table of addresses tests contract, resolver and (on a real API server) the CRD alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.operatorkit import user
from productive_contract.email import MAX_LENGTH, EmailError, canonical_email

TABLE = Path(__file__).resolve().parents[2] / "contract" / "email_cases.json"
CASES: list[dict[str, Any]] = json.loads(TABLE.read_text())
GOOD = [case for case in CASES if case["canonical"] is not None]
BAD = [case for case in CASES if case["canonical"] is None]


def named(case: dict[str, Any]) -> str:
    return ascii(case["text"])


@pytest.mark.parametrize("case", GOOD, ids=named)
def test_an_address_has_one_canonical_spelling(case: dict[str, Any]) -> None:
    assert canonical_email(case["text"]) == case["canonical"]


@pytest.mark.parametrize("case", BAD, ids=named)
def test_an_invalid_address_is_refused_with_the_reason(case: dict[str, Any]) -> None:
    with pytest.raises(EmailError, match=case["why"]):
        canonical_email(case["text"])


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_operator_accepts_only_canonical_addresses(case: dict[str, Any]) -> None:
    found = user(email=case["text"])
    assert (not found.problems) == (case["canonical"] == case["text"])
    assert found.holds == case["canonical"]


@pytest.mark.parametrize("case", BAD, ids=named)
def test_the_operator_gives_the_same_reason(case: dict[str, Any]) -> None:
    (problem,) = user(email=case["text"]).problems
    assert case["why"] in problem


def test_an_address_of_the_maximum_length_is_accepted_and_a_longer_one_is_not() -> None:
    domain = "@example.com"
    longest = "a" * (MAX_LENGTH - len(domain)) + domain
    assert canonical_email(longest) == longest
    with pytest.raises(EmailError, match="longer than 254"):
        canonical_email(f"a{longest}")


@given(st.text(max_size=40) | st.emails())
def test_the_canonical_spelling_is_stable_and_ascii(text: str) -> None:
    try:
        canonical = canonical_email(text)
    except EmailError:
        return
    assert canonical_email(canonical) == canonical
    assert canonical.isascii()
    assert canonical.count("@") == 1
    assert canonical == text.lower()
