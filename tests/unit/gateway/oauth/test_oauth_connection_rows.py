"""What a person reads about the time of a connection."""

from __future__ import annotations

import pytest

from productive_gateway.oauth.connections.row import moment_of

NOW = 1_795_000_000.0


@pytest.mark.parametrize(
    ("seconds", "ago"),
    [
        (-30, "just now"),  # by the clock of another replica
        (0, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (3599, "59 minutes ago"),
        (3600, "1 hour ago"),
        (86399, "23 hours ago"),
        (86400, "1 day ago"),
        (6 * 86400 + 5, "6 days ago"),
    ],
)
def test_age_is_told_in_the_largest_unit(seconds: float, ago: str) -> None:
    assert moment_of(NOW - seconds, NOW).ago == ago


def test_time_is_told_in_utc() -> None:
    moment = moment_of(NOW, NOW)
    assert moment.text == "18 November 2026, 11:06 UTC"
    assert moment.machine == "2026-11-18T11:06:40Z"
