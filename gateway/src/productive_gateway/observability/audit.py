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
from typing import Final

import structlog

from productive_gateway.observability.metrics import AUDIT_EVENTS

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
    (Event.SIGN_IN_REFUSED, "store_full"),
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


@dataclass(slots=True)
class _Emails:
    describe: DescribeEmail = in_full


_emails: Final = _Emails()


@contextmanager
def describing_emails(describe: DescribeEmail) -> Iterator[None]:
    """Name addresses by these fields, in all audit lines of the block."""
    before, _emails.describe = _emails.describe, describe
    try:
        yield
    finally:
        _emails.describe = before


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
    AUDIT_EVENTS.labels(event=event.value, reason=reason or "").inc()
    named = {"reason": reason, "user": user, "grant": grant, "client": client}
    person = {} if email is None else _emails.describe(email)
    given = {name: value for name, value in named.items() if value is not None}
    _log.info(event.value, audit=True, **person, **given, **facts)
