"""Error answers in the shapes that were recorded, and in those that the vendor's guides describe.

The parts of an error come in the recorded order: status, code, title, detail, meta, source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One value that is refused."""

    attribute: str
    """The attribute, or the relation's name; errors point at either as an attribute."""
    detail: str
    code: str = "invalid_attribute_value"
    title: str = "Invalid Attribute Value"


@dataclass(frozen=True, slots=True)
class ErrorObject:
    """One member of `errors`."""

    status: str | int
    code: str | None
    title: str
    detail: str | None
    source: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return the object as the client gets it."""
        document: dict[str, Any] = {"status": self.status}
        if self.code is not None:
            document["code"] = self.code
        document["title"] = self.title
        if self.detail is not None:
            document["detail"] = self.detail
        if self.code is not None:
            document |= {"meta": {}, "source": self.source}
        return document | self.extra


class Problem(Exception):
    """An answer other than success."""

    def __init__(
        self,
        http_status: int,
        errors: Sequence[ErrorObject],
        headers: dict[str, str] | None = None,
    ) -> None:
        """Keep the parts; the status in an error's body is not always the HTTP status."""
        super().__init__("; ".join(error.detail or error.title for error in errors))
        self.http_status = http_status
        self.errors = tuple(errors)
        self.headers = headers or {}

    @property
    def code(self) -> str | None:
        """Return the code of the first error."""
        return self.errors[0].code

    def body(self) -> dict[str, Any]:
        """Return the JSON:API error document."""
        return {"errors": [error.plain() for error in self.errors]}


def _single(status: int, code: str, title: str, detail: str | None) -> Problem:
    return Problem(status, [ErrorObject(str(status), code, title, detail)])


def unauthenticated() -> Problem:
    """Recorded: missing, unknown or revoked token."""
    return _single(401, "invalid_auth_token", "Unauthenticated", "You are not authenticated")


def no_person() -> Problem:
    """Recorded: the token is valid, but for other organizations."""
    detail = (
        "User provided with X-Auth-Token header does not have a person associated in the "
        "organization provided with X-Organization-Id header"
    )
    return _single(403, "no_person", "Access Denied", detail)


def no_organization() -> Problem:
    """Return the answer to a missing header or an unknown organization; the words are inferred."""
    detail = "Organization provided with X-Organization-Id header could not be found"
    return _single(403, "no_organization_id", "Access Denied", detail)


def access_denied() -> Problem:
    """Return the answer to what the person or the token may not do; the words are inferred.

    The vendor's code says that a relation to a record that does not exist is answered so as well.
    """
    detail = "You do not have permission to perform this action"
    return _single(403, "access_denied", "Access Denied", detail)


def record_not_found() -> Problem:
    """Recorded."""
    detail = "The requested record was not found"
    return _single(404, "record_not_found", "Record Not Found", detail)


def route_not_found() -> Problem:
    """Return the answer to an unknown route; the code is recorded, the words are inferred."""
    detail = "The requested route was not found"
    return _single(404, "route_not_found", "Route Not Found", detail)


def conflict(code: str) -> Problem:
    """Recorded for `timer_already_stopped`: a conflict has no detail; other codes are inferred."""
    return _single(409, code, "Conflict error", None)


def unsupported_content_type() -> Problem:
    """Return the answer to a write of another content type; the words are inferred."""
    detail = "Content-Type must be application/vnd.api+json"
    return _single(415, "unsupported_content_type", "Unsupported Content Type", detail)


def bad_query(code: str, title: str, detail: str, parameter: str) -> Problem:
    """Recorded for `sort`, with the wrong `status` in the body; the others follow its shape."""
    source = {"parameter": parameter}
    return Problem(400, [ErrorObject("unprocessable_content", code, title, detail, source)])


def invalid(faults: Sequence[Fault]) -> Problem:
    """Recorded: every refused value at once; pointers have no leading slash."""
    return Problem(
        422,
        [
            ErrorObject(
                "422",
                fault.code,
                fault.title,
                fault.detail,
                {"pointer": f"data/attributes/{fault.attribute}"},
            )
            for fault in faults
        ],
    )


def malformed_body() -> Problem:
    """Return the answer to a body that is no JSON:API document; inferred."""
    detail = "The request body is not a valid JSON:API document"
    return _single(400, "invalid_request_body", "Invalid Request Body", detail)


def too_many_requests(limit: int, period: int, reset: int) -> Problem:
    """Return the guide's shape: a numeric status, `limit` and `period` in the error, no code."""
    error = ErrorObject(
        429,
        None,
        "Too many requests",
        "Rate limit reached. Try again later",
        extra={"limit": limit, "period": period},
    )
    return Problem(429, [error], headers={"X-RateLimit-Reset": str(reset)})


def not_simulated(what: str) -> Problem:
    """Return 501 for what the original has and the simulator lacks, instead of ignoring it."""
    detail = f"{what} exists in Productive's API, but this simulator does not have it"
    return _single(501, "not_simulated", "Not Simulated", detail)


def internal_error() -> Problem:
    """Return the answer where the original fails, such as a page's body that is plain text."""
    return _single(500, "internal_server_error", "Internal Server Error", "Something went wrong")
