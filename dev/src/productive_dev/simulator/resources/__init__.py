"""The resources that the simulator has, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from productive_dev.simulator.declare.resource import Resource
from productive_dev.simulator.resources import (
    activities,
    comments,
    companies,
    custom_fields,
    deals,
    organizations,
    pages,
    people,
    planning,
    projects,
    search,
    services,
    task_lists,
    task_parts,
    tasks,
    time_entries,
    timers,
    timesheets,
)

RESOURCES: Final[Mapping[str, Resource]] = {
    declared.name: declared
    for declared in (
        organizations.ORGANIZATIONS,
        organizations.USERS,
        organizations.MEMBERSHIPS,
        organizations.SUBSIDIARIES,
        organizations.TEAMS,
        organizations.TEAM_MEMBERSHIPS,
        people.PEOPLE,
        people.SALARIES,
        companies.COMPANIES,
        companies.SERVICE_TYPES,
        companies.PIPELINES,
        companies.DEAL_STATUSES,
        projects.PROJECTS,
        projects.WORKFLOWS,
        projects.WORKFLOW_STATUSES,
        projects.MEMBERSHIPS,
        task_lists.FOLDERS,
        task_lists.TASK_LISTS,
        tasks.TASKS,
        task_parts.TODOS,
        task_parts.TASK_DEPENDENCIES,
        task_parts.ATTACHMENTS,
        custom_fields.CUSTOM_FIELDS,
        custom_fields.CUSTOM_FIELD_OPTIONS,
        task_parts.TAGS,
        comments.COMMENTS,
        activities.ACTIVITIES,
        deals.DEALS,
        services.SERVICES,
        services.SECTIONS,
        services.SERVICE_ASSIGNMENTS,
        time_entries.TIME_ENTRIES,
        timers.TIMERS,
        timesheets.TIMESHEETS,
        timesheets.TIME_TRACKING_POLICIES,
        timesheets.APPROVAL_POLICIES,
        timesheets.APPROVAL_POLICY_ASSIGNMENTS,
        timesheets.APPROVAL_STATUSES,
        planning.BOOKINGS,
        planning.EVENTS,
        planning.ENTITLEMENTS,
        planning.HOLIDAY_CALENDARS,
        planning.HOLIDAYS,
        pages.PAGES,
        pages.DISCUSSIONS,
        search.RESULTS,
    )
}
