"""The one spelling of an e-mail address under which a person is known.

Used by the operator (ProductiveUser), the gateway (ID token, mapping) and, as CEL, by the CRD; a
table of cases in the tests holds the three together.
"""

from __future__ import annotations

MAX_LENGTH = 254
"""RFC 5321 4.5.3.1.3: a path of 256 octets with its two angle brackets."""

_SPECIALS = frozenset('()<>[]:;,\\"')
"""RFC 5322 3.2.3, but for "@" (counted) and "." (allowed): they only ever stand in quoted forms."""


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
    if not text:
        raise EmailError("the e-mail address is empty")
    if not text.isascii():
        raise EmailError(
            "the e-mail address has characters outside ASCII; write an internationalised domain "
            "in its xn-- form"
        )
    if len(text) > MAX_LENGTH:
        raise EmailError(f"the e-mail address is longer than {MAX_LENGTH} characters")
    if any(not "!" <= character <= "~" or character in _SPECIALS for character in text):
        raise EmailError(
            "the e-mail address has a space, control, quote, comma or bracket character"
        )
    local, at, domain = text.partition("@")
    if not at or "@" in domain:
        raise EmailError('the e-mail address must have exactly one "@"')
    if not local or not domain:
        raise EmailError('the e-mail address needs a name before and a domain after the "@"')
    return text.lower()
