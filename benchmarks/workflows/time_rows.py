"""Workflows of tracked time."""

from __future__ import annotations

from benchmarks.workflows.workflow import (
    ANA,
    MONDAY,
    Answers,
    Arguments,
    Step,
    Workflow,
    entries,
    minutes,
)

from productive_dev.simulator.world import World

DESIGN, MANAGEMENT = "16880011", "16880015"
WEEK = ("2026-11-16", "2026-11-17", "2026-11-19", "2026-11-20")
"""Last week without the holiday."""
TRACKED = {"2026-11-16": 165, "2026-11-17": 105, "2026-11-19": 240}
"""Minutes of last week's days on which the week before has something to suggest."""
FULL_DAY = 8 * 60
LAST_FRIDAY = "2026-11-20"


def _logged(world: World) -> bool:
    found = entries(world, "Wireframe review")
    return len(found) == 1 and minutes(found, DESIGN) == {MONDAY: 120}


def _week_logged(world: World) -> bool:
    found = entries(world, "Handover to development")
    return (
        len(found) == 2 * len(WEEK)
        and minutes(found, DESIGN) == dict.fromkeys(WEEK, 60)
        and minutes(found, MANAGEMENT) == dict.fromkeys(WEEK, 30)
    )


def _filled(world: World) -> bool:
    found = world.state.pointing("time_entries", "person", ANA)
    tracked = dict.fromkeys(TRACKED, 0)
    for one in found:
        if (day := one.attributes["date"]) in tracked:
            tracked[day] += one.attributes["time"]
    return all(TRACKED[day] < total <= FULL_DAY for day, total in tracked.items())


def _timed(world: World) -> bool:
    timers = [one for one in world.state.all("timers") if one.attributes["person_id"] == 9104]
    stopped = len(timers) == 1 and timers[0].attributes["stopped_at"] is not None
    return stopped and len(entries(world, "Icons")) == 1


def _submitted(world: World) -> bool:
    sheets = world.state.pointing("timesheets", "person", ANA)
    days = {one.attributes["date"] for one in sheets}
    found = world.state.pointing("time_entries", "person", ANA)
    return days >= {one.attributes["date"] for one in found} & set(WEEK)


def _corrected(world: World) -> bool:
    found = world.state.get("time_entries", "163000412")
    return found is not None and found.attributes["time"] == 240


def _suggested(answers: Answers) -> Arguments:
    return {"entries": answers[-1]["suggestions"]}


def _confirmed(answers: Answers) -> Arguments:
    return {"period": "last_week", "confirm": answers[-1]["error"]["confirm"]}


def _the_wireframes(answers: Answers) -> Arguments:
    found = [one for one in answers[-1]["entries"] if "Wireframes" in one.get("note", "")]
    return {"entry": found[0]["id"], "hours": 4}


ROWS = (
    Workflow(
        1,
        "log 2 h on a project",
        "Log 2 hours of design on Website relaunch for today, note: Wireframe review.",
        (
            Step(
                "log_time",
                {
                    "entries": [
                        {
                            "project": "Website relaunch",
                            "service": "design",
                            "hours": 2,
                            "note": "Wireframe review",
                        }
                    ]
                },
            ),
        ),
        _logged,
    ),
    Workflow(
        2,
        "log a week",
        "For 2026-11-16, 2026-11-17, 2026-11-19 and 2026-11-20, log 1 hour of design and half an "
        "hour of project management each day on Website relaunch, note: Handover to development.",
        (
            Step(
                "log_time",
                {
                    "entries": [
                        {
                            "project": "Website relaunch",
                            "service": service,
                            "hours": hours,
                            "date": day,
                            "note": "Handover to development",
                        }
                        for day in WEEK
                        for service, hours in (("design", 1), ("project management", 0.5))
                    ]
                },
            ),
        ),
        _week_logged,
    ),
    Workflow(
        3,
        "last week against capacity",
        "How many hours did I track last week, day by day, against my working hours?",
        (Step("get_timesheet", {"period": "last_week"}),),
        facts=("Remembrance Day",),
    ),
    Workflow(
        4,
        "fill missing hours",
        "Look at the gaps of last week, and log what you would suggest for them.",
        (Step("get_timesheet", {"period": "last_week"}), Step("log_time", _suggested)),
        _filled,
    ),
    Workflow(
        5,
        "start and stop a timer",
        "Start a timer for design on Website relaunch, note: Icons. Then stop it again.",
        (
            Step(
                "start_timer",
                {"project": "Website relaunch", "service": "design", "note": "Icons"},
            ),
            Step("stop_timer", {}),
        ),
        _timed,
    ),
    Workflow(
        19,
        "submit my timesheet",
        "Submit my timesheet of last week; yes, I am sure.",
        (
            Step("submit_timesheet", {"period": "last_week"}),
            Step("submit_timesheet", _confirmed),
        ),
        _submitted,
    ),
    Workflow(
        25,
        "correct an entry",
        "My wireframes entry of 2026-11-20 should be 4 hours.",
        (
            Step("list_time", {"period": LAST_FRIDAY}),
            Step("update_time_entry", _the_wireframes),
        ),
        _corrected,
    ),
)
