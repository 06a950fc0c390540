"""Flows of productive-time-mcp."""

from __future__ import annotations

from benchmarks.clients.flows import Client, Flow
from benchmarks.clients.sources import TIME_MCP

CLIENT = Client(
    TIME_MCP,
    (
        Flow("get_person", {"query": "Ana Kovač"}),
        Flow("get_person", {"query": "ana.kovac@northlight.example"}),
        Flow("get_time_reports", {"after": "2026-11-02", "before": "2026-11-23"}),
        Flow("get_time_reports", {"person_id": "9104", "period": "month"}),
        Flow("get_time_entries", {"after": "2026-11-02", "before": "2026-11-23"}),
        Flow(
            "get_time_entries",
            {"after": "2026-11-02", "before": "2026-11-23", "project_type_id": "1"},
        ),
        Flow("get_my_hours", {"after": "2026-11-02", "before": "2026-11-23"}),
        Flow(
            "get_employee_hours",
            {"name": "Ana Kovač", "after": "2026-11-02", "before": "2026-11-23"},
        ),
        Flow(
            "get_employee_hours",
            {"name": "Marko Čavić", "after": "2026-11-02", "before": "2026-11-23"},
        ),
        Flow("get_time_entry", {"entry_id": "163000412"}),
        Flow(
            "create_time_entry",
            {
                "date": "2026-11-23",
                "hours": 1.5,
                "service_id": "16880011",
                "note": "note",
                "task_id": "20510087",
            },
        ),
        Flow("update_time_entry", {"entry_id": "163000952", "hours": 2, "note": "x"}),
        Flow("delete_time_entry", {"entry_id": "163000952"}),
    ),
)
