from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.productive.wire import errors
from productive_gateway.productive.wire.errors import ProductiveError, error_of, problems_of


def body(code: str = "", detail: str = "", pointer: str = "", title: str = "") -> bytes:
    source = {"pointer": pointer} if pointer else {}
    error = {"status": "422", "code": code, "title": title, "detail": detail, "source": source}
    return json.dumps({"errors": [error]}).encode()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "unsupported_filter", errors.Refused),
        (401, "invalid_auth_token", errors.TokenRejected),
        (402, "", errors.SubscriptionEnded),
        (403, "no_person", errors.WrongOrganization),
        (403, "no_organization_id", errors.WrongOrganization),
        (403, "subscription_expired", errors.SubscriptionEnded),
        (403, "access_denied", errors.Forbidden),
        (404, "record_not_found", errors.NotFound),
        (404, "route_not_found", errors.FeatureOff),
        (409, "timer_already_stopped", errors.Conflict),
        (415, "unsupported_content_type", errors.Refused),
        (422, "invalid_attribute_value", errors.Refused),
        (429, "", errors.RateLimited),
        (500, "", errors.Unreachable),
        (302, "", errors.Unreachable),
    ],
)
def test_status_and_code_decide(status: int, code: str, kind: type[ProductiveError]) -> None:
    assert type(error_of(status, body(code), 3)) is kind


def test_status_in_the_body_is_ignored() -> None:
    assert isinstance(error_of(401, body("invalid_attribute_value"), 0), errors.TokenRejected)


def test_pointer_is_reduced_to_the_field() -> None:
    (problem,) = problems_of(body("invalid_attribute_value", "is off", "data/attributes/person"))
    assert (problem.field, problem.detail) == ("person", "is off")


def test_server_time_limit_is_distinguished_from_request_limit() -> None:
    limited = error_of(429, body(title="Server time limit exceeded"), 1800)
    assert isinstance(limited, errors.RateLimited)
    assert limited.limit is errors.Limit.SERVER_TIME
    assert limited.retry_after == 1800


@pytest.mark.parametrize(
    ("period", "limit"),
    [
        (10, errors.Limit.TOKEN),
        (30, errors.Limit.TOKEN),
        (1800, errors.Limit.ORGANIZATION),
        (None, errors.Limit.TOKEN),
        ("long", errors.Limit.TOKEN),
    ],
)
def test_window_of_a_request_limit_says_whom_it_concerns(
    period: object, limit: errors.Limit
) -> None:
    refused = {"errors": [{"title": "Too many requests", "limit": 100, "period": period}]}
    limited = error_of(429, json.dumps(refused).encode(), 7)
    assert isinstance(limited, errors.RateLimited)
    assert limited.limit is limit


def test_detail_is_one_short_line() -> None:
    (problem,) = problems_of(body(detail="a\nb\u0000 " + "x" * 900))
    assert problem.detail.startswith("a b x")
    assert len(problem.detail) <= 200


@given(st.binary(max_size=80))
def test_unreadable_body_causes_no_second_error(raw: bytes) -> None:
    assert isinstance(error_of(422, raw, 0), errors.Refused)
