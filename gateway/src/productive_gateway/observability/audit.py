"""One audit line for each decision about a person's access.

Audit lines are part of the log stream, as JSON with `"audit": true`, so that a company can route
them. A line names the person, the client and the reason; it never contains a token, code, cookie
or key.
"""

from __future__ import annotations

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
    TOKEN_ISSUED = "token_issued"  # noqa: S105
    TOKEN_REFRESHED = "token_refreshed"  # noqa: S105
    TOKEN_REFUSED = "token_refused"  # noqa: S105
    CODE_REPLAY = "code_replay"
    REFRESH_REUSE = "refresh_reuse"
    GRANT_ENDED = "grant_ended"
    RECORD_TAMPERED = "record_tampered"
    WRONG_TOKEN_OWNER = "wrong_token_owner"  # noqa: S105
    TOOL_CALLED = "tool_called"


ALERTED: Final = (
    (Event.RECORD_TAMPERED, ""),
    (Event.CODE_REPLAY, "code_replay"),
    (Event.REFRESH_REUSE, "refresh_reuse"),
)
"""Events of which already the first one matters, with the reason they are counted under."""

for _event, _reason in ALERTED:
    # At 0 from the start: Prometheus sees no increase in a series that appears with 1.
    AUDIT_EVENTS.labels(event=_event.value, reason=_reason)


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
        email: the person's address, verified by the provider.
        user: namespace/name of the ProductiveUser.
        grant: name of the grant Secret.
        client: hash prefix of the MCP client.
        facts: further values; none may be secret.
    """
    AUDIT_EVENTS.labels(event=event.value, reason=reason or "").inc()
    named = {"reason": reason, "email": email, "user": user, "grant": grant, "client": client}
    _log.info(event.value, audit=True, **{k: v for k, v in named.items() if v is not None}, **facts)
