"""The requests that public clients of Productive send, as scripts.

Each row is what one tool of a client sends, in our own words: method, path with its query, body,
and the status that it must get. Where the source says that the client is wrong, the row says so.
Clients: productive-time-mcp (P), berwickgeek/productive-mcp (B), druellan/Productive-Simple-MCP
(D), studiometa/productive-tools (S).
"""

from __future__ import annotations

from typing import Any

import pytest

from harness.simulation import MANAGER, Simulation, document, link

READ: list[tuple[str, str, int]] = [
    # P: people by full name or address, reports whose ids hold the id of an entry
    ("P", "people?filter[query]=Ana Kovač", 200),
    ("P", "people?filter[query]=ana.kovac@northlight.example", 200),
    (
        "P",
        (
            "reports/time_reports?filter[after]=2026-11-02&filter[before]=2026-11-23"
            "&filter[person_id]=9104"
        ),
        200,
    ),
    (
        "P",
        (
            "reports/time_entry_reports?filter[after]=2026-11-02&filter[before]=2026-11-23"
            "&filter[person_id]=9103&filter[project_type_id]=1"
        ),
        200,
    ),
    ("P", "time_entries/163000412?include=service,task,person", 200),
    # B
    ("B", "projects?filter[status]=1&filter[company_id]=7001&page[size]=30", 200),
    ("B", "folders?filter[project_id]=30201&page[size]=30", 200),
    ("B", "task_lists?filter[board_id]=41001&page[size]=30", 200),
    ("B", "tasks?filter[project_id]=30201&filter[status]=1&page[size]=30", 200),
    ("B", "tasks?filter[parent_task_id]=20510087&page[size]=30", 200),
    ("B", "tasks/20510087?include=project,assignee,workflow_status,task_list", 200),
    ("B", "workflow_statuses?filter[workflow_id]=610&filter[category_id]=2", 200),
    ("B", "activities?filter[task_id]=20510087&page[size]=20", 200),
    ("B", "activities?filter[project_id]=30201&filter[after]=2026-11-16T08:00:00.000Z", 200),
    ("B", "activities?filter[item_type]=Task&filter[event]=create&filter[person_id]=9103", 200),
    ("B", "time_entries?filter[after]=2026-11-16&filter[before]=2026-11-20", 200),
    ("B", "deals?filter[project_id]=30201&include=project", 200),
    ("B", "services?filter[deal_id]=4287001", 200),
    ("B", "services?filter[company_id]=7001", 200),
    ("B", "comments?filter[task_id]=20510087&include=creator,attachments", 200),
    ("B", "comments/880011?include=creator,attachments", 200),
    ("B", "todos?filter[task_id]=20510087&filter[status]=1", 200),
    ("B", "pages?filter[project_id]=30201&sort=-updated_at", 200),
    ("B", "pages/81001?include=creator,project", 200),
    ("B", "people?filter[project_id]=30201", 200),
    ("B", "task_dependencies?filter[task_id]=20510087&filter[type_id]=2", 200),
    # The specification has 1 and 2, no words.
    ("B wrong", "companies?filter[status]=active", 400),
    # Neither is in the vendor's schema or specification.
    ("B wrong", "deals?filter[project_id]=30201&filter[budget_type]=2", 400),
    ("B wrong", "people?filter[is_active]=true", 400),
    # D: operators everywhere, an empty page size, the newest first
    ("D", "projects?sort=-last_activity_at", 200),
    ("D", "tasks?include=workflow_status&page[size]=50&sort=-last_activity_at", 200),
    (
        "D",
        (
            "tasks?filter[project_id][eq]=30201&filter[assignee_id][eq]=9104&page[size]="
            "&include=workflow_status"
        ),
        200,
    ),
    ("D", "tasks?filter[project_id][eq]=30201&filter[task_number][eq]=87", 200),
    ("D", "tasks?filter[status][eq]=1&filter[project_id][eq]=30201", 200),
    ("D", "comments?filter[task_id][eq]=20510087&sort=-created_at&page[size]=50", 200),
    ("D", "comments?filter[project_id][eq]=30201&sort=-created_at", 200),
    ("D", "todos?filter[task_id]=20510087&page[size]=50", 200),
    (
        "D",
        (
            "activities?filter[after]=2026-11-15T09:00:00%2B00:00&page[size]=200"
            "&filter[person_id]=9103&filter[type]=1&filter[task_id]=20510087"
        ),
        200,
    ),
    ("D", "pages?filter[root_page_id][eq]=81001&sort=-updated_at&page[size]=50", 200),
    ("D", "pages?filter[creator_id][eq]=9103&sort=-updated_at", 200),
    ("D", "people?page[size]=50&sort=-last_seen_at", 200),
    (
        "D",
        (
            "search/quick?filter[query]=website&filter[type]=action,project,task,page"
            "&filter[status]=all&filter[deep_search]=true&page=1&per_page=50"
        ),
        200,
    ),
    # S
    ("S", "projects?filter[status]=1&filter[project_type]=2&page[number]=1&page[size]=20", 200),
    ("S", "projects?filter[project_number]=14", 200),
    ("S", "tasks?include=project,project.company&page[size]=20", 200),
    (
        "S",
        "tasks/20510087?include=project,assignee,workflow_status,service,creator,parent_task",
        200,
    ),
    ("S", "tasks?filter[assignee_id]=9103&filter[status]=2&sort=-closed_at&include=project", 200),
    ("S", "tasks?filter[assignee_id]=9105&filter[overdue_status]=2&sort=due_date", 200),
    ("S", "tasks?filter[project_id]=30201&sort=-updated_at", 200),
    ("S", "time_entries?include=service,person,task&sort=-date", 200),
    ("S", "timers?include=time_entry&page[size]=100", 200),
    ("S", "timers?filter[person_id]=9103", 200),
    ("S", "deals/4287001?include=company,deal_status,responsible,project", 200),
    (
        "S",
        "bookings?filter[after]=2026-11-23&filter[before]=2026-12-20&include=person,service",
        200,
    ),
    ("S", "bookings?include=person,event", 200),
    ("S", "custom_fields?filter[customizable_type]=Tasks&include=options", 200),
    ("S", "custom_field_options?filter[id]=48120,48121", 200),
    ("S", "discussions?filter[page_id]=81002&filter[status]=1", 200),
    (
        "S",
        "reports/time_reports?group=person&filter[after]=2026-11-02&filter[before]=2026-11-23",
        200,
    ),
    ("S", "reports/project_reports", 200),
    ("S", "reports/budget_reports?group=deal&include=deal", 200),
    ("S", "activities?filter[project_id]=30201&include=creator", 200),
    # Recorded relations of a time entry and of a task; neither has these.
    ("S wrong", "time_entries?include=project", 400),
    ("S wrong", "tasks?include=comments", 400),
    # The specification sorts deals by it and does not filter by it.
    ("S wrong", "deals?filter[deal_number]=22", 400),
]


