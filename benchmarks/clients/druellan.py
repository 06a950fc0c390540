"""Flows of druellan/Productive-Simple-MCP.

Letters are the marks of sources in docs/simulator.md.
"""

from __future__ import annotations

from benchmarks.clients.flows import Client, Flow
from benchmarks.clients.sources import DRUELLAN

CLIENT = Client(
    DRUELLAN,
    (
        Flow("list_projects"),
        Flow("list_folders", {"project_id": 30201, "status": 1}),
        Flow("get_folder", {"folder_id": 41001}),
        Flow("list_workflow_statuses", {"workflow_id": 610}),
        Flow("list_workflow_statuses", {"category_id": 3}),
        Flow(
            "list_time_entries", {"after": "2026-11-16", "before": "2026-11-20", "person_id": 9103}
        ),
        Flow("list_time_entries", {"date": "2026-11-20", "project_id": 30201}),
        Flow("list_tasks"),
        Flow("list_tasks", {"project_id": 30201, "user_id": 9104}),
        Flow("get_task", {"task_id": 20510087}),
        Flow("list_comments", {"task_id": 20510087}),
        Flow("list_comments", {"project_id": 30201}),
        Flow("list_todos", {"task_id": 20510087}),
        Flow("get_todo", {"todo_id": 77120}),
        Flow("list_recent_activity", {"hours": 200, "project_id": 30201}),
        Flow(
            "list_recent_activity",
            {
                "hours": 200,
                "user_id": 9103,
                "activity_type": 1,
                "item_type": "Task",
                "event_type": "create",
                "task_id": 20510087,
            },
        ),
        Flow("get_task_history", {"task_id": 20510087}),
        Flow("list_pages", {"project_id": 30201}),
        Flow("list_pages", {"extra_filters": {"filter[root_page_id][eq]": "81001"}}),
        Flow("get_page", {"page_id": 81001}),
        Flow("list_attachments"),
        Flow("list_people"),
        Flow("get_person", {"person_id": 9104}),
        Flow("quick_search", {"query": "wireframes"}),
        Flow(
            "create_task",
            {
                "title": "T",
                "project_id": 30201,
                "board_id": 41001,
                "task_list_id": 52010,
                "assignee_id": 9104,
                "due_date": "2026-12-01",
                "description": "d",
            },
        ),
        Flow("update_task", {"task_id": 20510087, "title": "N", "status": "closed"}),
        Flow("update_task", {"task_id": 20510087, "title": "N", "assignee_id": 9105}),
        Flow("delete_task", {"task_id": 20510094}),
        Flow("create_comment", {"task_id": 20510087, "body": "hi"}),
        Flow("update_comment", {"comment_id": 880011, "body": "x"}),
        Flow("delete_comment", {"comment_id": 880011}),
        Flow(
            "create_time_entry",
            {
                "date": "2026-11-23",
                "time": 60,
                "person_id": 9103,
                "service_id": 16880015,
                "note": "x",
            },
        ),
        Flow("update_time_entry", {"time_entry_id": 163000901, "time": 30}),
        Flow("delete_time_entry", {"time_entry_id": 163000901}),
        Flow(
            "create_page",
            {"title": "P", "project_id": 30201, "content": "<p>x</p>"},
            "not simulated: HTML bodies of pages",
        ),
        Flow("create_page", {"title": "P", "project_id": 30201}),
        Flow("update_page", {"page_id": 81002, "title": "x"}),
        Flow(
            "append_page_content",
            {"page_id": 81002, "html": "<p>x</p>"},
            "not simulated: HTML bodies of pages",
        ),
        Flow("delete_page", {"page_id": 81003}),
        Flow(
            "create_todo",
            {"task_id": 20510087, "content": "t"},
            "V: a todo has a description; the client calls it content",
        ),
        Flow("update_todo", {"todo_id": 77120, "content": "y"}),
        Flow("delete_todo", {"todo_id": 77121}),
    ),
)
