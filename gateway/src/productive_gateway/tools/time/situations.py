"""Reads what the rules for time entries depend on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

from productive_gateway.productive.records.time import TimeEntry, Timesheet, TrackingPolicy
from productive_gateway.tools.call import Call
from productive_gateway.tools.tracking.capacity import Tracker, calendar_of, visible
from productive_gateway.tools.tracking.entries import entries_on
from productive_gateway.tools.tracking.rules import Situation, days_of, policy_of

_POLICIES_LIFETIME: Final = 5 * 60


async def situation_of(
    call: Call,
    tracker: Tracker,
    days: Iterable[date],
    *,
    thorough: bool,
    without: str | None = None,
) -> tuple[Situation, tuple[TimeEntry, ...]]:
    """Read the situation of some days, and the entries of those days.

    Args:
        call: the call.
        tracker: whose time it is.
        days: days on which time is to be tracked.
        thorough: also read the rules and the submitted days that Productive checks in any case.
            A single write costs less if Productive is left to refuse it; several are checked
            first, so that not some of them are written and others refused.
        without: id of an entry that does not count, because it is to be changed.
    """
    wanted = sorted(set(days))
    asked = wanted if thorough else []
    entries, calendar, sheets, policy = await asyncio.gather(
        entries_on(call.records, tracker.id, wanted),
        calendar_of(call.records, tracker, wanted),
        submitted_days(call, tracker, asked),
        _policy(call, tracker, asked),
    )
    situation = Situation(
        today=call.today,
        tracker=tracker,
        locks=call.me.time_locks,
        calendar=calendar,
        policy=policy,
        submitted=sheets | {one.date for one in entries if one.submitted and one.date},
        days=days_of(one for one in entries if one.date in wanted and one.id != without),
    )
    return situation, entries


async def submitted_days(call: Call, tracker: Tracker, days: Iterable[date]) -> frozenset[date]:
    """Return which of some days of a person are submitted."""
    asked = [day.isoformat() for day in sorted(set(days))]
    if not asked:
        return frozenset()
    found = await visible(call.records, Timesheet, {"person_id": tracker.id, "date": asked})
    return frozenset(one.date for one in found.rows if one.date is not None)


async def _policy(call: Call, tracker: Tracker, days: Sequence[date]) -> TrackingPolicy | None:
    if tracker.policy_id is None or not days:
        return None
    found = await visible(call.records, TrackingPolicy, {}, lifetime=_POLICIES_LIFETIME)
    return policy_of(found.rows, tracker)
