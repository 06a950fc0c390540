"""Who asks, and what they may see and change.

How roles differ was observed only in part: a member sees their own time and services without
prices. The rest is inferred, and deliberately strict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from productive_dev.simulator.records import Record, Ref, State
from productive_dev.simulator.tokens import Token

ADMIN: Final = 1
"""`role_id` of an owner (recorded)."""
MANAGER: Final = 2
"""Inferred."""
MEMBER: Final = 3
"""Inferred."""

_OWN_ONLY: Final = frozenset({"time_entries", "timers"})
_MONEY: Final = frozenset(
    {
        *("budget_total", "budget_used", "budget_warning", "cost", "price", "profit"),
        *("profit_margin", "quantity", "revenue", "work_cost", "invoiced"),
    }
)


@dataclass(frozen=True, slots=True)
class Caller:
    """The person a token acts as in one organization."""

    token: Token
    organization: str
    person: Record

    @property
    def manages(self) -> bool:
        """Tell whether the caller may act on other people's time."""
        return bool(self.person.attributes["role_id"] in (ADMIN, MANAGER))

    def sees(self, record: Record) -> bool:
        """Tell whether a record exists for this caller."""
        if record.organization != self.organization:
            return False
        if record.type in _OWN_ONLY and not self.manages:
            return record.relations.get("person") == Ref("people", self.person.id)
        return True

    def hides(self, attribute: str) -> bool:
        """Tell whether an attribute is left out for this caller."""
        return not self.manages and attribute in _MONEY


def may_track(state: State, person: Record, service: Record) -> bool:
    """Tell whether a person may track time on a service."""
    budget = state.follow(service, "deal")
    project = state.follow(service, "deal", "project")
    allowed = service.facts.get("people")
    return (
        service.facts.get("tracks_time", True)
        and person.organization == service.organization
        and person.attributes["deactivated_at"] is None
        and budget is not None
        and budget.attributes["budget"]
        and budget.attributes["closed_at"] is None
        and (project is None or project.attributes["archived_at"] is None)
        and (allowed is None or person.id in allowed)
    )
