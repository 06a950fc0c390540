"""What a server with generic tools (query, create, update) takes for the same end states.

Each row is the shortest chain of requests by which somebody who knows the API, but no ids, gets
there; a generic tool passes each through, and its answer is what Productive answers. A real one
adds what its model has to ask to learn fields and filters; one that shortens answers needs less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.tools.measured import Work
from benchmarks.tools.tokens import compact
from benchmarks.workflows.time_rows import DESIGN, MANAGEMENT, WEEK
from benchmarks.workflows.workflow import MONDAY, Workflow

from harness.simulation import document, link, simulation


@dataclass(frozen=True, slots=True)
class Ask:
    """One request."""

    path: str
    """With its query."""
    body: Any = None
    method: str = "GET"


def _entry(day: str, service: str, minutes: int, note: str) -> Ask:
    body = document(
        "time_entries",
        {"date": day, "time": minutes, "note": note},
        person=link("people", "9104"),
        service=link("services", service),
    )
    return Ask("time_entries", body, "POST")


def _patch(kind: str, number: str, attributes: Any = None, **links: Any) -> Ask:
    return Ask(f"{kind}/{number}", document(kind, attributes, number, **links), "PATCH")


_ME = Ask("organization_memberships?include=person,organization")
_PROJECT = Ask("projects?filter[query]=Website relaunch")
_SERVICES = Ask(
    "services?filter[project_id]=30201&filter[time_tracking_enabled]=true&filter[budget_status]=1"
)
_LAST_WEEK = Ask(
    "time_entries?filter[person_id]=9104&filter[after]=2026-11-16&filter[before]=2026-11-22"
    "&include=service"
)
_HOLIDAYS = Ask("holidays?filter[after]=2026-11-16&filter[before]=2026-11-22")
_ABSENCES = Ask(
    "bookings?filter[person_id]=9104&filter[after]=2026-11-16&filter[before]=2026-11-22"
    "&include=event,service"
)
_TASK = Ask("tasks?filter[query]=Homepage wireframes")
_WORKFLOW = Ask("tasks/20510087?include=project.workflow")
_STATUSES = Ask("workflow_statuses?filter[workflow_id]=610")


def _status(number: str) -> Ask:
    return _patch("tasks", "20510087", workflow_status=link("workflow_statuses", number))


def _comment(body: str) -> Ask:
    made = document("comments", {"body": body}, task=link("tasks", "20510087"))
    return Ask("comments", made, "POST")


CHAINS: dict[int, tuple[Ask, ...]] = {
    1: (_ME, _PROJECT, _SERVICES, _entry(MONDAY, DESIGN, 120, "Wireframe review")),
    2: (
        *(_ME, _PROJECT, _SERVICES),
        *(
            _entry(day, service, minutes, "Handover to development")
            for day in WEEK
            for service, minutes in ((DESIGN, 60), (MANAGEMENT, 30))
        ),
    ),
    3: (_ME, _LAST_WEEK, _HOLIDAYS, _ABSENCES),
    4: (
        *(_ME, _LAST_WEEK, _HOLIDAYS, _ABSENCES, _PROJECT, _SERVICES),
        _entry("2026-11-16", DESIGN, 315, "Sprint work"),
        _entry("2026-11-17", DESIGN, 375, "Sprint work"),
        _entry("2026-11-19", DESIGN, 240, "Sprint work"),
        _entry("2026-11-20", DESIGN, 75, "Sprint work"),
    ),
    5: (
        *(_ME, _PROJECT, _SERVICES),
        Ask(
            "timers?include=time_entry",
            document("timers", service=link("services", DESIGN), person=link("people", "9104")),
            "POST",
        ),
        _patch("time_entries", "163000952", {"note": "Icons"}),
        Ask("timers/14335002/stop", None, "PATCH"),
    ),
    6: (
        _ME,
        Ask(
            "tasks?filter[assignee_id]=9104&filter[status]=1&filter[due_date_after]=2026-11-23"
            "&filter[due_date_before]=2026-11-29&include=project,workflow_status"
        ),
    ),
    7: (
        Ask("projects?filter[query]=Website care"),
        Ask("task_lists?filter[project_id]=30202"),
        Ask("people?filter[query]=Luka Babić"),
        Ask(
            "tasks",
            document(
                "tasks",
                {"title": "Check the contact form", "due_date": "2026-11-27"},
                project=link("projects", "30202"),
                task_list=link("task_lists", "52021"),
                assignee=link("people", "9106"),
            ),
            "POST",
        ),
    ),
    8: (_TASK, _WORKFLOW, _STATUSES, _status("6103")),
    9: (_TASK, _WORKFLOW, _STATUSES, _status("6104"), _comment("All three variants are final.")),
    10: (_TASK, _comment("Please check the margins.")),
    11: (
        _TASK,
        Ask("tasks/20510087?include=assignee,project,workflow_status,task_list"),
        Ask("comments?filter[task_id]=20510087&include=creator"),
        Ask("todos?filter[task_id]=20510087"),
        Ask("tasks?filter[parent_task_id]=20510087"),
        Ask("task_dependencies?filter[task_id]=20510087&include=dependent_task"),
    ),
    17: (
        Ask(
            "bookings?filter[after]=2026-11-30&filter[before]=2026-12-13&filter[person_type]=1"
            "&include=person,event"
        ),
    ),
    19: (
        *(_ME, _LAST_WEEK),
        *(
            Ask(
                "timesheets",
                document("timesheets", {"date": day}, person=link("people", "9104")),
                "POST",
            )
            for day in WEEK
        ),
    ),
    22: (
        _PROJECT,
        Ask("tasks?filter[project_id]=30201&filter[status]=1&include=workflow_status"),
        Ask("deals?filter[project_id]=30201&filter[type]=2&filter[status]=1"),
        Ask(
            "time_entries?filter[project_id]=30201&filter[after]=2026-11-16"
            "&filter[before]=2026-11-29&page[size]=200"
        ),
        Ask("activities?filter[project_id]=30201&filter[after]=2026-11-16&include=creator,comment"),
    ),
    23: (
        _ME,
        Ask("projects?filter[person_id]=9104"),
        Ask("activities?filter[after]=2026-11-20&include=creator,comment"),
    ),
    24: (
        Ask("search/quick?filter[query]=wireframes&filter[type]=task,project,person,company,page"),
    ),
    25: (
        _ME,
        Ask(
            "time_entries?filter[person_id]=9104&filter[after]=2026-11-20"
            "&filter[before]=2026-11-20&include=service,task"
        ),
        _patch("time_entries", "163000412", {"time": 240}),
    ),
    27: (
        _TASK,
        Ask("custom_fields?filter[customizable_type]=Tasks"),
        Ask("custom_field_options?filter[custom_field_id]=3311"),
        _patch(
            "tasks",
            "20510087",
            {"custom_fields": {"3311": "48122", "3312": ["48131"], "3313": 5, "3315": "9103"}},
        ),
    ),
}


async def measure(workflow: Workflow) -> Work:
    """Send the chain of a workflow to a new simulator."""
    work, said = Work(), []
    async with simulation() as person:
        for ask in CHAINS[workflow.row]:
            body = None if ask.body is None else {"data": ask.body}
            answer = await person.send(ask.method, ask.path, body)
            # The original writes letters as they are; the simulator's JSON escapes some.
            text = compact(answer.json()) if answer.content else ""
            said.append(text)
            work.add(ask.method, [ask.path, body], text)
            if answer.is_error:
                work.wrong = f"{ask.method} {ask.path}: {answer.status_code}"
        work.requests = work.depth = work.calls
        work.judge(workflow, person.world, "\n".join(said))
    return work
