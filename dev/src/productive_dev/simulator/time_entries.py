"""Writing time entries: what is taken over, what is refused, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from productive_dev.simulator.access import Caller, may_track
from productive_dev.simulator.clock import local, stamp
from productive_dev.simulator.errors import access_denied, invalid
from productive_dev.simulator.policies import check_policy
from productive_dev.simulator.records import Record, Ref, Relation, State

_MONEY_KINDS: Final = ("cost", "work_cost", "overhead_cost", "internal_overhead_cost")
_WRITABLE: Final = ("date", "time", "billable_time", "note", "started_at", "calendar_event_id")
_RELATIONS: Final[Mapping[str, str]] = {
    "person": "people",
    "service": "services",
    "task": "tasks",
}
_DAY_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a write happens: the state, who writes, and when."""

    state: State
    caller: Caller
    now: float

    @property
    def moment(self) -> datetime:
        """Return the present in the organization's time zone."""
        organization = self.state.get("organizations", self.caller.organization)
        zone = organization.attributes["time_zone"] if organization else "UTC"
        return local(self.now, ZoneInfo(zone))


def create_entry(desk: Desk, document: Mapping[str, Any]) -> Record:
    """Make an entry of the wanted attributes and relations.

    Raises:
        Problem: 403 for somebody else's time without the right, 422 for a refused value.
    """
    moment = desk.moment
    entry = Record(
        type="time_entries",
        id=desk.state.next_id("time_entries"),
        organization=desk.caller.organization,
        attributes=blank_entry(moment),
        relations={
            "person": None,
            "service": None,
            "task": None,
            "approver": None,
            "creator": Ref("people", desk.caller.person.id),
            "updater": None,
            "rejecter": None,
            "last_actor": Ref("people", desk.caller.person.id),
        },
    )
    entry = _written(desk, entry, document)
    _check(desk, entry)
    entry = settle(desk.state, entry, moment)
    desk.state.put(entry)
    return entry


def update_entry(desk: Desk, entry: Record, document: Mapping[str, Any]) -> Record:
    """Change an entry; what is not named stays.

    Raises:
        Problem: as for `create_entry`, and 403 for an entry that somebody approved (inferred).
    """
    _refuse_locked(desk, entry)
    changed = _written(desk, entry, document)
    _check(desk, changed)
    moment = desk.moment
    actor = Ref("people", desk.caller.person.id)
    changed = replace(
        changed,
        attributes={
            **changed.attributes,
            "recognized_time": changed.attributes["billable_time"],
            "updated_at": stamp(moment),
            "last_activity_at": stamp(moment),
        },
        relations={**changed.relations, "updater": actor, "last_actor": actor},
    )
    desk.state.put(changed)
    return changed


def delete_entry(desk: Desk, entry: Record) -> None:
    """Remove an entry and its timers.

    Raises:
        Problem: 403 for an entry that somebody approved (inferred).
    """
    _refuse_locked(desk, entry)
    for timer in list(desk.state.all("timers")):
        if timer.relations["time_entry"] == Ref("time_entries", entry.id):
            desk.state.remove(timer)
    desk.state.remove(entry)


def blank_entry(moment: datetime) -> dict[str, Any]:
    """Return the attributes of an entry without content, all 44 of the recorded one."""
    instant = stamp(moment)
    return {
        "draft": False,
        "date": None,
        "created_at": instant,
        "time": None,
        "billable_time": None,
        "recognized_time": None,
        "note": None,
        "track_method_id": 1,
        "started_at": None,
        "timer_started_at": None,
        "timer_stopped_at": None,
        "approved": False,
        "approved_at": None,
        "updated_at": instant,
        "calendar_event_id": None,
        "calendar_event_recurring_id": None,
        "invoice_attribution_id": None,
        "invoiced": False,
        "overhead": False,
        "overtime": False,
        "overtime_cost_multiplier": "1.0",
        "rejected": False,
        "rejected_reason": None,
        "rejected_at": None,
        "last_activity_at": instant,
        "submitted": False,
        "currency": "EUR",
        "currency_default": "EUR",
        "currency_normalized": "EUR",
        **{
            f"{kind}{variant}": 0
            for kind in (*_MONEY_KINDS, "facility_overhead_cost")
            for variant in ("", "_default", "_normalized")
        },
    }


