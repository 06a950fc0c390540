"""Workflows of projects and people."""

from __future__ import annotations

from benchmarks.workflows.workflow import Step, Workflow

ROWS = (
    Workflow(
        17,
        "who is away",
        "Who is away next week or the week after?",
        (Step("list_bookings", {"kind": "absence", "period": "2026-11-30/2026-12-13"}),),
        facts=("Kovač",),
    ),
    Workflow(
        22,
        "status of a project",
        "How is Website relaunch going: open and overdue tasks, hours, budget, what happened?",
        (Step("get_project", {"project": "Website relaunch", "report": True}),),
        facts=("Relaunch phase 2", "Go-live"),
    ),
    Workflow(
        23,
        "what changed since Friday",
        "What changed in my projects since Friday?",
        (Step("get_activity", {"since": "friday"}),),
        facts=("Homepage wireframes", "Čavić"),
    ),
    Workflow(
        24,
        "find by half a name",
        "What do we have about wireframes?",
        (Step("find", {"query": "wireframes"}),),
        facts=("Homepage wireframes",),
    ),
)
