"""Timers: runs of the clock, each of which adds whole minutes to a time entry.

Recorded: starting on a service makes an entry of 0 minutes dated today and takes neither note nor
task over, starting on an entry goes on with it; stopping drops the seconds, and `total_time` is
the entry's sum after the run; stopping twice is a conflict; PUT and PATCH stop, POST does not.
The vendor's schema: a person has one running timer, and a new one stops the old.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.fields import moment, number, relation
from productive_dev.simulator.declare.filters import Filter, attribute
from productive_dev.simulator.declare.kinds import Kind, instant_of
from productive_dev.simulator.declare.resource import (
    CREATE,
    DELETE,
    READS,
    UPDATE,
    new_record,
    resource,
)
from productive_dev.simulator.errors import Fault, access_denied, conflict, invalid
from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.writing.body import action_value
from productive_dev.simulator.writing.write import create

_BY_TIMER: Final = 2


def start(context: Context, data: Mapping[str, Any]) -> Record:
    """Start a timer on a service, or go on with an entry.

    Raises:
        Problem: 422 without either, or where the person cannot track.
    """
    person = action_value(data, "person_id")
    others = person is not None and str(person) != context.caller.person.id
    if others and not context.caller.manages:
        raise access_denied()
    owner = context.visible(Ref("people", str(person))) if person else context.caller.person
    if owner is None:
        raise access_denied()
    entry = _entry(context, owner, data)
    for running in tuple(context.all("timers")):
        mine = running.attributes["person_id"] == int(owner.id)
        if mine and running.attributes["stopped_at"] is None:
            stop(context, running, {})
    entry = context.state.get("time_entries", entry.id) or entry
    context.state.put(
        entry.with_attributes(timer_started_at=context.whole_stamp, timer_stopped_at=None)
    )
    timer = new_record(TIMERS, context.state.next_id("timers"), context.organization)
    timer = timer.with_attributes(
        person_id=int(owner.id),
        started_at=context.whole_stamp,
        total_time=entry.attributes["time"],
    ).with_relations(time_entry=entry.ref)
    context.state.put(timer)
    return timer


def stop(context: Context, timer: Record, _: Mapping[str, Any]) -> Record:
    """Stop a timer and add its whole minutes to the entry.

    Raises:
        Problem: 409 when it is stopped.
    """
    if timer.attributes["stopped_at"] is not None:
        raise conflict("timer_already_stopped")
    began = instant_of(timer.attributes["started_at"])
    ran = int((context.moment - began).total_seconds()) // 60 if began else 0
    entry = context.follow(timer, "time_entry")
    total = timer.attributes["total_time"]
    if entry is not None:
        total = int(entry.attributes["time"]) + ran
        service = context.follow(entry, "service")
        billable = total if service and service.attributes["billable"] else 0
        context.state.put(
            entry.with_attributes(
                time=total,
                billable_time=billable,
                recognized_time=billable,
                timer_stopped_at=context.whole_stamp,
                updated_at=context.stamp,
                last_activity_at=context.stamp,
            )
        )
    stopped = timer.with_attributes(stopped_at=context.whole_stamp, total_time=total)
    context.state.put(stopped)
    return stopped


def _entry(context: Context, owner: Record, data: Mapping[str, Any]) -> Record:
    known = action_value(data, "time_entry_id")
    if known is not None:
        entry = context.visible(Ref("time_entries", str(known)))
        if entry is None:
            raise access_denied()
        return entry
    service = action_value(data, "service_id")
    if service is None:
        # Recorded.
        raise invalid([Fault("service", "attribute is invalid")])
    declared = context.resources["time_entries"]
    attributes = {
        "date": context.today.isoformat(),
        "time": 0,
        "person_id": owner.id,
        "service_id": service,
    }
    entry = create(context, declared, {"attributes": attributes})
    entry = entry.with_attributes(track_method_id=_BY_TIMER)
    context.state.put(entry)
    return entry


def _sees(context: Context, timer: Record) -> bool:
    mine = str(timer.attributes["person_id"]) == context.caller.person.id
    return mine or context.caller.manages


TIMERS = resource(
    "timers",
    (
        number("person_id", "-"),
        moment("started_at", "- f o"),
        moment("stopped_at", "- f o"),
        number("total_time", "-", 0),
    ),
    (relation("time_entry", "time_entries", "- f"),),
    filters={"person_id": Filter(attribute("person_id"), Kind.RELATION)},
    # Oldest first (measured).
    default_sort=("started_at",),
    methods=READS | {CREATE},
    lacks=frozenset({UPDATE, DELETE}),
    sees=_sees,
    actions={"stop": stop},
    puts=frozenset({"stop"}),
    collection_actions={("POST", ""): start},
)
