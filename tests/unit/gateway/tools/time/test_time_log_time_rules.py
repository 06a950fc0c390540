"""What log_time refuses before it writes, and what it only warns of."""

from __future__ import annotations

from typing import Any

import pytest

from harness.mcpkit import SimulatedTools, person, principal, simulated_tools
from harness.timetools import DESIGN, LUKA, MANAGER, checked, codes, count, stored, written
from productive_gateway.people.scopes import READ

NEWCOMER = principal(person("simulator-tomislav-kralj", user_id=9112))


def rule(tools: SimulatedTools, **rules: Any) -> None:
    """Set rules of the policy that everybody has."""
    policy = tools.world.state.get("time_tracking_policies", "501")
    assert policy is not None
    policy.attributes.update(rules)  # type: ignore[attr-defined]


async def test_existing_entry_is_not_written_again_unless_allowed() -> None:
    async with simulated_tools() as tools:
        first = await tools.log(DESIGN)
        again = await tools.log(DESIGN)
        assert not again.is_error
        (result,) = checked(again)["results"]
        assert "ok" not in result
        assert result["duplicate_of"]["id"] == first.structured["results"][0]["entry"]["id"]
        assert "allow_duplicate" in again.text
        assert len(written(tools)) == 1
        wanted = await tools.log({**DESIGN, "allow_duplicate": True})
        assert checked(wanted)["results"][0]["ok"]
        assert wanted.structured["day_totals"][0]["tracked"] == 4.0
        assert len(written(tools)) == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"start": "09:00", "end": "10:00"}, {"start": "14:00", "end": "15:00"}),
        ({"hours": 1, "note": "Layout"}, {"hours": 1, "note": "Colours"}),
        ({"hours": 1}, {"hours": 1, "date": "yesterday"}),
        ({"hours": 1}, {"hours": 1, "task": "#88"}),
    ],
)
async def test_entries_that_differ_in_anything_are_both_written(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    where = {"project": "relaunch", "service": "design"}
    async with simulated_tools() as tools:
        answer = await tools.log({**where, **first}, {**where, **second})
        assert [row["ok"] for row in checked(answer)["results"]] == [True, True]
    async with simulated_tools() as tools:
        await tools.log({**where, **first})
        answer = await tools.log({**where, **second})
        assert checked(answer)["results"][0]["ok"]


async def test_entry_that_differs_in_its_note_alone_is_pointed_out() -> None:
    async with simulated_tools() as tools:
        first = await tools.log({**DESIGN, "note": "Layout"})
        number = first.structured["results"][0]["entry"]["id"]
        answer = await tools.log({**DESIGN, "note": "Colours"})
        assert any(number in text for text in checked(answer)["warnings"])


async def test_entry_repeated_in_a_call_is_written_once() -> None:
    async with simulated_tools() as tools:
        before = count(tools)
        answer = await tools.log(DESIGN, DESIGN, {**DESIGN, "note": "other"})
        assert [row.get("ok", False) for row in checked(answer)["results"]] == [True, False, True]
        assert codes(answer)[1] == "conflict"
        assert count(tools) == before + 2


async def test_entry_may_be_repeated_in_a_call_on_purpose() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log(DESIGN, {**DESIGN, "allow_duplicate": True})
        assert [row["ok"] for row in checked(answer)["results"]] == [True, True]


async def test_dry_run_checks_everything_and_writes_nothing() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log(DESIGN, dry_run=True)
        (result,) = checked(answer)["results"]
        assert result["ok"]
        assert "id" not in result["entry"]
        assert answer.structured["dry_run"] is True
        assert answer.structured["day_totals"][0]["tracked"] == 2.0
        assert answer.text.startswith("Would log 2.00 h on Website relaunch / Design")
        assert "nothing was written" in answer.text
        assert written(tools) == []


async def test_day_never_gets_more_than_24_hours() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log(
            {**DESIGN, "hours": 20}, {**DESIGN, "hours": 3}, {**DESIGN, "hours": 2}
        )
        assert [row.get("ok", False) for row in checked(answer)["results"]] == [True, True, False]
        assert codes(answer)[2] == "invalid_value"
        assert len(written(tools)[0]["data"]) == 2


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("several", [True, False])
@pytest.mark.parametrize(
    ("entry", "code", "field"),
    [
        ({"date": "2026-11-10"}, "day_submitted", "date"),
        ({"date": "2026-09-30"}, "period_locked", "date"),
        ({"date": "2023-02-01"}, "period_locked", "date"),
        ({"date": "tomorrow"}, "policy_violation", "date"),
        ({"project": "Rebrand (30207)", "service": "Workshops"}, "policy_violation", "hours"),
    ],
)
async def test_what_productive_would_refuse_is_refused_before(
    entry: dict[str, Any], code: str, field: str, *, several: bool, dry_run: bool
) -> None:
    async with simulated_tools() as tools:
        before = count(tools)
        entries = [{**DESIGN, **entry}, {**DESIGN, "hours": 1}]
        answer = await tools.log(*entries[: 2 if several else 1], dry_run=dry_run)
        assert codes(answer)[0] == code
        error = checked(answer)["results"][0]["error"]
        assert error["field"].startswith("entries[0]")
        assert count(tools) == before + (several and not dry_run)
        if several or dry_run:
            assert error["field"] == f"entries[0].{field}"


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    ("rules", "entry", "field"),
    [
        ({"note_mandatory": True}, {}, "note"),
        ({"task_mandatory": True}, {}, "task"),
        ({"time_range_mandatory": True}, {}, "start"),
        ({"working_day_limit": 60}, {}, "hours"),
        ({"non_working_day_limit": 60}, {"date": "sunday"}, "hours"),
        ({"holiday_limit": 0}, {"date": "2026-11-18"}, "hours"),
        ({"restrict_tracking_over_budget": True}, {"hours": 24}, "hours"),
    ],
)
async def test_rule_of_the_company_is_applied_before_writing(
    rules: dict[str, Any], entry: dict[str, Any], field: str, *, dry_run: bool
) -> None:
    async with simulated_tools() as tools:
        rule(tools, **rules)
        if entry.get("hours"):
            service = tools.world.state.get("services", "16880011")
            assert service is not None
            service.attributes["budgeted_time"] = 60  # type: ignore[index]
        other = {"service": "16880051", "hours": 0.5, "note": "x", "task": None}
        answer = await tools.log({**DESIGN, **entry}, other, dry_run=dry_run)
        error = checked(answer)["results"][0]["error"]
        assert (error["code"], error["field"]) == ("policy_violation", f"entries[0].{field}")


