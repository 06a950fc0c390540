"""The canonical form of an e-mail address, by which a person is identified.

The operator (ProductiveUser) and the gateway (ID token, mapping) use it, and the CRD has the same
rules in CEL; one table of cases tests all three.
"""

from __future__ import annotations

import re
from typing import Final

MAX_LENGTH: Final = 254
"""RFC 5321 4.5.3.1.3: a path of 256 octets with its two angle brackets."""

# RFC 5322 3.2.3: printable ASCII without the specials, which occur in quoted forms only; "." is
# the one special that is allowed.
_CHARACTER: Final = r"[!#-'*+\--9=?A-Z^-~]"
_TEXT: Final = re.compile(f"(?:{_CHARACTER}|@)*")
_ADDRESS: Final = re.compile(f"{_CHARACTER}+@{_CHARACTER}+")


class EmailError(ValueError):
    """The text is not a usable address; `str()` explains why."""


def canonical_email(text: str) -> str:
    """Return the canonical form: ASCII letters in lower case, nothing else changed.

    Nothing is trimmed, IDNA is not converted, and plus tags and dots are kept: two addresses belong
    to the same person only if every mail provider delivers them to the same mailbox.

    Raises:
        EmailError: the text is too long, has not exactly one "@", has an empty part, or has a
            character that is not ASCII or not allowed in an address.
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
