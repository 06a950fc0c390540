"""The sums in a project's report: pure functions over what was read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.budgets import BudgetFigures
from productive_gateway.productive.records.tasks import OpenTask
from productive_gateway.productive.records.time import TrackedTime
from productive_gateway.tools.words.money import money_of
from productive_gateway.tools.words.periods import Period

MOST_MILESTONES: Final = 3


class StatusCount(has.Declared):
    """How many open tasks have a status."""

    status: str = has.name()
    tasks: int = has.count(default=0, label="")


class TaskCounts(has.Declared):
    """The open tasks of a project."""

    open: int = has.count(default=0)
    overdue: int = has.count(default=0)
    by_status: tuple[StatusCount, ...] = has.many(lambda: StatusCount, default=())
    next_milestones: tuple[OpenTask, ...] = has.many(lambda: OpenTask, default=())


class WeekHours(has.Declared):
    """The time tracked in a week."""

    week: str = has.ident(label="")
    tracked: int = has.minutes(default=0, label="")
    billable: int = has.minutes(default=0)


class BudgetBurn(has.Declared):
    """A budget and what is used of it; without amounts if the person may not see them."""

    name: str = has.name()
    id: str = has.ident()
    used: str | None = has.ident(default=None)
    total: str | None = has.ident(default=None, label="of")
    currency: str | None = has.ident(default=None, label="")
    used_percent: int | None = has.count(default=None, label="percent used")
    over_warning: bool = has.flag(label="over its warning level")
    over_budget: bool = has.flag()
    worked: int | None = has.minutes(default=None)
    budgeted: int | None = has.minutes(default=None, label="of budgeted")
    ends: date | None = has.day(default=None)


def task_counts(tasks: Sequence[OpenTask], total: int | None, today: date) -> TaskCounts:
    """Return the counts of open tasks.

    Args:
        tasks: the open ones, as far as they were read.
        total: how many there are.
        today: what is due before it is overdue.
    """
    statuses = Counter(task.status.name for task in tasks if task.status)
    milestones = [task for task in tasks if task.kind == "milestone"]
    milestones.sort(key=lambda task: (task.due or date.max, task.id))
    return TaskCounts(
        open=len(tasks) if total is None else total,
        overdue=sum(task.due is not None and task.due < today for task in tasks),
        by_status=tuple(StatusCount(status=name, tasks=n) for name, n in statuses.most_common()),
        next_milestones=tuple(milestones[:MOST_MILESTONES]),
    )


def hours_of(entries: Sequence[TrackedTime], weeks: Iterable[Period]) -> tuple[WeekHours, ...]:
    """Return the sums of weeks."""
    return tuple(_hours(entries, week) for week in weeks)


def _hours(entries: Iterable[TrackedTime], week: Period) -> WeekHours:
    within = [one for one in entries if one.day is not None and week.first <= one.day <= week.last]
    return WeekHours(
        week=week.label,
        tracked=sum(one.minutes for one in within),
        billable=sum(one.billable or 0 for one in within),
    )


def burn_of(budget: BudgetFigures) -> BudgetBurn:
    """Return what is used of a budget."""
    used, total = (money_of(minor, budget.currency) for minor in (budget.used, budget.total))
    percent = None
    if budget.used is not None and budget.total:
        percent = int((100 * budget.used / budget.total).to_integral_value())
    warns = percent is not None and budget.warning is not None and percent >= budget.warning
    over = percent is not None and budget.used is not None and budget.used > (budget.total or 0)
    return BudgetBurn(
        name=budget.name,
        id=budget.id,
        ends=budget.ends,
        currency=budget.currency if total else None,
        used=used.number if used else None,
        total=total.number if total else None,
        used_percent=percent,
        over_budget=over,
        over_warning=warns and not over,
        worked=budget.worked,
        budgeted=budget.budgeted or None,
    )
