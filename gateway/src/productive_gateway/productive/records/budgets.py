"""Budgets and their services, on which time is tracked."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.people import CompanyRef
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

    budget: Budget | None = has.one(lambda: Budget, "deal", default=None)
    project: ProjectRef | None = has.one(lambda: ProjectRef, "deal.project", default=None)
    budgeted: int | None = has.minutes("budgeted_time", default=None, shown=False)
    worked: int | None = has.minutes("worked_time", default=None, shown=False)
    limitation: str | None = has.ident("limitation_type", default=None, shown=False)

    @property
    def left(self) -> int | None:
        """Minutes of the budgeted time that are left; None if no time is budgeted."""
        return self.budgeted - (self.worked or 0) if self.budgeted else None

    @property
    def limited(self) -> bool:
        """Whether Productive refuses time beyond the budgeted time."""
        return self.limitation not in {None, "no_limitation"}


class KnownDeal(BudgetRef):
    """A budget or a sales deal as far as it is needed to find one by name."""

    number: str | None = has.ident("deal_number", default=None)
    budget: bool = has.flag("budget", shown=False)
    closed: bool = has.flag("closed_at")
    project: ProjectRef | None = has.one(lambda: ProjectRef, "project")
    company: CompanyRef | None = has.one(lambda: CompanyRef, "company")


class BudgetFigures(BudgetRef):
    """A budget with what is used of it; amounts are minor units, and hidden from many people."""

    ends: date | None = has.day("end_date")
    currency: str | None = has.ident("currency", default=None)
    total: Decimal | None = has.number("budget_total", shown=False)
    used: Decimal | None = has.number("budget_used", shown=False)
    warning: int | None = has.count("budget_warning", shown=False)
    """Percent of the total from which Productive warns."""
    budgeted: int | None = has.minutes("budgeted_time")
    worked: int | None = has.minutes("worked_time")
