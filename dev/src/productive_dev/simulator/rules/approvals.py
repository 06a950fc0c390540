"""Approval of time: at once where the budget has none, else by a manager or the approver.

Measured: an entry is approved at once where its budget has no time approval, and doing twice what
was done is a conflict. The vendor's schema: a rejected entry that is edited is submitted again.
Codes other than `timer_already_stopped` are inferred.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.resource import new_record
from productive_dev.simulator.errors import access_denied, conflict
from productive_dev.simulator.records import Record
from productive_dev.simulator.writing.body import action_value


def needs_approval(context: Context, entry: Record) -> bool:
    """Tell whether somebody has to approve an entry."""
    budget = context.follow(entry, "service", "deal")
    return budget is not None and bool(budget.attributes["time_approval"])


def settle_approval(context: Context, before: Record | None, entry: Record) -> Record:
    """Approve what needs no approval, and submit a rejected entry again."""
    if not needs_approval(context, entry):
        if entry.attributes["approved"]:
            return entry
        return entry.with_attributes(approved=True, approved_at=context.whole_stamp)
    moved = before is not None and before.to_one("service") != entry.to_one("service")
    if before is None or moved:
        return entry.with_attributes(approved=False, approved_at=None)
    if entry.attributes["rejected"]:
        return entry.with_attributes(
            rejected=False, rejected_at=None, rejected_reason=None, submitted=True
        ).with_relations(rejecter=None)
    return entry


def request_approval(context: Context, entry: Record) -> None:
    """Ask the responsible of the budget for the approval of an entry."""
    budget = context.follow(entry, "service", "deal")
    known = tuple(context.state.pointing("approval_statuses", "time_entry", entry.ref))
    if budget is None or known or not needs_approval(context, entry):
        return
    declared = context.resources["approval_statuses"]
    number = context.state.next_id("approval_statuses")
    status = new_record(declared, number, entry.organization)
    context.state.put(
        status.with_attributes(target_type="time").with_relations(
            approver=budget.to_one("responsible"), time_entry=entry.ref
        )
    )


def approve(context: Context, entry: Record, _: Mapping[str, Any]) -> Record:
    """Approve an entry.

    Raises:
        Problem: 403 without the right, 409 when it is approved.
    """
    _may_decide(context, entry)
    if entry.attributes["approved"]:
        raise conflict("already_approved")
    approved = entry.with_attributes(
        approved=True,
        approved_at=context.whole_stamp,
        rejected=False,
        rejected_at=None,
        rejected_reason=None,
    )
    return _kept(context, approved.with_relations(approver=_me(context), rejecter=None))


def unapprove(context: Context, entry: Record, _: Mapping[str, Any]) -> Record:
    """Take an approval back.

    Raises:
        Problem: 403 without the right, 409 when it is not approved.
    """
    _may_decide(context, entry)
    if not entry.attributes["approved"]:
        raise conflict("not_approved")
    changed = entry.with_attributes(approved=False, approved_at=None)
    return _kept(context, changed.with_relations(approver=None))


def reject(context: Context, entry: Record, data: Mapping[str, Any]) -> Record:
    """Reject an entry, with a reason if one is given.

    Raises:
        Problem: 403 without the right, 409 when it is rejected.
    """
    _may_decide(context, entry)
    if entry.attributes["rejected"]:
        raise conflict("already_rejected")
    rejected = entry.with_attributes(
        approved=False,
        approved_at=None,
        rejected=True,
        rejected_at=context.whole_stamp,
        rejected_reason=action_value(data, "rejected_reason", "reason"),
    )
    return _kept(context, rejected.with_relations(approver=None, rejecter=_me(context)))


def unreject(context: Context, entry: Record, _: Mapping[str, Any]) -> Record:
    """Take a rejection back.

    Raises:
        Problem: 403 without the right, 409 when it is not rejected.
    """
    _may_decide(context, entry)
    if not entry.attributes["rejected"]:
        raise conflict("not_rejected")
    changed = entry.with_attributes(rejected=False, rejected_at=None, rejected_reason=None)
    return _kept(context, changed.with_relations(rejecter=None))


def _me(context: Context) -> Any:
    return context.caller.person.ref


def _may_decide(context: Context, entry: Record) -> None:
    budget = context.follow(entry, "service", "deal")
    responsible = budget.to_one("responsible") if budget else None
    if not context.caller.manages and responsible != context.caller.person.ref:
        raise access_denied()


def _kept(context: Context, entry: Record) -> Record:
    changed = entry.with_attributes(
        updated_at=context.stamp, last_activity_at=context.stamp
    ).with_relations(updater=_me(context), last_actor=_me(context))
    context.state.put(changed)
    return changed
