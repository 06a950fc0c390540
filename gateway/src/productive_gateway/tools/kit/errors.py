"""Errors for the model: what happened, and what to do next.

All tools share one form. Texts that people wrote are cleaned like those of answers, and no error
contains a token or an internal address.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from productive_gateway.errors import GatewayError, Unavailable
from productive_gateway.productive.wire import errors as api
from productive_gateway.tools.words import untrusted

LONGEST_MESSAGE: Final = 600
"""Characters of a message."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An option that a reference may have meant."""

    id: str
    name: str
    context: str | None = None

    def structured(self) -> dict[str, str]:
        """Return it as JSON, without empty fields."""
        context = {"context": untrusted.line(self.context, LONGEST_MESSAGE)} if self.context else {}
        return {"id": self.id, "name": untrusted.name(self.name), **context}

    def text(self) -> str:
        """Return it in a form that every tool takes: "Website relaunch (30201): P-14"."""
        shown = self.structured()
        context = f": {shown['context']}" if "context" in shown else ""
        return f"{shown['name']} ({self.id}){context}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One error."""

    code: str
    message: str
    """What happened."""
    fix: str
    """The next step."""
    field: str | None = None
    candidates: tuple[Candidate, ...] = ()
    left: int = 0
    """How many candidates there are beside these."""
    retry_after_s: int | None = None
    preview: tuple[str, ...] = ()
    """What would be done, a clean line each; only if the message has no room for it."""
    confirm: str | None = None
    """Token with which the call is repeated once the user agreed."""
    undo: str | None = None
    """Handle that undoes what was written before the error."""

    def structured(self, request_id: str | None = None) -> dict[str, Any]:
        """Return it as JSON, without empty fields."""
        found: dict[str, Any] = {
            "code": self.code,
            "message": untrusted.line(self.message, LONGEST_MESSAGE),
            "fix": untrusted.line(self.fix, LONGEST_MESSAGE),
        }
        if self.field is not None:
            found["field"] = untrusted.name(self.field)
        if self.candidates:
            found["candidates"] = [candidate.structured() for candidate in self.candidates]
        if self.left:
            found["more_candidates"] = self.left
        if self.retry_after_s is not None:
            found["retry_after_s"] = self.retry_after_s
        if self.preview:
            found["preview"] = list(self.preview)
        if self.confirm is not None:
            found["confirm"] = self.confirm
        if self.undo is not None:
            found["undo"] = self.undo
        if request_id is not None:
            found["request_id"] = request_id
        return found

    def text(self) -> str:
        """Return it as Markdown, starting with the message."""
        lines = [untrusted.line(f"{self.message} {self.fix}", 2 * LONGEST_MESSAGE)]
        lines += [f"- {one.text()}" for one in self.candidates]
        if self.left:
            lines.append(f"- and {self.left} more")
        lines += [f"- {one}" for one in self.preview]
        if self.confirm is not None:
            lines.append(f"- confirm: {self.confirm}")
        if self.undo is not None:
            lines.append(f"- To undo what was written: undo {self.undo}")
        return "\n".join(lines)


class ToolError(Exception):
    """A tool cannot do what was asked."""

    def __init__(
        self, problem: Problem, *, extra: Mapping[str, Any] | None = None, text: str = ""
    ) -> None:
        """Create the error.

        Args:
            problem: what is wrong.
            extra: further structured content.
            text: what `extra` says, in lines.
        """
        super().__init__(problem.message)
        self.problem = problem
        self.extra = dict(extra or {})
        self.text = text


class UserQuestion(Exception):
    """The client is to ask the user; the call is made again with the answer."""

    def __init__(self, message: str, action: str, token: str) -> None:
        super().__init__(action)
        self.message = message
        """What would happen."""
        self.action = action
        """What saying yes does, in a few words."""
        self.token = token


