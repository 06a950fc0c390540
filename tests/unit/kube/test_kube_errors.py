from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_kube.backoff import MOST_ASKED_SECONDS, MOST_SECONDS, Backoff
from productive_kube.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    QuotaExceeded,
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
        (422, {"reason": "Invalid"}, ApiError),
        (400, {}, ApiError),
    ],
)
def test_each_refusal_has_its_kind(
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
def test_a_wish_to_wait_is_read_and_bounded(
    header: str | None, answer: dict[str, object], seconds: int | None
) -> None:
    assert from_status("get /x", 429, answer, header).retry_after == seconds


@pytest.mark.attack("Q-01")
def test_the_text_of_an_error_does_not_repeat_what_the_server_says() -> None:
    answer = {"reason": "Invalid", "message": "data.token: Invalid value: pk_secret"}
    assert "pk_secret" not in str(from_status("create /x", 422, answer))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_pauses_grow_to_a_bound_and_never_vanish(chances: list[float]) -> None:
    chance = iter(chances)
    backoff = Backoff(lambda: next(chance))
    pauses = [backoff.next() for _ in chances]
    assert all(0.1 <= pause <= MOST_SECONDS for pause in pauses)
    assert all(pause >= MOST_SECONDS / 2 for pause in pauses[5:])


def test_a_server_may_ask_for_longer_but_not_for_ever() -> None:
    backoff = Backoff()
    assert backoff.next(7) == 7
    assert backoff.next(3600) == MOST_ASKED_SECONDS


def test_success_makes_pauses_short_again() -> None:
    backoff = Backoff()
    for _ in range(8):
        backoff.next()
    backoff.reset()
    assert backoff.next() <= 0.2
