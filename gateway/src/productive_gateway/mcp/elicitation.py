"""Asking the person through their client: MCP 2026-07-28 `input_required`, one question a call.

A tools/call that needs a confirmation is answered with the question and a confirmation token as
`requestState`. The client shows the question and makes the same call again, with the answer and the
state. The state comes back from outside: the token is sealed and bound to person, tool, arguments
and previewed state, and it is single use.

Only a literal yes counts. Declined, dismissed or malformed means that nothing happens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import mcp_types as types
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

KEY: Final = "confirm"
"""Of the question among the input requests, and of its one field."""


class Reply(StrEnum):
    """What the person answered."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    """The question was dismissed, or its answer is missing or malformed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question, with the token that it belongs to."""

    reply: Reply
    token: str = field(repr=False)


def can_ask(protocol_version: str, capabilities: types.ClientCapabilities | None) -> bool:
    """Return whether the client of a request declared that it can show a question.

    Args:
        protocol_version: of the request; only 2026-07-28 has `input_required`.
        capabilities: of the request; a bare `elicitation: {}` means forms.
    """
    elicitation = None if capabilities is None else capabilities.elicitation
    if protocol_version not in MODERN_PROTOCOL_VERSIONS or elicitation is None:
        return False
    return elicitation.form is not None or elicitation.url is None


def question(message: str, action: str, token: str) -> types.InputRequiredResult:
    """Return the answer to tools/call that asks the person.

    Args:
        message: what would happen, as the preview says it.
        action: what saying yes does, in a few words, such as "Delete 3 time entries".
        token: confirmation token, issued for `Channel.QUESTION`.
    """
    schema = {
        "type": "object",
        "properties": {KEY: {"type": "boolean", "title": action}},
        "required": [KEY],
    }
    form = types.ElicitRequestFormParams(message=message, requested_schema=schema)
    return types.InputRequiredResult(
        input_requests={KEY: types.ElicitRequest(params=form)}, request_state=token
    )


def answer(params: types.CallToolRequestParams) -> Answer | None:
    """Return the answer that a tools/call carries, None if it carries none: a first call."""
    if params.request_state is None:
        return None
    response = (params.input_responses or {}).get(KEY)
    return Answer(_reply(response), params.request_state)


def _reply(response: object) -> Reply:
    if not isinstance(response, types.ElicitResult):
        return Reply.CANCELLED
    match response.action, response.content:
        case "accept", {"confirm": True}:
            return Reply.ACCEPTED
        case ("accept", {"confirm": False}) | ("decline", _):
            return Reply.DECLINED
        case _:
            return Reply.CANCELLED
