from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.productive.rails_zones import RAILS_ZONES
from productive_gateway.productive.zones import zone_of


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Europe/Zagreb", "Europe/Zagreb"),
        ("europe/zagreb", "Europe/Zagreb"),
        ("Zagreb", "Europe/Zagreb"),
        ("New York", "America/New_York"),
        ("New_York", "America/New_York"),
        ("UTC", "UTC"),
        ("Eastern Time (US & Canada)", "America/New_York"),
        (" eastern time (us & canada) ", "America/New_York"),
        ("(GMT-05:00) Eastern Time (US & Canada)", "America/New_York"),
        ("(GMT+01:00) Zagreb", "Europe/Zagreb"),
        ("Bern", "Europe/Zurich"),
        ("Nuku'alofa", "Pacific/Tongatapu"),
    ],
)
def test_zone_is_found_by_iana_name_rails_name_or_city(name: str, key: str) -> None:
    zone = zone_of(name)
    assert zone is not None
    assert zone.key == key


@pytest.mark.parametrize(
    "name",
    ["Nowhere", "", " ", None, "../../etc/passwd", "Europe", "GMT+1/", "(GMT+01:00)", "Factory"],
)
def test_unknown_zone_is_none_and_not_utc(name: str | None) -> None:
    assert zone_of(name) is None


def test_each_rails_name_has_a_zone() -> None:
    assert len(RAILS_ZONES) == 154
    assert [name for name in RAILS_ZONES if zone_of(name) is None] == []


@given(st.sampled_from(sorted(available_timezones() - {"Factory", "localtime"})))
def test_each_iana_name_is_its_own_zone(name: str) -> None:
    zone = zone_of(name)
    assert zone is not None
    assert zone.key.casefold() == name.casefold()


@given(st.text(max_size=40))
def test_any_text_is_a_usable_zone_or_none(name: str) -> None:
    zone = zone_of(name)
    if zone is not None:
        offset = datetime(2026, 11, 23, tzinfo=UTC).astimezone(zone).utcoffset()
        assert offset is not None
        assert abs(offset) <= timedelta(hours=15)
