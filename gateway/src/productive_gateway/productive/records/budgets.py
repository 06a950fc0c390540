"""Budgets and their services, on which time is tracked."""

from __future__ import annotations

from datetime import date

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.projects import ProjectRef
from productive_gateway.productive.records.record import Record


class BudgetRef(Record, type="deals", link="deal"):
    """A budget by name."""

    name: str = has.name("name")


class ServiceRef(Record, type="services", link="service"):
    """A service by name."""

    name: str = has.name("name")


class TrackedBudget(BudgetRef):
    """The budget of a time entry."""

    approval: bool = has.flag("time_approval", default=False, shown=False)


class Budget(BudgetRef):
    """A budget, with what tracking time on it depends on."""

    ends: date | None = has.day("end_date")
    closed: bool = has.flag("closed_at")


class Service(ServiceRef):
    """A line of a budget on which time is tracked."""

    budget: Budget | None = has.one(lambda: Budget, "deal")
    project: ProjectRef | None = has.one(lambda: ProjectRef, "deal.project")
    budgeted: int | None = has.minutes("budgeted_time", shown=False)
    worked: int | None = has.minutes("worked_time", shown=False)
    limitation: str | None = has.ident("limitation_type", default=None, shown=False)

    @property
    def left(self) -> int | None:
        """Minutes of the budgeted time that are left; None if no time is budgeted."""
        return self.budgeted - (self.worked or 0) if self.budgeted else None

    @property
    def limited(self) -> bool:
        """Whether Productive refuses time beyond the budgeted time."""
        return self.limitation not in {None, "no_limitation"}
