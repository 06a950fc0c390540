from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_kube.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    QuotaExceeded,
    Refused,
    Unreachable,
    from_status,
)

QUOTA = 'secrets "a" is forbidden: exceeded quota: grants, requested: count/secrets=1, used: …'


@pytest.mark.parametrize(
    ("status", "answer", "kind"),
    [
        (404, {"reason": "NotFound"}, NotFound),
        (404, {}, Unreachable),
        (409, {"reason": "AlreadyExists"}, AlreadyExists),
        (409, {"reason": "Conflict"}, Conflict),
        (403, {"reason": "Forbidden", "message": "no"}, Forbidden),
        (403, {"reason": "Forbidden", "message": QUOTA}, QuotaExceeded),
        (410, {"reason": "Expired"}, Gone),
        (401, {"reason": "Unauthorized"}, Unreachable),
        (429, {"reason": "TooManyRequests"}, Unreachable),
        (500, {}, Unreachable),
        (504, {"reason": "Timeout"}, Unreachable),
        (422, {"reason": "Invalid"}, Refused),
        (400, {}, Refused),
    ],
)
def test_each_status_has_its_error(
    status: int, answer: dict[str, str], kind: type[ApiError]
) -> None:
    error = from_status("get /x", status, answer)
    assert type(error) is kind
    assert (error.status, error.reason) == (status, answer.get("reason", ""))


@pytest.mark.parametrize(
    ("header", "answer", "seconds"),
    [
        ("3", {}, 3),
        (None, {"details": {"retryAfterSeconds": 2}}, 2),
        ("7", {"details": {"retryAfterSeconds": 2}}, 7),
        ("Wed, 21 Oct 2026 07:28:00 GMT", {}, None),
        ("-4", {}, 0),
        ("86400", {}, 60),
        (None, {"details": None}, None),
        (None, {}, None),
    ],
)
def test_retry_after_is_read_and_bounded(
    header: str | None, answer: dict[str, object], seconds: int | None
) -> None:
    assert from_status("get /x", 429, answer, header).retry_after == seconds


@pytest.mark.attack("Q-01")
@pytest.mark.parametrize(
    "answer",
    [
        {"reason": "Invalid", "message": "data.token: Invalid value: pk_secret"},
        {"reason": "pk_secret", "message": "no"},
        {"reason": {"data": "pk_secret"}},
    ],
)
def test_the_text_of_an_error_does_not_repeat_what_the_server_says(
    answer: dict[str, object],
) -> None:
    assert "pk_secret" not in str(from_status("create /x", 422, answer))


@pytest.mark.parametrize(
    ("limited", "limits"),
    [
        ("count/secrets=10", {"count/secrets": 10}),
        ("count/secrets=10k,secrets=500", {"count/secrets": 10_000, "secrets": 500}),
        ("requests.storage=1Gi,count/secrets=7", {"count/secrets": 7}),
        ("", {}),
        ("nonsense", {}),
    ],
)
def test_exceeded_quota_names_its_limits(limited: str, limits: dict[str, int]) -> None:
    message = (
        'secrets "a" is forbidden: exceeded quota: grants, requested: count/secrets=1, '
        f"used: count/secrets=5, limited: {limited}"
    )
    error = from_status("create /x", 403, {"reason": "Forbidden", "message": message})
    assert isinstance(error, QuotaExceeded)
    assert error.limits == limits


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)
FIELDS = st.sampled_from(["reason", "message", "details", "code", "kind"])


@given(st.integers(400, 599), st.dictionaries(FIELDS, JSON))
def test_any_object_can_come_in_place_of_a_status(status: int, answer: dict[str, object]) -> None:
    assert isinstance(from_status("get /x", status, answer), ApiError)
