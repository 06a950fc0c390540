"""One audit line for each decision about a person's access.

Audit lines are part of the log stream, as JSON with `"audit": true`, so that a company can route
them. A line names the person, the client and the reason; it never contains a token, code, cookie
or key. docs/audit.md explains every event and every reason; a reason is for the administrator, and
never part of an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final

import structlog
from prometheus_client import Counter

from productive_gateway.observability.metrics import AUDIT_EVENTS
from productive_gateway.observability.request_id import REQUEST_ID

_log = structlog.get_logger("audit")


class Event(StrEnum):
    """Decisions that are audited."""

    CLIENT_REGISTERED = "client_registered"
    CLIENT_DOCUMENT_REFUSED = "client_document_refused"
    CONSENT_GIVEN = "consent_given"
    CONSENT_DENIED = "consent_denied"
    SIGNED_IN = "signed_in"
    SIGN_IN_REFUSED = "sign_in_refused"
    CONNECTIONS_OPENED = "connections_opened"
    """Somebody signed in to the page of their connected apps."""
    CONNECTIONS_REFUSED = "connections_refused"
    TOKEN_ISSUED = "token_issued"  # noqa: S105
    TOKEN_REFRESHED = "token_refreshed"  # noqa: S105
    TOKEN_REFUSED = "token_refused"  # noqa: S105
    CODE_REPLAY = "code_replay"
    REFRESH_REUSE = "refresh_reuse"
    LIMIT_HIT = "limit_hit"
    GRANT_ENDED = "grant_ended"
    RECORD_TAMPERED = "record_tampered"
    WRONG_TOKEN_OWNER = "wrong_token_owner"  # noqa: S105
    TOOL_CALLED = "tool_called"


ALERTED: Final = (
    (Event.RECORD_TAMPERED, ""),
    (Event.CODE_REPLAY, "code_replay"),
    (Event.REFRESH_REUSE, "refresh_reuse"),
    (Event.WRONG_TOKEN_OWNER, "other_person"),
    (Event.WRONG_TOKEN_OWNER, "user_id_is_not_person_id"),
    (Event.SIGN_IN_REFUSED, "subject_mismatch"),
    *(
        (event, reason)
        for event in (Event.SIGN_IN_REFUSED, Event.TOKEN_REFUSED)
        for reason in (
            "store_full",
            "grants_forbidden",
            "grants_not_created",
            "grants_refused",
            "token_invalid_client",
        )
    ),
)
"""Events of which already the first one matters, with the reason they are counted under."""

for _event, _reason in ALERTED:
    # At 0 from the start: Prometheus sees no increase in a series that appears with 1.
    AUDIT_EVENTS.labels(event=_event.value, reason=_reason)


class EmailStyle(StrEnum):
    """How audit lines name an e-mail address."""

    FULL = "full"
    HASHED = "hashed"
    NONE = "none"


DescribeEmail = Callable[[str], Mapping[str, str]]
"""Returns the fields of an audit line that stand for an address."""


def in_full(email: str) -> Mapping[str, str]:
    """Name the address itself."""
    return {"email": email}


def left_out(_: str) -> Mapping[str, str]:
    """Name nothing."""
    return {}


WriteLine = Callable[[str, Mapping[str, Any]], None]
"""Writes the line of an event with these facts."""


def to_log(event: str, facts: Mapping[str, Any]) -> None:
    """Write an audit line through structlog."""
    _log.info(event, **facts)


@dataclass(slots=True)
class _Output:
    describe: DescribeEmail = in_full
    write: WriteLine = to_log


_output: Final = _Output()


@contextmanager
def describing_emails(describe: DescribeEmail) -> Iterator[None]:
    """Name addresses by these fields, in all audit lines of the block."""
    before, _output.describe = _output.describe, describe
    try:
        yield
    finally:
        _output.describe = before


def write_audit_lines(write: WriteLine) -> None:
    """Write audit lines by this function from now on."""
    _output.write = write


def audit(
    event: Event,
    *,
    reason: str | None = None,
    email: str | None = None,
    user: str | None = None,
    grant: str | None = None,
    client: str | None = None,
    **facts: str | float | bool,
) -> None:
    """Write one audit line.

    Args:
        event: the decision.
        reason: slug of the reason for a refusal.
        email: the person's address, as the provider sent it; named as `describing_emails` says.
        user: namespace/name of the ProductiveUser.
        grant: name of the grant Secret.
        client: hash prefix of the MCP client.
        facts: further values; none may be secret.
    """
    _counter(event, reason or "").inc()
    line: dict[str, Any] = {"audit": True}
    request_id = REQUEST_ID.get()
    if request_id:
        line["request_id"] = request_id
    if email is not None:
        line.update(_output.describe(email))
    if reason is not None:
        line["reason"] = reason
    if user is not None:
        line["user"] = user
    if grant is not None:
        line["grant"] = grant
    if client is not None:
        line["client"] = client
    line.update(facts)
    _output.write(event, line)


@cache
def _counter(event: Event, reason: str) -> Counter:
    """Return the counter of an event; kept, because finding it takes longer than counting."""
    return AUDIT_EVENTS.labels(event.value, reason)
