"""Flows of studiometa/productive-tools.

Letters are the marks of sources in docs/simulator.md.
"""

from __future__ import annotations

from typing import Any

from benchmarks.clients.flows import Client, Flow
from benchmarks.clients.sources import STUDIOMETA

EMPTY = "R: a deletion is answered 204 without a body, which the client reads as JSON"


def _do(resource: str, action: str, why: str | None = None, **given: Any) -> Flow:
    """Return a call of its only tool."""
    return Flow("productive", {"resource": resource, "action": action, **given}, why)


CLIENT = Client(
    STUDIOMETA,
    (
        _do("people", "me"),
        _do("people", "list"),
        _do("people", "get", id="9104"),
        _do("people", "resolve", query="Ana Kovač", type="person"),
        _do("people", "resolve", query="ana.kovac@northlight.example"),
        _do("projects", "list"),
        _do("projects", "list", filter={"status": "1", "project_type": "2"}),
        _do("projects", "list", query="website"),
        _do("projects", "get", id="30201"),
        _do(
            "projects",
            "resolve",
            "R: project numbers are as people write them, without the prefix PRJ",
            query="PRJ-14",
        ),
        _do("projects", "context", id="30201"),
        _do("tasks", "list", filter={"project_id": "30201"}),
        _do(
            "tasks",
            "list",
            filter={"assignee_id": "9104", "status": "1"},
            sort=["-updated_at"],
            include=["project", "assignee", "workflow_status"],
        ),
        _do("tasks", "get", id="20510087"),
        _do("tasks", "context", id="20510087"),
        _do(
            "tasks",
            "create",
            title="T",
            project_id="30201",
            task_list_id="52010",
            due_date="2026-12-01",
            assignee_id="9105",
        ),
        _do("tasks", "update", id="20510087", title="N"),
        _do("tasks", "list", filter={"project_id": "30201", "overdue_status": "2"}),
        _do("time", "list", filter={"after": "2026-11-16", "before": "2026-11-20"}),
        _do("time", "list", filter={"person_id": "me"}),
        _do("time", "get", id="163000901"),
        _do(
            "time",
            "create",
            date="2026-11-23",
            time=60,
            service_id="16880015",
            note="x",
            person_id="9103",
        ),
        _do("time", "update", id="163000901", time=30),
        _do("time", "delete", EMPTY, id="163000901"),
        _do("services", "list", filter={"project_id": "30201"}),
        _do("services", "list", filter={"deal_id": "4287001"}),
        _do("companies", "list", filter={"status": "1"}),
        _do("companies", "get", id="7001"),
        _do("companies", "create", name="New Co"),
        _do("companies", "update", id="7001", name="Blue"),
        _do("comments", "list", filter={"task_id": "20510087"}),
        _do("comments", "get", id="880011"),
        _do("comments", "create", task_id="20510087", body="hello"),
        _do("comments", "update", id="880011", body="y"),
        _do("timers", "list"),
        _do("timers", "start", service_id="16880015"),
        _do("timers", "list", filter={"person_id": "9103"}),
        _do("timers", "stop", id="14335002"),
        _do("deals", "list", filter={"type": "2"}),
        _do("deals", "get", id="4287001"),
        _do("deals", "context", id="4287001"),
        _do(
            "deals",
            "resolve",
            "V: no filter deal_number in the schema or the specification",
            query="D-22",
        ),
        _do(
            "deals",
            "create",
            "V: a deal has a kind, and its client sends one",
            name="New deal",
            company_id="7001",
            date="2026-11-23",
        ),
        _do("deals", "update", id="4287001", name="x"),
        _do("bookings", "list", filter={"after": "2026-11-23", "before": "2026-12-20"}),
        _do("bookings", "get", id="551001"),
        _do(
            "bookings",
            "create",
            "M: bookings take ids as attributes, not as relationships",
            person_id="9103",
            service_id="16880015",
            started_on="2026-12-01",
            ended_on="2026-12-03",
            time=240,
        ),
        _do("bookings", "update", id="551001", note="n"),
        _do("attachments", "list", filter={"task_id": "20510087"}),
        _do("attachments", "get", id="91001"),
        _do("pages", "list", filter={"project_id": "30201"}),
        _do("pages", "get", id="81001"),
        _do("pages", "create", title="P", project_id="30201"),
        _do("pages", "update", id="81002", title="z"),
        _do("pages", "delete", EMPTY, id="81003"),
        _do("discussions", "list", filter={"page_id": "81002"}),
        _do("discussions", "get", id="82001"),
        _do("discussions", "create", page_id="81002", body="d"),
        _do("discussions", "resolve", id="82001"),
        _do("discussions", "reopen", id="82001"),
        _do("activities", "list", filter={"project_id": "30201"}),
        _do("activities", "list", filter={"task_id": "20510087", "event": "create"}),
        _do("custom_fields", "list", filter={"customizable_type": "Tasks"}),
        _do("custom_fields", "get", id="3311"),
        _do("reports", "get", report_type="time_reports", from_="x"),
        _do(
            "reports",
            "get",
            report_type="time_reports",
            filter={"after": "2026-11-02", "before": "2026-11-23"},
            group="person",
        ),
        _do("reports", "get", report_type="budget_reports"),
        _do("summaries", "my_day"),
        _do("summaries", "project_health", project_id="30201"),
        _do("summaries", "team_pulse"),
        _do("workflows", "complete_task", task_id="20510088"),
        _do(
            "workflows",
            "log_day",
            entries=[
                {
                    "project_id": "30201",
                    "service_id": "16880015",
                    "duration_minutes": 30,
                    "note": "z",
                }
            ],
            date="2026-11-23",
        ),
        _do(
            "workflows",
            "weekly_standup",
            "V: time entries have no relation project, and the API refuses other includes",
        ),
    ),
)