@pytest.mark.parametrize(("client", "address", "status"), READ)
async def test_reads_of_foreign_clients(
    sim: Simulation, client: str, address: str, status: int
) -> None:
    answer = await sim.as_(MANAGER).send("GET", address)
    assert answer.status_code == status, (client, answer.text[:300])
    if status == 200 and "filter[query]" not in address:
        assert answer.json()["data"], "the seed has something for this"


TIME = {"date": "2026-11-23", "time": 60}
WRITES: list[tuple[str, str, str, Any, int]] = [
    (
        "P",
        "POST",
        "time_entries",
        document(
            "time_entries",
            {**TIME, "note": "x"},
            person=link("people", "9103"),
            service=link("services", "16880015"),
        ),
        201,
    ),
    ("P", "PATCH", "time_entries/163000901", document("time_entries", {"time": 30}), 200),
    ("P", "DELETE", "time_entries/163000901", None, 204),
    # D sends minutes as a fraction.
    (
        "D",
        "POST",
        "time_entries",
        document(
            "time_entries",
            {"date": "2026-11-23", "time": 60.0},
            person=link("people", "9103"),
            task=link("tasks", "20510087"),
            service=link("services", "16880015"),
        ),
        201,
    ),
    # D links a board, by the type that it had once.
    (
        "D",
        "POST",
        "tasks",
        document(
            "tasks",
            {"title": "T", "due_date": "2026-12-01"},
            project=link("projects", "30201"),
            board=link("boards", "41001"),
            task_list=link("task_lists", "52010"),
            assignee=link("people", "9104"),
        ),
        201,
    ),
    ("D", "PATCH", "tasks/20510087", document("tasks", {"title": "N", "status": 2}), 200),
    (
        "D",
        "POST",
        "comments",
        document("comments", {"body": "x"}, task=link("tasks", "20510087")),
        201,
    ),
    ("D", "PATCH", "comments/880011", document("comments", {"body": "y"}, "880011"), 200),
    ("D", "DELETE", "comments/880011", None, 204),
    ("D", "DELETE", "tasks/20510094", None, 204),
    ("D", "DELETE", "todos/77121", None, 204),
    # The vendor's schema: the text of a todo is its description.
    (
        "D wrong",
        "POST",
        "todos",
        document("todos", {"content": "t"}, task=link("tasks", "20510087")),
        422,
    ),
    ("D later", "PATCH", "pages/81002/append_html", None, 501),
    # B
    (
        "B",
        "POST",
        "folders",
        document("folders", {"name": "F"}, project=link("projects", "30201")),
        201,
    ),
    ("B", "POST", "folders", document("folders", {"name": "F", "project_id": "30201"}), 201),
    (
        "B",
        "POST",
        "task_lists",
        document("task_lists", {"name": "L", "project_id": "30201", "board_id": "41001"}),
        201,
    ),
    ("B", "PATCH", "task_lists/52011/archive", None, 200),
    ("B", "PATCH", "task_lists/52902/restore", None, 200),
    (
        "B",
        "POST",
        "task_lists/copy",
        document(
            "task_lists",
            {"name": "C", "template_id": "52010", "project_id": "30201", "board_id": "41001"},
        ),
        201,
    ),
    ("B", "PATCH", "task_lists/52011/move", document("task_lists", {"board_id": "41901"}), 200),
    (
        "B",
        "PATCH",
        "task_lists/52010/reposition",
        document("task_lists", {"move_before_id": "52011"}),
        204,
    ),
    (
        "B",
        "PATCH",
        "tasks/20510089/reposition",
        document("tasks", {"move_after_id": "20510090"}),
        204,
    ),
    (
        "B",
        "PATCH",
        "tasks/20510087",
        document("tasks", None, "20510087", workflow_status=link("workflow_statuses", "6104")),
        200,
    ),
    ("B", "PATCH", "tasks/20510087", document("tasks", None, assignee=link("people", None)), 200),
    (
        "B",
        "POST",
        "tasks",
        document(
            "tasks",
            {"title": "sub"},
            project=link("projects", "30201"),
            task_list=link("task_lists", "52010"),
            parent_task=link("tasks", "20510087"),
        ),
        201,
    ),
    ("B", "PATCH", "comments/880011/pin", None, 200),
    ("B", "PATCH", "comments/880012/unpin", None, 409),
    (
        "B",
        "PATCH",
        "comments/880011/add_reaction",
        document("comments", {"reaction": "like"}),
        200,
    ),
    ("B", "POST", "todos", document("todos", {"description": "t", "task_id": "20510087"}), 201),
    ("B", "PATCH", "todos/77120", document("todos", {"closed": True}), 200),
    (
        "B",
        "POST",
        "task_dependencies",
        document(
            "task_dependencies",
            {"task_id": "20510089", "dependent_task_id": "20510090", "type_id": 1},
        ),
        201,
    ),
    ("B", "DELETE", "task_dependencies/64001", None, 204),
    (
        "B",
        "POST",
        "pages",
        document("pages", {"title": "P"}, project=link("projects", "30201")),
        201,
    ),
    ("B later", "POST", "pages/copy", document("pages", {"template_id": "81001"}), 501),
    # S
    ("S", "POST", "timers", document("timers", None, service=link("services", "16880015")), 201),
    ("S", "PATCH", "timers/14335001/stop", None, 200),
    ("S", "POST", "companies", document("companies", {"name": "New"}), 201),
    ("S", "PATCH", "companies/7001", document("companies", {"name": "Blue"}), 200),
    ("S", "PATCH", "deals/4287001", document("deals", {"name": "x"}), 200),
    ("S", "PATCH", "discussions/82001/resolve", None, 200),
    ("S", "PATCH", "discussions/82001/reopen", None, 409),
    # Measured: bookings do not take relationships.
    (
        "S wrong",
        "POST",
        "bookings",
        document(
            "bookings",
            {"started_on": "2026-12-01", "ended_on": "2026-12-03", "time": 240},
            person=link("people", "9103"),
            service=link("services", "16880015"),
        ),
        422,
    ),
]


