"""What every page for a person has in common."""

from __future__ import annotations

import httpx


def is_page(answer: httpx.Response, status: int = 400) -> bool:
    """Report whether an answer is a page for the person, without any redirect."""
    headers = answer.headers
    return (
        answer.status_code == status
        and headers["content-type"].startswith("text/html")
        and "location" not in headers
        and "refresh" not in headers
        and headers["cache-control"] == "no-store"
        and headers["x-frame-options"] == "DENY"
        and "frame-ancestors 'none'" in headers["content-security-policy"]
    )
