"""What a soak does when, and what it concludes."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from benchmarks.soak.disturb import CUT, ROLLED, schedule
from benchmarks.soak.report import as_json, markdown
from benchmarks.soak.verdict import (
    API_SERVER,
    Disturbance,
    Outcome,
    Sample,
    Soaked,
    State,
    failures,
    growth,
    judge,
    state_between,
)
from hypothesis import given
from hypothesis import strategies as st


@given(st.floats(30, 7200))
def test_replicas_and_api_server_are_disturbed_twice_and_watches_every_minute(
    seconds: float,
) -> None:
    due = schedule(seconds)
    kinds = Counter(kind for _, kind in due)
    assert (kinds[ROLLED], kinds[API_SERVER]) == (2, 2)
    assert kinds[CUT] in {int(seconds / 60), int(seconds / 60) - 1}
    assert due == sorted(due)
    assert all(0 < at < seconds for at, _ in due)


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        (200, {}, Outcome.SERVED),
        (503, {"Retry-After": "5"}, Outcome.UNAVAILABLE),
        (429, {"Retry-After": "5"}, Outcome.UNAVAILABLE),
        (503, {}, Outcome.BROKEN),
        (500, {}, Outcome.BROKEN),
        (400, {}, Outcome.REFUSED),
        (401, {}, Outcome.REFUSED),
        (403, {}, Outcome.REFUSED),
    ],
)
def test_answers_to_people_with_access(
    status: int, headers: dict[str, str], outcome: Outcome
) -> None:
    assert judge(status, headers) is outcome


def test_bound_follows_the_worst_that_went_on() -> None:
    done = [Disturbance(CUT, 60, 60), Disturbance(API_SERVER, 200, 220)]
    assert state_between(done, 10, 20) is State.HEALTHY
    assert state_between(done, 55, 65) is State.DISTURBED
    assert state_between(done, 65, 66) is State.DISTURBED
    assert state_between(done, 100, 210) is State.AWAY


def test_good_run_has_no_failures() -> None:
    assert failures(good()) == []
    report = markdown(good())
    assert (
        "| taken away, healthy: times, p50, p99, max s (bound) | 1, 0.2, 0.2, 0.2 (5) |" in report
    )
    assert json.loads(json.dumps(as_json(good())))["revocations"] == [["HEALTHY", 0.2]]


def test_each_broken_promise_is_a_failure() -> None:
    found = good()
    found.outcomes[f"call: {Outcome.REFUSED.value}"] = 1
    found.outcomes[f"refresh: {Outcome.BROKEN.value}"] = 2
    found.wrong = ["call: 401"]
    found.revocations += [(State.HEALTHY, 6.0), (State.DISTURBED, 16.0), (State.AWAY, 301.0)]
    found.samples = [sample(0, 210), sample(70, 210), sample(200, 260)]
    found.objects = (100, 101)
    said = "\n".join(failures(found))
    for part in (
        "1 answers to people with access were refused: ['call: 401']",
        "2 answers to people with access were broken",
        "6.0 s, not 5 s",
        "16.0 s, not 15 s",
        "301.0 s, not 300 s",
        "held 260 MB",
        "factor of 1.24",
        "1 objects were left behind",
    ):
        assert part in said


def test_run_in_which_nothing_happened_is_no_good_run() -> None:
    assert failures(Soaked(60)) == ["nobody was served", "nothing was taken away"]


def test_growth_does_not_count_the_first_minute_of_a_process() -> None:
    assert growth([sample(0, 50), sample(59, 100)]) == 1.0
    assert growth([sample(0, 50), sample(61, 100), sample(200, 110)]) == pytest.approx(1.1)
    assert growth([sample(0, 50), sample(61, 100), sample(200, 110, pid=2)]) == 1.0


def good() -> Soaked:
    served = Counter({f"call: {Outcome.SERVED.value}": 10})
    return Soaked(
        seconds=300,
        outcomes=served,
        latencies={"call": [0.01]},
        revocations=[(State.HEALTHY, 0.2)],
        disturbances=[Disturbance(CUT, 60, 60)],
        samples=[sample(0, 100)],
        objects=(10, 9),
    )


def sample(at: float, megabytes: int, *, pid: int = 1) -> Sample:
    return Sample(at, 0, pid, megabytes * 1_000_000, 30)