async def test_overlap_is_refused_if_the_company_does_not_want_it() -> None:
    async with simulated_tools() as tools:
        rule(tools, restrict_time_entry_overlap=True)
        where = {"project": "relaunch", "service": "design"}
        answer = await tools.log(
            {**where, "start": "09:00", "end": "10:00"},
            {**where, "start": "09:30", "end": "10:30"},
            {**where, "start": "10:00", "end": "11:00"},
        )
        assert codes(answer) == ["", "policy_violation", ""]
        checked(answer)


async def test_own_policy_of_a_person_is_reported_per_entry() -> None:
    async with simulated_tools() as tools:
        answer = await tools.call(
            "log_time",
            LUKA,
            entries=[
                {"project": "relaunch", "service": "design", "hours": 1},
                {"task": "#89", "service": "design", "hours": 1, "note": "Text"},
                {"task": "#89", "service": "design", "hours": 9, "note": "Long"},
            ],
        )
        assert [row.get("ok", False) for row in checked(answer)["results"]] == [False, True, False]
        assert codes(answer) == ["policy_violation", "", "policy_violation"]
        assert answer.structured["results"][0]["error"]["field"] == "entries[0].note"


async def test_missing_cost_rate_is_no_question_of_the_service() -> None:
    async with simulated_tools() as tools:
        answer = await tools.call("log_time", NEWCOMER, entries=[DESIGN])
        assert checked(answer)["error"]["code"] == "no_cost_rate"
        assert "Choose another service" not in answer.text


