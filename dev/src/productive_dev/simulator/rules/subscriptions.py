"""Who is told about what: subscribers of tasks and pages, members of projects."""

from __future__ import annotations

from collections.abc import Sequence

from productive_dev.simulator.context import Context
from productive_dev.simulator.records import Record, Ref


def is_member(context: Context, person: Record, project: Record) -> bool:
    """Tell whether a person belongs to a project: by membership, as its manager, or as an owner."""
    if person.attributes["role_id"] == 1 or project.to_one("project_manager") == person.ref:
        return True
    return any(
        membership.to_one("person") == person.ref
        for membership in context.state.pointing("memberships", "project", project.ref)
    )


def projects_of(context: Context, person: Record) -> Sequence[Ref]:
    """Return the projects that a person belongs to."""
    return [p.ref for p in context.all("projects") if is_member(context, person, p)]


def members_of(context: Context, project: Record) -> Sequence[Ref]:
    """Return the people who belong to a project."""
    return [p.ref for p in context.all("people") if is_member(context, p, project)]
