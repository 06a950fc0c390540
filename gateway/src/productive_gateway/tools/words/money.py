"""Amounts of money: minor units in Productive, decimal numbers for people. No float arithmetic."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

# ISO 4217, list one; all others have two decimals.
_DECIMALS: Final = (
    dict.fromkeys(
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(),  # noqa: SIM905
        0,
    )
    | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)
    | dict.fromkeys(("CLF", "UYW"), 4)
)
_CODE: Final = re.compile(r"[A-Z]{3}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,2})?")
_WRITTEN: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,6}|,[0-9]{1,2})?")
_LARGEST: Final = Decimal(10) ** 18


class MoneyError(ValueError):
    """The text is no amount of money; `str()` is a message for the model."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in a currency."""

    amount: Decimal
    """Exact, in major units: an average in Productive may have more decimals than the currency."""
    currency: str
    """ISO 4217 code; empty if Productive names none."""

    @property
    def number(self) -> str:
        """The amount with the decimals of its currency, such as "1234.50"."""
        step = Decimal(1).scaleb(-decimals_of(self.currency))
        rounded = self.amount.quantize(step, rounding=ROUND_HALF_UP)
        return f"{abs(rounded) if rounded == 0 else rounded:f}"

    @property
    def text(self) -> str:
        """The amount with its currency, such as "1234.50 EUR"."""
        return f"{self.number} {self.currency}".rstrip()


def decimals_of(currency: str) -> int:
    """Return the number of decimals of a currency."""
    return _DECIMALS.get(currency, 2)


def money_of(minor: object, currency: str | None) -> Money | None:
    """Return the money for an amount in minor units, as Productive writes it.

    Args:
        minor: an integer, a float or a text; Productive writes all three.
        currency: the code beside it.

    Returns:
        None if there is no amount, or if it is no number.
    """
    if isinstance(minor, bool) or not isinstance(minor, int | float | str | Decimal):
        return None
    if isinstance(minor, int) and abs(minor) >= _LARGEST:
        return None
    text = str(minor).strip()
    if not _NUMBER.fullmatch(text):
        return None
    amount = Decimal(text)
    if abs(amount) >= _LARGEST:
        return None
    code = (currency or "").strip().upper()
    code = code if _CODE.fullmatch(code) else ""
    return Money(amount.scaleb(-decimals_of(code)), code)


def minor_of(amount: float | str, currency: str) -> int:
    """Return minor units for an amount that a model wrote: 89, 89.5, "89.50" or "89,50".

    Raises:
        MoneyError: it is none of these, or has more decimals than the currency.
    """
    text = str(amount).strip() if not isinstance(amount, bool) else ""
    if isinstance(amount, int) and abs(amount) >= _LARGEST:
        text = ""
    if not _WRITTEN.fullmatch(text):
        raise MoneyError("Write the amount as a number without separators, such as 1234.50.")
    decimals = decimals_of(currency.strip().upper())
    minor = Decimal(text.replace(",", ".")).scaleb(decimals)
    if minor != minor.to_integral_value():
        raise MoneyError(f"An amount in {currency} has at most {decimals} decimals.")
    return int(minor)
