"""The one spelling of an e-mail address under which a person is known.

Used by the operator (ProductiveUser), the gateway (ID token, mapping) and, as CEL, by the CRD; a
table of cases in the tests holds the three together.
"""

from __future__ import annotations

import re
from typing import Final

MAX_LENGTH: Final = 254
"""RFC 5321 4.5.3.1.3: a path of 256 octets with its two angle brackets."""

# RFC 5322 3.2.3: printable ASCII without the specials, which only ever stand in quoted forms; of
# these "." is allowed.
_CHARACTER: Final = r"[!#-'*+\--9=?A-Z^-~]"
_TEXT: Final = re.compile(f"(?:{_CHARACTER}|@)*")
_ADDRESS: Final = re.compile(f"{_CHARACTER}+@{_CHARACTER}+")


class EmailError(ValueError):
    """The text is no address that can be matched; `str()` is a sentence for a person."""


def canonical_email(text: str) -> str:
    """Return the canonical form: ASCII letters lower-cased, nothing else changed.

    There is no trimming, no IDNA conversion and no folding of plus tags or dots: two addresses are
    the same person only if they are the same mailbox for everybody.

    Raises:
        EmailError: not ASCII, too long, not exactly one "@", an empty part, or a character that
            does not belong into an address.
    """
    if len(text) > MAX_LENGTH or not _ADDRESS.fullmatch(text):
        raise EmailError(_problem(text))
    return text.lower()


def _problem(text: str) -> str:
    if not text:
        return "the e-mail address is empty"
    if not text.isascii():
        return (
            "the e-mail address has characters outside ASCII; write an internationalised domain "
            'in its xn-- form (before the "@" they cannot be used)'
        )
    if len(text) > MAX_LENGTH:
        return f"the e-mail address is longer than {MAX_LENGTH} characters"
    if not _TEXT.fullmatch(text):
        return "the e-mail address has a space, control, quote, comma or bracket character"
    if text.count("@") != 1:
        return 'the e-mail address must have exactly one "@"'
    return 'the e-mail address needs a name before and a domain after the "@"'