class Explainer:
    """Turns errors of Productive into problems that tell the model what to do."""

    def __init__(self, admin_contact: str | None) -> None:
        self.whom_to_ask: Final = admin_contact or "the administrator of this server"

    def explain(self, error: Exception) -> Problem:
        """Return the problem for an error of a tool, of the API client or of a guarded write.

        Raises:
            Exception: it is none of these.
        """
        match error:
            case ToolError():
                return error.problem
            case api.ProductiveError():
                return self._of_productive(error)
            case GatewayError():
                return _of_gateway(error)
            case _:
                raise error

    def _of_productive(self, error: api.ProductiveError) -> Problem:
        match error:
            case api.Refused():
                return _refused(error, self.whom_to_ask)
            case api.RateLimited():
                return _limited(error)
            case api.WrongTokenOwner():
                return self._wrong_owner(error)
            case _:
                return Problem(*self._plain(error))

    def _plain(self, error: api.ProductiveError) -> tuple[str, str, str]:
        ask = self.whom_to_ask
        for kind, code, message, fix in _PLAIN:
            if isinstance(error, kind):
                return code, message, fix.format(ask=ask)
        return _UPSTREAM

    def _wrong_owner(self, error: api.WrongTokenOwner) -> Problem:
        if error.write_instead:
            return Problem(
                "wrong_token_owner",
                "Your entry here has the number of your Productive user account instead of the "
                "number of your person.",
                f"Ask {self.whom_to_ask} to set userId to {error.write_instead}, the number in "
                f"the address of your profile (…/people/{error.write_instead}).",
            )
        return Problem(
            "wrong_token_owner",
            "The Productive token that is stored for you belongs to somebody else, so it was not "
            "used.",
            f"Ask {self.whom_to_ask} to store your own token, and to check your userId.",
        )


_UPSTREAM: Final = (
    "upstream_error",
    "Productive is not answering correctly at the moment; nothing was changed.",
    "Try again in a minute.",
)
_PLAIN: Final = (
    (
        api.TokenRejected,
        "token_rejected",
        "Productive refused the token that is stored for you.",
        "Make a new one in Productive (Settings, API integrations) and ask {ask} to store it.",
    ),
    (
        api.WrongOrganization,
        "wrong_organization",
        "The token that is stored for you does not belong to this Productive organization.",
        "Ask {ask} to check the organization and your token.",
    ),
    (
        api.SubscriptionEnded,
        "forbidden",
        "The Productive subscription does not cover this.",
        "Do not repeat it; ask {ask}.",
    ),
    (
        api.Forbidden,
        "forbidden",
        "Productive does not allow this with your rights, or your token is a read-only one.",
        "Do not repeat it. If you can do it in Productive itself, ask {ask} for a better token.",
    ),
    (
        api.NotFound,
        "not_found",
        "There is no such record in Productive, or you cannot see it.",
        "Check the id.",
    ),
    (
        api.FeatureOff,
        "feature_off",
        "This feature is not switched on in your Productive organization.",
        "Do not repeat it; ask {ask} if it is needed.",
    ),
    (
        api.NotSimulated,
        "not_simulated",
        "This server works with a simulator of Productive, which lacks this; Productive has it.",
        "Do not repeat it.",
    ),
    (
        api.Conflict,
        "conflict",
        "It is already in that state in Productive.",
        "Nothing needs to be done; check the present state before you try something else.",
    ),
    (
        api.NotTried,
        "not_tried",
        "It was not sent, because the answer to what was sent before it was lost.",
        "Find out about that first, then do this one.",
    ),
    (
        api.StateUnknown,
        "timeout",
        "Productive's answer was lost; it is unknown whether the change was made.",
        "Check before you try again.",
    ),
)


def _of_gateway(error: GatewayError) -> Problem:
    """Return the problem for a refused confirmation or undo handle, or a ledger that is away."""
    message, _, fix = str(error).partition(". ")
    wait = error.retry_after if isinstance(error, Unavailable) else None
    return Problem(error.reason, f"{message}.", fix or "Do not repeat it.", retry_after_s=wait)


def _refused(error: api.Refused, whom_to_ask: str) -> Problem:
    """Return the problem for values that Productive rejects; all of them are told."""
    problem = error.problems[0]
    said = "; ".join(_said(one) for one in error.problems)
    for about, code, field, words, made in _RULES:
        if (
            error.about in about
            and code in {"", problem.code}
            and field in {"", problem.field}
            and re.search(words, problem.detail, re.IGNORECASE)
        ):
            message = f"{made.message} Productive says: {said}." if said else made.message
            return replace(made, message=message, field=made.field or problem.field or None)
    if problem.code.startswith(("unsupported_", "sort_param", "keyset_")):
        return Problem(
            "upstream_error",
            "Productive did not understand the request of this server; nothing was changed.",
            f"Do not repeat it; tell {whom_to_ask}.",
        )
    if not problem.field:
        return Problem(
            "policy_violation",
            f"Productive rejected it: {said or 'no reason is given'}.",
            "Change what the rule requires, then try once more.",
        )
    return Problem(
        "invalid_value",
        f"Productive rejected it: {said}.",
        "Correct that, then try once more.",
        field=problem.field,
    )


