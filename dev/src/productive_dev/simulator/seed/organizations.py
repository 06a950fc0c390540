"""The two organizations; the second one has the settings that weigh down every answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final, NamedTuple

from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.seed.build import build
from productive_dev.simulator.seed.calendar import Calendar

NORTHLIGHT: Final = "1200"
HARBOUR: Final = "1300"


class Organization(NamedTuple):
    """A row of the table of organizations."""

    number: str
    name: str
    currency: str
    time_zone: str
    company: str
    owner: str
    policy: int


ORGANIZATIONS: Final = (
    Organization(NORTHLIGHT, "Northlight Studio", "EUR", "Europe/Zagreb", "7009", "9101", 501),
    Organization(HARBOUR, "Harbour Lab", "GBP", "Europe/London", "7101", "9201", 511),
)


def organizations(calendar: Calendar) -> Iterator[Record]:
    """Yield organizations and their subsidiaries."""
    for row in ORGANIZATIONS:
        yield build(
            "organizations",
            row.number,
            row.number,
            {
                "name": row.name,
                "currency": row.currency,
                "time_zone": row.time_zone,
                "working_hours": [8, 8, 8, 8, 8, 0, 0],
                "time_tracking_policy_id": row.policy,
                "timesheet_submission": row.number == NORTHLIGHT,
                # The books of the month before last are closed.
                "financial_month_locking_date": _month_before_last(calendar),
            },
            {"company": Ref("companies", row.company), "owner": Ref("people", row.owner)},
            facts={"settings": _settings()} if row.number == HARBOUR else {},
        )
        yield build("subsidiaries", f"8{row.number}", row.number, {"name": row.name})


def _month_before_last(calendar: Calendar) -> str:
    last_month = calendar.today.replace(day=1) - timedelta(days=1)
    return (last_month.replace(day=1) - timedelta(days=1)).isoformat()


def _settings() -> dict[str, Any]:
    # Recorded: 15,675 bytes in every answer of one organization, also of writes.
    flags = [f"flagNumber{number:03}" for number in range(250)]
    countries = [f"C{number:02}" for number in range(99)]
    taxes = {country: [f"tax-id-{country.lower()}-{n}" for n in range(5)] for country in countries}
    stamp = "2026-03-01T09:00:00.000+00:00"
    return {
        "settings": {
            name: {"setting_type": name, "value": json.dumps(value), "updated_at": stamp}
            for name, value in (
                ("systemFlags", flags),
                ("taxMandatoryCountries", countries),
                ("taxIdsPerCountry", taxes),
            )
        }
    }
