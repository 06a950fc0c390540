"""Errors for the model: what happened, and what to do next.

All tools share one form. Texts from Productive are shortened, and no error contains a token or an
internal address.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from productive_gateway.productive import errors as api


@dataclass(frozen=True, slots=True)
class Candidate:
    """An option that a reference may have meant."""

    id: str
    name: str
    context: str | None = None

    def structured(self) -> dict[str, str]:
        """Return it as JSON, without empty fields."""
        context = {"context": self.context} if self.context else {}
        return {"id": self.id, "name": self.name, **context}


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
    retry_after_s: int | None = None

    def structured(self, request_id: str | None = None) -> dict[str, Any]:
        """Return it as JSON, without empty fields."""
        found: dict[str, Any] = {"code": self.code, "message": self.message, "fix": self.fix}
        if self.field is not None:
            found["field"] = self.field
        if self.candidates:
            found["candidates"] = [candidate.structured() for candidate in self.candidates]
        if self.retry_after_s is not None:
            found["retry_after_s"] = self.retry_after_s
        if request_id is not None:
            found["request_id"] = request_id
        return found

    def text(self) -> str:
        """Return it as Markdown, starting with the message."""
        lines = [f"{self.message} {self.fix}"]
        lines += [
            f"- {one.name} ({one.id})" + (f": {one.context}" if one.context else "")
            for one in self.candidates
        ]
        return "\n".join(lines)


class ToolError(Exception):
    """A tool cannot do what was asked; `extra` is further structured content."""

    def __init__(self, problem: Problem, *, extra: Mapping[str, Any] | None = None) -> None:
        super().__init__(problem.message)
        self.problem = problem
        self.extra = dict(extra or {})


class Explainer:
    """Turns errors of Productive into problems that tell the model what to do."""

    def __init__(self, admin_contact: str | None) -> None:
        self.whom_to_ask: Final = admin_contact or "the administrator of this server"

    def explain(self, error: api.ProductiveError) -> Problem:
        """Return the problem for an error of the API client."""
        match error:
            case api.Refused():
                return _refused(error.problem, self.whom_to_ask)
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
        api.Conflict,
        "conflict",
        "It is already in that state in Productive.",
        "Nothing needs to be done; check the present state before you try something else.",
    ),
    (
        api.StateUnknown,
        "timeout",
        "Productive's answer was lost; it is unknown whether the change was made.",
        "Check before you try again.",
    ),
)


def _refused(problem: api.Problem, whom_to_ask: str) -> Problem:
    said = f' Productive says: "{problem.detail}".' if problem.detail else ""
    match problem.code:
        case "entitlements_required":
            return Problem(
                "needs_allowance",
                f"There is no allowance for this type of absence.{said}",
                "Choose another type, or other days.",
            )
        case code if code.startswith(("unsupported_", "sort_param", "keyset_")):
            return Problem(
                "upstream_error",
                "Productive did not understand the request of this server; nothing was changed.",
                f"Do not repeat it; tell {whom_to_ask}.",
            )
        case "required_custom_field":
            return Problem(
                "missing_custom_field",
                f"A custom field must be filled in: {problem.field or 'not named'}.{said}",
                "Do it in Productive itself.",
            )
        case _ if _cannot_track(problem):
            return Problem(
                "cannot_track",
                f"You cannot track time on this service.{said}",
                "Choose another service of the project.",
                field="service",
            )
        case _ if not problem.field or _RULES.search(problem.detail):
            return Problem(
                "policy_violation",
                f"Productive rejected it.{said}",
                "Change what the rule requires, then try once more.",
                field=problem.field or None,
            )
        case _:
            return Problem(
                "invalid_value",
                f"Productive rejected {problem.field}.{said}",
                "Correct that value, then try once more.",
                field=problem.field,
            )


# The wording of Productive's time tracking rules is not documented; these words are in the names
# of the rules (note_mandatory, restrict_future_tracking, restrict_time_entry_overlap, …).
_RULES: Final = re.compile(
    r"mandatory|required|future|overlap|over budget|limit|locked", re.IGNORECASE
)


def _cannot_track(problem: api.Problem) -> bool:
    return "cannot track" in problem.detail.lower() or problem.field in {"person", "service"}


def _limited(error: api.RateLimited) -> Problem:
    seconds = max(1, math.ceil(error.retry_after))
    scope = "your whole company" if error.whole_company else "you"
    return Problem(
        "rate_limited",
        f"Productive's request limit for {scope} is used up for now; nothing was changed.",
        f"Wait {seconds} seconds, then try again.",
        retry_after_s=seconds,
    )
