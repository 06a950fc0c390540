"""All workflows, in the order of their numbers."""

from __future__ import annotations

from benchmarks.workflows import project_rows, task_rows, time_rows
from benchmarks.workflows.workflow import Workflow

WORKFLOWS: tuple[Workflow, ...] = tuple(
    sorted((*time_rows.ROWS, *task_rows.ROWS, *project_rows.ROWS), key=lambda one: one.row)
)
