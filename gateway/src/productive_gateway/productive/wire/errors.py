"""Errors of Productive's API.

ProductiveError
 ├─ TokenRejected      401: the token is wrong or was revoked
 ├─ WrongOrganization  the token's user is not in the organization that was asked for
 ├─ WrongTokenOwner    the token works, and belongs to another person than the mapping says
 ├─ Forbidden          403: the person's rights, or the token's level, do not allow it
 ├─ SubscriptionEnded  402
 ├─ NotFound           404: no such record, or the person may not see it
 ├─ FeatureOff         404: no such route in this organization
 ├─ NotSimulated       501: the simulator lacks what Productive has
 ├─ Conflict           409: already in that state
 ├─ Refused            400, 415, 422: the request, or a value in it, is not accepted
 ├─ RateLimited        429, or the gateway's own limit
 ├─ Unreachable        the request was not sent, or Productive answered 5xx to a read
 ├─ StateUnknown       a write was sent and its answer lost: it may or may not have been made
 └─ NotTried           a write was not sent, because the answer to one before it was lost

The HTTP status and `code` decide; the `status` in the body is sometimes a slug, sometimes wrong.
No error contains the body of an answer, a token or an address.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

_LONGEST_DETAIL: Final = 200
_MOST_PROBLEMS: Final = 10
_ORGANIZATION_PERIOD: Final = 600
"""Seconds: a window that is at least as long is no token's."""


class ProductiveError(Exception):
    """Root of these errors; `str()` is for logs."""

    about: str = ""
    """JSON:API type of the record that was written; empty for reads."""


class TokenRejected(ProductiveError):
    """Productive rejects the token."""


class WrongOrganization(ProductiveError):
    """The token does not belong to the organization."""


class WrongTokenOwner(ProductiveError):
    """The token belongs to another person than the `userId` of the ProductiveUser.

    `write_instead` is the person id, if `userId` is the *user* id of the same person.
    """

    def __init__(self, write_instead: str | None) -> None:
        super().__init__("the token belongs to another person")
        self.write_instead = write_instead


class Forbidden(ProductiveError):
    """The person may not, or the token is a read-only one."""


class SubscriptionEnded(ProductiveError):
    """The organization's subscription does not include it."""


class NotFound(ProductiveError):
    """No such record."""


class FeatureOff(ProductiveError):
    """No such route: the feature is not enabled in this organization."""


class NotSimulated(ProductiveError):
    """No such route in the simulator, which stands in for Productive; Productive may have it."""


class Conflict(ProductiveError):
    """Already in that state."""


class Refused(ProductiveError):
    """Productive rejects a value or the whole request; nothing was changed."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(problems[0].code)
        self.problems = problems
        """All that Productive names, in its order; at least one."""


class Limit(StrEnum):
    """What is used up."""

    TOKEN = "token"  # noqa: S105
    """The requests of one token, and so of one person, in seconds."""
    SHARE = "share"
    """One person's part of the organization's requests; the others still have theirs."""
    ORGANIZATION = "organization"
    """The requests of the whole organization, in half an hour."""
    SERVER_TIME = "server_time"
    """The time that Productive's servers work for the organization, in an hour or a day."""


class RateLimited(ProductiveError):
    """Too many requests; nothing was changed."""

    def __init__(self, retry_after: float, limit: Limit = Limit.TOKEN) -> None:
        super().__init__("rate limited")
        self.retry_after = retry_after
        """Seconds."""
        self.limit = limit


class Unreachable(ProductiveError):
    """Productive cannot be reached or is failing; nothing was changed."""


class StateUnknown(ProductiveError):
    """A write was sent and no usable answer came back."""


class NotTried(ProductiveError):
    """A write was not sent, because the answer to one before it was lost."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One error object of an answer, reduced to what may be shown."""

    code: str = ""
    detail: str = ""
    field: str = ""
    """Last part of the pointer (`data/attributes/person` → `person`)."""
    limit: Limit = Limit.TOKEN
    """What a 429 is about."""


def problems_of(body: bytes) -> tuple[Problem, ...]:
    """Read the JSON:API error objects, at most ten; an unreadable answer is one empty problem."""
    try:
        listed = json.loads(body)["errors"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return (Problem(),)
    found = listed[:_MOST_PROBLEMS] if isinstance(listed, list) else []
    return tuple(_problem(entry) for entry in found if isinstance(entry, dict)) or (Problem(),)


def _problem(entry: Mapping[str, Any]) -> Problem:
    source = entry.get("source")
    pointer = source.get("pointer") if isinstance(source, dict) else None
    title, detail = _text(entry, "title"), _text(entry, "detail")
    return Problem(
        code=_text(entry, "code"),
        detail=detail or title,
        field=pointer.rsplit("/", 1)[-1][:60] if isinstance(pointer, str) else "",
        limit=_limit(f"{title} {detail}", entry.get("period")),
    )


def _limit(said: str, period: object) -> Limit:
    """Return what a 429 is about, by its words and the seconds of its window.

    The windows of a token have 10 and 30 seconds, that of an organization 30 minutes.
    """
    if "server time" in said.lower():
        return Limit.SERVER_TIME
    long = isinstance(period, int | float) and period >= _ORGANIZATION_PERIOD
    return Limit.ORGANIZATION if long else Limit.TOKEN


def error_of(status: int, body: bytes, retry_after: float) -> ProductiveError:
    """Return the error for a refused request.

    Args:
        status: HTTP status, 3xx to 5xx.
        body: the answer.
        retry_after: seconds, for a 429.
    """
    problems = problems_of(body)
    problem = problems[0]
    if status == 429:
        return RateLimited(retry_after, problem.limit)
    plain = _BY_CODE.get((status, problem.code)) or _BY_STATUS.get(status)
    if plain is not None:
        return plain(problem.code or str(status))
    return Refused(*problems) if 400 <= status < 500 else Unreachable(f"status {status}")


_BY_STATUS: Final[Mapping[int, type[ProductiveError]]] = {
    401: TokenRejected,
    402: SubscriptionEnded,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    501: NotSimulated,
}
_BY_CODE: Final[Mapping[tuple[int, str], type[ProductiveError]]] = {
    (403, "no_person"): WrongOrganization,
    (403, "no_organization_id"): WrongOrganization,
    (403, "subscription_expired"): SubscriptionEnded,
    (404, "route_not_found"): FeatureOff,
}


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str):
        return ""
    # One short line of plain text, because it may be shown to a model.
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())[:_LONGEST_DETAIL]
