"""Names Kubernetes objects after people: readable and unique. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import count
from typing import Final

_MAX: Final = 45
"""Characters of a name, so that names derived from it still fit into a label of 63."""
_NAMELESS: Final = "person"
_OTHER: Final = re.compile(r"[^a-z0-9]+")


def object_names(emails: Iterable[str]) -> dict[str, str]:
    """Return a DNS label (RFC 1123) for each canonical address, made from the part before the "@".

    Of addresses with the same name the first in alphabetical order gets it without a number, the
    others with one. So names depend on the set of addresses only, not on their order, and no
    numbered name collides with another person's name.
    """
    ordered = sorted(set(emails))
    names: dict[str, str] = {}
    taken: set[str] = set()
    late: list[str] = []
    for email in ordered:
        base = _base(email)
        if base in taken:
            late.append(email)
        else:
            taken.add(base)
            names[email] = base
    for email in late:
        base = _base(email)
        names[email] = next(n for number in count(2) if (n := f"{base}-{number}") not in taken)
        taken.add(names[email])
    return names


def _base(email: str) -> str:
    local = email.rpartition("@")[0].lower()
    return _OTHER.sub("-", local).strip("-")[:_MAX].rstrip("-") or _NAMELESS
