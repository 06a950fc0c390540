"""Rows of tasks in answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.tasks import ListedTask, TaskRow
from productive_gateway.tools.call import Call


class ShownTask(TaskRow):
    """A task with what follows from the present day, and its web link."""

    overdue: bool = has.flag()
    url: str | None = has.ident(default=None, label="")


def shown(call: Call, row: TaskRow) -> ShownTask:
    """Return the row of a task for an answer."""
    values: dict[str, Any] = {
        one.name: getattr(row, one.name) for one in has.declared(TaskRow) if one.name != "id"
    }
    late = is_overdue(row, call.today)
    return ShownTask(id=row.id, **values, overdue=late, url=call.link(row))


def listed(row: ListedTask, today: date) -> ListedTask:
    """Return the row of a task for a long list."""
    return replace(row, overdue=is_overdue(row, today))


def is_overdue(row: ListedTask | TaskRow, today: date) -> bool:
    """Return whether an open task should have been done before today."""
    return row.due is not None and row.due < today and not row.closed