@pytest.mark.parametrize(
    ("entry", "warning"),
    [
        ({"date": "sunday"}, "Sunday 2026-11-22 is not a working day (a weekend)."),
        ({"date": "2026-11-18"}, "Wednesday 2026-11-18 is a holiday (Remembrance Day)."),
        ({"billable_hours": 5}, "The billable hours (5.00) are more than the hours worked (2.00)."),
        (
            {"project": "mobile app", "service": "design"},
            "Design of Mobile app MVP is over its budgeted time, by",
        ),
        ({"task": "20510088", "project": None}, "The task Design tokens (20510088) is closed."),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
async def test_what_productive_takes_but_people_want_to_know_is_a_warning(
    entry: dict[str, Any], warning: str, *, dry_run: bool
) -> None:
    async with simulated_tools() as tools:
        closed = tools.world.state.get("tasks", "20510088")
        assert closed is not None
        closed.attributes["closed"] = True  # type: ignore[index]
        answer = await tools.log({**DESIGN, **entry}, dry_run=dry_run)
        assert checked(answer)["results"][0]["ok"]
        (told,) = answer.structured["warnings"]
        assert warning in told


@pytest.mark.parametrize(
    ("day", "warning"),
    [
        ("2026-12-07", "There is an absence on Monday 2026-12-07: Vacation, 8.00 h."),
        ("2026-12-25", "Friday 2026-12-25 is a holiday (Christmas Day)."),
        ("2026-12-25", "Friday 2026-12-25 is in the future."),
        ("2027-12-31", "Friday 2027-12-31 is in the future."),
        ("2027-12-31", "The budget Relaunch phase 2 ended on 2027-01-02."),
    ],
)
async def test_future_days_are_warned_of_where_the_company_allows_them(
    day: str, warning: str
) -> None:
    async with simulated_tools() as tools:
        rule(tools, restrict_future_tracking=False)
        answer = await tools.log({**DESIGN, "date": day})
        assert checked(answer)["results"][0]["ok"]
        assert warning in answer.structured["warnings"]


async def test_old_day_is_warned_of() -> None:
    async with simulated_tools() as tools:
        organization = tools.world.state.get("organizations", "1200")
        assert organization is not None
        organization.attributes["financial_month_locking_date"] = None  # type: ignore[index]
        answer = await tools.log({**DESIGN, "date": "2025-11-21"})
        assert checked(answer)["results"][0]["ok"]
        assert "Friday 2025-11-21 is more than three months ago." in answer.structured["warnings"]


async def test_day_totals_count_holidays_and_absences() -> None:
    async with simulated_tools() as tools:
        rule(tools, restrict_future_tracking=False)
        days = ("2026-11-18", "2026-12-07", "2026-12-10")
        answer = await tools.log(*({**DESIGN, "date": day} for day in days))
        capacities = {row["date"]: row["capacity"] for row in checked(answer)["day_totals"]}
        assert capacities == {"2026-11-18": 0, "2026-12-07": 0, "2026-12-10": 8.0}


async def test_time_of_somebody_else_is_confirmed_first() -> None:
    async with simulated_tools() as tools:
        before = count(tools)
        arguments: dict[str, Any] = {"entries": [DESIGN], "person": "Luca Moretti"}
        asked = await tools.call("log_time", MANAGER, **arguments)
        assert checked(asked)["error"]["code"] == "needs_confirmation"
        assert "Log 1 time entries for Luca Moretti (9107)" in asked.text
        assert "2026-11-23 2.00 h on Website relaunch / Design" in asked.text
        assert count(tools) == before
        token = asked.structured["error"]["confirm"]
        done = await tools.call("log_time", MANAGER, **arguments, confirm=token)
        entry = checked(done)["results"][0]["entry"]
        assert entry["person"] == {"id": "9107", "name": "Luca Moretti"}
        assert count(tools) == before + 1


async def test_own_name_needs_no_confirmation() -> None:
    async with simulated_tools() as tools:
        for own in ("me", "Ana Kovač", "ana.kovac@northlight.example"):
            answer = await tools.log(
                {**DESIGN, "allow_duplicate": True}, person=own, dry_run=own != "me"
            )
            assert checked(answer)["results"][0]["ok"]


async def test_colleague_without_rights_cannot_log_for_another() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log(DESIGN, person="Luca Moretti", confirm="yes")
        assert answer.is_error
        assert [entry.status for entry in tools.requests("POST")] in ([], [403])


async def test_read_only_sign_in_logs_nothing() -> None:
    async with simulated_tools() as tools:
        answer = await tools.call("log_time", principal(scopes=frozenset({READ})), entries=[DESIGN])
        assert checked(answer)["error"]["code"] == "not_allowed_here"
        assert tools.requests() == []


async def test_unknown_zone_is_said_wherever_it_matters() -> None:
    async with simulated_tools() as tools:
        for kind, number in (("users", "5104"), ("organizations", "1200")):
            record = tools.world.state.get(kind, number)
            assert record is not None
            record.attributes["time_zone"] = "Atlantis"  # type: ignore[index]
        answer = await tools.log(DESIGN)
        assert any("UTC" in text for text in checked(answer)["warnings"])
        assert stored(tools, answer.structured["results"][0]["entry"]["id"])["time"] == 120


@pytest.mark.parametrize(
    ("token", "number"), [("simulator-luca-moretti", 9107), ("simulator-sofia-marin", 9111)]
)
async def test_today_is_in_the_persons_own_zone_by_either_name(token: str, number: int) -> None:
    async with simulated_tools() as tools:
        tools.time.now -= 6 * 3600
        who = principal(person(token, user_id=number))
        answer = await tools.call("log_time", who, entries=[DESIGN])
        assert checked(answer)["results"][0]["entry"]["date"] == "2026-11-22"