@pytest.mark.parametrize("row", WRITES, ids=lambda row: f"{row[0]} {row[1]} {row[2]}")
async def test_writes_of_foreign_clients(
    sim: Simulation, row: tuple[str, str, str, Any, int]
) -> None:
    client, method, path, data, status = row
    body = None if data is None else {"data": data}
    answer = await sim.as_(MANAGER).send(method, path, body)
    assert answer.status_code == status, (client, answer.text[:300])
    if status == 204:
        assert answer.content == b""


async def test_an_entry_s_id_can_be_cut_out_of_a_report_s(sim: Simulation) -> None:
    found = await sim.get(
        "reports/time_entry_reports",
        **{"filter[person_id]": "9104", "filter[after]": "2026-11-20"},
    )
    number = found["data"][0]["id"].split("-")[4]
    assert (await sim.get(f"time_entries/{number}"))["data"]["id"] == number


async def test_a_report_tells_client_from_internal_time_and_absences(sim: Simulation) -> None:
    period = {"filter[after]": "2026-11-01", "filter[before]": "2026-11-23"}
    found = await sim.as_(MANAGER).get(
        "reports/time_reports", group="person", include="person", **period
    )
    rows = {
        row["relationships"]["person"]["data"]["id"]: row["attributes"] for row in found["data"]
    }
    for row in rows.values():
        assert row["worked_time"] == row["client_time"] + row["internal_time"]
    assert rows["9105"]["paid_event_time"] == 480
    assert rows["9103"]["internal_time"] > 0
    # 16 working days less one holiday.
    assert rows["9104"]["capacity"] == 15 * 480
