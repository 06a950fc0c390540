"""The slugs of docs/audit.md, and whether an answer tells one to a person or a client."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import httpx

from productive_gateway.oauth.errors import ErrorCode

PAGE = Path(__file__).resolve().parents[2] / "docs" / "audit.md"
FAMILY = "…"


@cache
def documented(heading: str) -> frozenset[str]:
    """Return the slugs in the first column of the table under a heading; `x_…` is a family."""
    section = PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
    return frozenset(slug for cell in cells for slug in re.findall(r"`([^`]+)`", cell))


def is_documented(reason: str) -> bool:
    """Return whether a reason is in the table, by itself or by its family."""
    reasons = documented("Reasons")
    families = (one.removesuffix(FAMILY) for one in reasons if one.endswith(FAMILY))
    return reason in reasons or any(reason.startswith(one) for one in families)


@cache
def _secret() -> re.Pattern[str]:
    """Return a pattern of the slugs that must not be in an answer.

    Those of one word are words of messages, too, and those of OAuth are meant for clients.
    """
    public = {code.value for code in ErrorCode}
    # Of fields and parameters that OAuth calls the same.
    public |= {"token_endpoint", "userinfo_endpoint"}
    slugs = sorted(one for one in documented("Reasons") if "_" in one and one not in public)
    forms = [re.escape(one).replace(FAMILY, "[a-z_0-9]+") for one in slugs]
    return re.compile(rf"(?<![A-Za-z0-9_])({'|'.join(forms)})(?![A-Za-z0-9_])")


ALLOWED = re.compile(r"token_(type|endpoint\w*)|id_token_signing\w*")
"""Names of OAuth that begin like a family."""


def told(answer: httpx.Response) -> list[str]:
    """Return the slugs that the head or the body of an answer contains."""
    head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    found = _secret().findall(f"{head}\n{answer.text}")
    return [one for one in found if not ALLOWED.fullmatch(one)]


async def tells_no_reason(answer: httpx.Response) -> None:
    """Fail if an answer contains a slug; a hook for clients of tests."""
    await answer.aread()
    assert told(answer) == [], answer.text
