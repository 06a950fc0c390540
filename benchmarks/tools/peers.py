"""The same workflows with other servers, which act on the same simulator.

Each row is the shortest chain of a peer's tools by which somebody gets there who knows its tools
and no ids. Ids that a call returns stand in the next one as they are in the seed. A row is absent
where a peer has no tool for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.clients.session import access_of, call, client_session, simulated
from benchmarks.clients.sources import BERWICKGEEK, DRUELLAN, TIME_MCP, Source, installed
from benchmarks.tools.measured import Definitions, Work
from benchmarks.tools.tokens import compact, tokens
from benchmarks.tools.waves import Waves
from benchmarks.workflows.rows import WORKFLOWS
from benchmarks.workflows.time_rows import DESIGN, MANAGEMENT, WEEK
from benchmarks.workflows.workflow import MONDAY, Workflow
from mcp import ClientSession

from productive_dev.simulator.world import World

TOKEN, PERSON = "simulator-ana-kovac", "9104"

Call = tuple[str, dict[str, Any]]
Scripts = dict[int, tuple[Call, ...]]

_TASK = "20510087"
_LAST_WEEK = {"after": "2026-11-16", "before": "2026-11-22", "person_id": PERSON}
_COMMENT = "All three variants are final."
_MARGINS = "Please check the margins."


def _logging(note: str, day: str, time: str, service: str) -> Call:
    return (
        "create_time_entry",
        {
            "date": day,
            "time": time,
            "person_id": PERSON,
            "service_id": service,
            "note": note,
            "confirm": True,
        },
    )


_SERVICE: tuple[Call, ...] = (
    ("list_projects", {"status": "active"}),
    ("list_project_deals", {"project_id": "30201"}),
    ("list_deal_services", {"deal_id": "4287001"}),
)
_MINE: Call = ("my_tasks", {"status": "open"})
_B_STATUS = "update_task_status"

_BERWICKGEEK: Scripts = {
    1: (*_SERVICE, _logging("Wireframe review", MONDAY, "2h", DESIGN)),
    2: (
        *_SERVICE,
        *(
            _logging("Handover to development", day, time, service)
            for day in WEEK
            for service, time in ((DESIGN, "1h"), (MANAGEMENT, "0.5h"))
        ),
    ),
    6: (_MINE,),
    7: (
        ("list_projects", {"status": "active"}),
        ("list_folders", {"project_id": "30202"}),
        ("list_task_lists", {"board_id": "41002"}),
        ("list_people", {}),
        (
            "create_task",
            {
                "title": "Check the contact form",
                "project_id": "30202",
                "board_id": "41002",
                "task_list_id": "52021",
                "assignee_id": "9106",
                "due_date": "2026-11-27",
            },
        ),
    ),
    8: (_MINE, (_B_STATUS, {"task_id": _TASK, "status_name": "In review"})),
    9: (
        _MINE,
        (_B_STATUS, {"task_id": _TASK, "status_name": "Done"}),
        ("add_task_comment", {"task_id": _TASK, "comment": _COMMENT}),
    ),
    10: (_MINE, ("add_task_comment", {"task_id": _TASK, "comment": _MARGINS})),
    11: (
        _MINE,
        ("get_task_overview", {"task_id": _TASK}),
        ("list_todos", {"task_id": _TASK}),
        ("list_subtasks", {"parent_task_id": _TASK}),
        ("list_task_dependencies", {"task_id": _TASK}),
    ),
    22: (
        ("list_projects", {"status": "active"}),
        ("get_project_tasks", {"project_id": "30201", "status": "open"}),
        ("list_project_deals", {"project_id": "30201"}),
        ("list_time_entries", {"after": "2026-11-16", "project_id": "30201"}),
        ("list_activities", {"project_id": "30201", "after": "2026-11-16"}),
    ),
    23: (("list_activities", {"after": "2026-11-20"}),),
}


def _hours_since(day: int) -> int:
    """Return the hours since a day of November 2026: this peer knows the real clock only."""
    return int((datetime.now(UTC) - datetime(2026, 11, day, tzinfo=UTC)).total_seconds() // 3600)


_SEARCH: Call = ("quick_search", {"query": "Homepage wireframes"})

_DRUELLAN: Scripts = {
    6: (("list_tasks", {"user_id": 9104, "extra_filters": {"filter[status][eq]": "1"}}),),
    9: (
        _SEARCH,
        ("update_task", {"task_id": 20510087, "status": "closed"}),
        ("create_comment", {"task_id": 20510087, "body": _COMMENT}),
    ),
    10: (_SEARCH, ("create_comment", {"task_id": 20510087, "body": _MARGINS})),
    11: (
        _SEARCH,
        ("get_task", {"task_id": 20510087}),
        ("list_comments", {"task_id": 20510087}),
        ("list_todos", {"task_id": 20510087}),
    ),
    22: (
        ("list_projects", {}),
        ("list_tasks", {"project_id": 30201, "extra_filters": {"filter[status][eq]": "1"}}),
        ("list_time_entries", {"after": "2026-11-16", "project_id": 30201}),
        ("list_recent_activity", {"hours": _hours_since(16), "project_id": 30201}),
    ),
    23: (("list_recent_activity", {"hours": _hours_since(20)}),),
    24: (("quick_search", {"query": "wireframes"}),),
    25: (
        (
            "list_time_entries",
            {"after": "2026-11-20", "before": "2026-11-20", "person_id": 9104},
        ),
        ("update_time_entry", {"time_entry_id": 163000412, "time": 240}),
    ),
}

_TIME: Scripts = {
    3: (("get_time_reports", _LAST_WEEK), ("get_time_entries", _LAST_WEEK)),
    25: (
        ("get_time_entries", {**_LAST_WEEK, "after": "2026-11-20"}),
        ("update_time_entry", {"entry_id": "163000412", "hours": 4}),
    ),
}


@dataclass(frozen=True, slots=True)
class Peer:
    """One other server and the rows that it can do."""

    source: Source
    scripts: Scripts


PEERS = (Peer(BERWICKGEEK, _BERWICKGEEK), Peer(DRUELLAN, _DRUELLAN), Peer(TIME_MCP, _TIME))


@dataclass(frozen=True, slots=True)
class Measured:
    """One peer: what its client loads, and what each row takes."""

    name: str
    definitions: Definitions
    rows: dict[int, Work]


async def measure(peer: Peer, mirror: Path | None) -> Measured:
    """Run a peer over all rows that it can do, each from the seed."""
    folder = installed(peer.source, mirror)
    waves = Waves()
    async with simulated(waves.around) as running:
        command = peer.source.start(folder, access_of(running, TOKEN, PERSON))
        async with client_session(command) as session:
            definitions = await _definitions(session)
            rows = {}
            for workflow in WORKFLOWS:
                if script := peer.scripts.get(workflow.row):
                    running.world.reset()
                    rows[workflow.row] = await _work(
                        session, workflow, script, running.world, waves
                    )
    return Measured(f"{peer.source.name} {peer.source.version}", definitions, rows)


async def _definitions(session: ClientSession) -> Definitions:
    listed = await session.list_tools()
    shown = compact(listed.model_dump(mode="json", by_alias=True, exclude_none=True))
    instructions = session.instructions or ""
    return Definitions(
        tools=len(listed.tools),
        list_bytes=len(shown.encode()),
        list_tokens=tokens(shown),
        instruction_bytes=len(instructions.encode()),
        instruction_tokens=tokens(instructions),
    )


async def _work(
    session: ClientSession, workflow: Workflow, script: tuple[Call, ...], world: World, waves: Waves
) -> Work:
    work, said = Work(), []
    for tool, arguments in script:
        waves.clear()
        answer = await call(session, tool, arguments)
        said.append(answer.text)
        work.depth += waves.depth
        work.add(tool, arguments, answer.text)
        if answer.failed:
            work.wrong = f"{tool}: {answer.text[:120]}"
    work.requests = len(world.log)
    work.judge(workflow, world, "\n".join(said))
    return work
