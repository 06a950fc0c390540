from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.tools.words.money import Money, MoneyError, minor_of, money_of


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (123450, "EUR", "1234.50 EUR"),
        ("2506569", "EUR", "25065.69 EUR"),
        (23809.52381, "EUR", "238.10 EUR"),
        ("0.0", "USD", "0.00 USD"),
        (-5, "EUR", "-0.05 EUR"),
        (-0.2, "EUR", "0.00 EUR"),
        (1e3, "EUR", "10.00 EUR"),
        ("1e3", "EUR", "10.00 EUR"),
        (5, "eur", "0.05 EUR"),
        (1234, "JPY", "1234 JPY"),
        (1234, "KWD", "1.234 KWD"),
        (1234, "CLF", "0.1234 CLF"),
        (123450, None, "1234.50"),
        (123450, "# EUR\n", "1234.50"),
        (Decimal("12.5"), "EUR", "0.13 EUR"),
    ],
)
def test_minor_units_are_shown_with_the_decimals_of_the_currency(
    minor: object, currency: str | None, text: str
) -> None:
    money = money_of(minor, currency)
    assert money is not None
    assert money.text == text


@pytest.mark.parametrize(
    "minor",
    [None, "", "abc", True, [], {}, "1,5", "1_000", "٣", "nan", float("nan"), float("inf"), "1e99"],
)
def test_what_is_no_number_is_no_money(minor: object) -> None:
    assert money_of(minor, "EUR") is None


def test_number_too_long_to_be_printed_is_no_money() -> None:
    assert money_of(10**5000, "EUR") is None
    assert money_of("1" * 5000, "EUR") is None


def test_amount_stays_exact() -> None:
    assert money_of(23809.52381, "EUR") == Money(Decimal("238.0952381"), "EUR")


@given(st.integers(-(10**14), 10**14), st.sampled_from(["EUR", "JPY", "KWD", "CLF", "USD"]))
def test_amount_survives_both_ways(minor: int, currency: str) -> None:
    for written in (minor, str(minor), f"{minor}.0"):
        money = money_of(written, currency)
        assert money is not None
        assert minor_of(money.number, currency) == minor


@given(st.integers() | st.floats() | st.text(max_size=20) | st.none())
def test_any_value_is_money_or_none(minor: object) -> None:
    money = money_of(minor, "EUR")
    if money is not None:
        assert money.text.endswith(" EUR")
        assert len(money.text) < 30


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        *[(89, "EUR", 8900), (89.5, "EUR", 8950), ("89.50", "EUR", 8950), ("89,5", "EUR", 8950)],
        *[("1500", "JPY", 1500), ("1.234", "KWD", 1234), ("-3.10", "EUR", -310), (0.1, "EUR", 10)],
    ],
)
def test_amounts_are_read_as_models_write_them(
    amount: float | str, currency: str, minor: int
) -> None:
    assert minor_of(amount, currency) == minor


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        *[("1,234", "EUR"), ("1.234,50", "EUR"), ("abc", "EUR"), ("", "EUR"), (True, "EUR")],
        *[(float("nan"), "EUR"), (1e30, "EUR"), ("0.001", "EUR"), ("1.5", "JPY"), (10**20, "EUR")],
    ],
)
def test_amount_that_is_unclear_is_refused(amount: float | str, currency: str) -> None:
    with pytest.raises(MoneyError, match=r"\.$"):
        minor_of(amount, currency)
