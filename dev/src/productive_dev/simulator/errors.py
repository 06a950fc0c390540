"""Errors in the shapes that were recorded from the original, and the ones its guides describe."""

from __future__ import annotations

from typing import Any


class Problem(Exception):
    """An answer other than success; `body()` is what the client gets."""

    def __init__(
        self,
        http_status: int,
        code: str | None,
        title: str,
        detail: str,
        *,
        source: dict[str, str] | None = None,
        status: str | int | None = None,
        extra: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Keep the parts; `status` is the body's, which is not always the HTTP status."""
        super().__init__(detail)
        self.http_status = http_status
        self.code = code
        self.title = title
        self.detail = detail
        self.source = source or {}
        self.status = str(http_status) if status is None else status
        self.extra = extra or {}
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """Return the JSON:API error document."""
        error: dict[str, Any] = {"status": self.status}
        if self.code is not None:
            error["code"] = self.code
        error |= {"title": self.title, "detail": self.detail}
        if self.code is not None:
            error |= {"meta": {}, "source": self.source}
        return {"errors": [error | self.extra]}


def unauthenticated() -> Problem:
    """Recorded: missing, unknown or revoked token."""
    return Problem(401, "invalid_auth_token", "Unauthenticated", "You are not authenticated")


def no_person() -> Problem:
    """Recorded: the token is good, but for other organizations."""
    detail = (
        "User provided with X-Auth-Token header does not have a person associated in the "
        "organization provided with X-Organization-Id header"
    )
    return Problem(403, "no_person", "Access Denied", detail)


def no_organization() -> Problem:
    """Return the answer to a missing header or an unknown organization; the words are inferred."""
    detail = "Organization provided with X-Organization-Id header could not be found"
    return Problem(403, "no_organization_id", "Access Denied", detail)


def access_denied() -> Problem:
    """Return the answer to what the person or the token may not do; the words are inferred."""
    detail = "You do not have permission to perform this action"
    return Problem(403, "access_denied", "Access Denied", detail)


def record_not_found() -> Problem:
    """Recorded."""
    detail = "The requested record was not found"
    return Problem(404, "record_not_found", "Record Not Found", detail)


def route_not_found() -> Problem:
    """Return the answer to an unknown route; the code is recorded, the words are inferred."""
    detail = "The requested route was not found"
    return Problem(404, "route_not_found", "Route Not Found", detail)


def unsupported_content_type() -> Problem:
    """Return the answer to a write of another content type; the words are inferred."""
    detail = "Content-Type must be application/vnd.api+json"
    return Problem(415, "unsupported_content_type", "Unsupported Content Type", detail)


def bad_query(code: str, title: str, detail: str, parameter: str) -> Problem:
    """Recorded for `sort`, with the wrong `status` in the body; the others follow its shape."""
    source = {"parameter": parameter}
    return Problem(400, code, title, detail, source=source, status="unprocessable_content")


def invalid(attribute: str, detail: str) -> Problem:
    """Recorded: a value that is refused. The pointer has no leading slash."""
    source = {"pointer": f"data/attributes/{attribute}"}
    return Problem(422, "invalid_attribute_value", "Invalid Attribute Value", detail, source=source)


def malformed_body() -> Problem:
    """Return the answer to a body that is no JSON:API document; inferred."""
    detail = "The request body is not a valid JSON:API document"
    return Problem(400, "invalid_request_body", "Invalid Request Body", detail)


def too_many_requests(limit: int, period: int, reset: int) -> Problem:
    """The guide's shape: a numeric status, `limit` and `period` beside the title, no code."""
    return Problem(
        429,
        None,
        "Too many requests",
        "Rate limit reached. Try again later",
        status=429,
        extra={"limit": limit, "period": period},
        headers={"X-RateLimit-Reset": str(reset)},
    )


def not_simulated(what: str) -> Problem:
    """Say openly what the original has and the simulator lacks, instead of ignoring it."""
    detail = f"{what} exists in Productive's API, but this simulator does not have it"
    return Problem(501, "not_simulated", "Not Simulated", detail)