def settle(state: State, entry: Record, moment: datetime) -> Record:
    """Fill in what follows from the budget: approval, currency, overhead, billable minutes."""
    budget = state.follow(entry, "service", "deal")
    service = state.follow(entry, "service")
    if budget is None or service is None:
        raise invalid("person", "person cannot track on this service")
    values = dict(entry.attributes)
    if values["billable_time"] is None:
        values["billable_time"] = values["time"] if service.attributes["billable"] else 0
    values["recognized_time"] = values["billable_time"]
    # Measured: approved at once where the budget has no time approval.
    if not budget.attributes["time_approval"]:
        values |= {"approved": True, "approved_at": stamp(moment, milliseconds=False)}
    values["overhead"] = budget.attributes["deal_type_id"] == 1
    currency = budget.attributes["currency"]
    values |= dict.fromkeys(("currency", "currency_default", "currency_normalized"), currency)
    return replace(entry, attributes=values)


def _written(desk: Desk, entry: Record, document: Mapping[str, Any]) -> Record:
    # Unknown attributes are ignored with success: the worst trap of the API, kept on purpose.
    given = document.get("attributes") or {}
    values = {name: given[name] for name in _WRITABLE if name in given}
    relations: dict[str, Relation] = {}
    for name, kind in _RELATIONS.items():
        if f"{name}_id" in given:
            relations[name] = _reference(kind, given[f"{name}_id"])
        linked = (document.get("relationships") or {}).get(name)
        if isinstance(linked, Mapping) and "data" in linked:
            identifier = linked["data"]
            wanted = identifier.get("id") if isinstance(identifier, Mapping) else None
            relations[name] = _reference(kind, wanted)
    changed = replace(
        entry,
        attributes={**entry.attributes, **values},
        relations={**entry.relations, **relations},
    )
    if "time" in values and "billable_time" not in values and entry.attributes["time"] is not None:
        # Inferred: the billable part follows the time of a billable service.
        service = desk.state.follow(changed, "service")
        billable = bool(service and service.attributes["billable"])
        minutes = values["time"] if billable else 0
        changed = replace(changed, attributes={**changed.attributes, "billable_time": minutes})
    return changed


def _reference(kind: str, value: Any) -> Ref | None:
    return None if value is None else Ref(kind, str(value))


def _check(desk: Desk, entry: Record) -> None:
    values = entry.attributes
    person = _inside(desk, entry, "person")
    if person is not None and person.id != desk.caller.person.id and not desk.caller.manages:
        raise access_denied()
    if not _is_day(values["date"]):
        raise invalid("date", "can't be blank" if values["date"] is None else "is invalid")
    _check_minutes("time", values["time"], required=True)
    _check_minutes("billable_time", values["billable_time"], required=False)
    service = _inside(desk, entry, "service")
    if person is None or service is None or not may_track(desk.state, person, service):
        # Recorded for a missing service; a wrong one and a deactivated person answer alike.
        raise invalid("person", "person cannot track on this service")
    _check_task(desk, entry)
    check_policy(desk.state, entry, person, desk.moment.date())


def _check_minutes(name: str, value: Any, *, required: bool) -> None:
    # The words are inferred; durations are whole minutes (guide).
    if value is None and not required:
        return
    if value is None:
        raise invalid(name, "can't be blank")
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _DAY_MINUTES:
        raise invalid(name, "is not a valid number of minutes")


def _check_task(desk: Desk, entry: Record) -> None:
    # Inferred: a task must exist, and belong to the project of the service's budget.
    if entry.relations["task"] is None:
        return
    task = _inside(desk, entry, "task")
    budget = desk.state.follow(entry, "service", "deal")
    if task is None or budget is None or task.relations["project"] != budget.relations["project"]:
        raise invalid("task", "attribute is invalid")


def _inside(desk: Desk, entry: Record, relation: str) -> Record | None:
    found = desk.state.follow(entry, relation)
    return found if found is not None and found.organization == entry.organization else None


def _refuse_locked(desk: Desk, entry: Record) -> None:
    budget = desk.state.follow(entry, "service", "deal")
    needs_approval = budget is not None and budget.attributes["time_approval"]
    if needs_approval and entry.attributes["approved"] and not desk.caller.manages:
        raise access_denied()


def _is_day(value: Any) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value) > date.min + timedelta(days=1)
    except ValueError:
        return False