def _said(problem: api.Problem) -> str:
    detail = problem.detail.rstrip(".")
    if not problem.field or problem.field == "base" or problem.field in detail:
        return detail
    return f"{problem.field.replace('_', ' ')} {detail}".strip()


_TIME: Final = frozenset({"time_entries", "timers"})
_ALL: Final = frozenset({"", *_TIME, "timesheets", "tasks", "comments", "todos", "bookings"})


def _rule(
    about: frozenset[str],
    made: tuple[str, str, str],
    *,
    code: str = "",
    field: str = "",
    words: str = "",
) -> tuple[frozenset[str], str, str, str, Problem]:
    return about, code, field, words, Problem(*made)


# What a refusal means depends on what was written: a person who "must have a salary" is another
# fault than one who "cannot track on this service". The wording of the tracking rules is not
# documented; the words here are in the names of the rules (note_mandatory, working_day_limit, …).
_RULES: Final = (
    _rule(
        _ALL,
        (
            "needs_allowance",
            "There is no allowance for this type of absence.",
            "Choose another type, or other days.",
        ),
        code="entitlements_required",
    ),
    _rule(
        _ALL,
        (
            "missing_custom_field",
            "A custom field must be filled in.",
            "Give it in custom_fields, or let the user do it in Productive itself.",
        ),
        code="required_custom_field",
    ),
    _rule(
        frozenset({"tasks"}),
        (
            "not_a_member",
            "The assignee is not a member of the project.",
            "Ask the user for somebody else; or a manager adds the person to the project first.",
        ),
        field="assignee",
        words="member",
    ),
    _rule(
        _TIME,
        (
            "no_cost_rate",
            "The person has no cost rate for that day, so no time can be tracked.",
            "Another service does not help: somebody who manages people has to add a cost rate.",
        ),
        words="salary|cost rate",
    ),
    _rule(
        _TIME,
        (
            "cannot_track",
            "The person cannot track time on this service.",
            "Choose another service of the project.",
        ),
        words="cannot track",
    ),
    _rule(
        _TIME,
        ("day_submitted", "This day is submitted.", "It has to be taken back in Productive first."),
        words="submitted",
    ),
    _rule(
        _TIME,
        (
            "period_locked",
            "This day or entry is closed for changes.",
            "Do not repeat it; somebody who does the accounts can reopen it.",
        ),
        words="locked|invoiced|finali[sz]ed",
    ),
    _rule(
        _TIME,
        (
            "policy_violation",
            "A rule of the company for time entries is not met.",
            "Change what the rule requires, then try once more.",
        ),
        words="mandatory|required|future|overlap|exceed|over budget|limit",
    ),
    _rule(
        _TIME,
        (
            "cannot_track",
            "Time cannot be tracked on this service.",
            "Choose another service of the project.",
        ),
        field="service",
    ),
)


_LONG_WAIT: Final = 60
"""Seconds. A model can wait shorter than that by itself; longer, the user has to know."""
_USED_UP: Final[Mapping[api.Limit, str]] = {
    api.Limit.TOKEN: "Productive's request limit for you is used up for now; nothing was changed.",
    api.Limit.SHARE: "You have used your part of the requests that your company may send to "
    "Productive in half an hour; nothing was changed.",
    api.Limit.ORGANIZATION: "Productive's request limit for your whole company is used up for now; "
    "nothing was changed.",
    api.Limit.SERVER_TIME: "Productive's limit of processing time for your whole company is used "
    "up for now; nothing was changed.",
}


def _limited(error: api.RateLimited) -> Problem:
    seconds = max(1, math.ceil(error.retry_after))
    fix = f"Wait {seconds} seconds, then try again."
    if seconds > _LONG_WAIT:
        minutes = math.ceil(seconds / 60)
        fix = (
            f"Do not try again before {minutes} minutes have passed ({seconds} seconds): tell the "
            "user, and go on then with fewer calls."
        )
    return Problem("rate_limited", _USED_UP[error.limit], fix, retry_after_s=seconds)
