"""Finds the service that time is tracked on, from what the user calls project, task and service.

The order: a service that is named, the service of the task, the only one that the person may track
on in the project, the only one that they used there in the last four weeks. Otherwise the user is
asked; nothing is guessed (design invariant 14).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from productive_gateway.productive.records.budgets import Service
from productive_gateway.productive.records.projects import KnownProject, ProjectRef
from productive_gateway.productive.records.store import Rows
from productive_gateway.productive.records.tasks import TaskRef, TaskRow
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Resolved
from productive_gateway.tools.kit.errors import Candidate, Problem, ToolError
from productive_gateway.tools.names.kinds import RecordKind
from productive_gateway.tools.names.link import LinkError
from productive_gateway.tools.names.match import Inactive, Match, candidates, match
from productive_gateway.tools.names.options import Option, Options, Place
from productive_gateway.tools.names.reference import parse_reference
from productive_gateway.tools.names.resolver import PROJECTS, TASKS, Named
from productive_gateway.tools.tracking.entries import entries_between

HABIT: Final = timedelta(days=28)
SERVICES_LIFETIME: Final = 60
"""Seconds for which services are remembered: their hours change whenever somebody tracks time."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user calls it; at least one is set."""

    project: str | None
    task: str | None
    service: str | None


@dataclass(frozen=True, slots=True)
class Target:
    """The service, and the task if there is one."""

    service: Service
    project: ProjectRef | None
    task: TaskRef | None
    implied: Resolved | None = None
    """How the service was chosen, if it was not named."""


class Targets:
    """Finds the services of one call, each project, task and service once."""

    def __init__(self, call: Call, person_id: str) -> None:
        """Look for services that this person may track time on."""
        self._call = call
        self._person = person_id
        self._asked: dict[tuple[str | None, ...], asyncio.Future[Any]] = {}

    async def find(self, wanted: Wanted) -> Target:
        """Return the service that is meant.

        Raises:
            ToolError: a reference fits nothing or too much, or time cannot be tracked there.
            ProductiveError: it could not be looked up.
        """
        key = ("target", wanted.project, wanted.task, wanted.service)
        found: Target = await self._once(key, lambda: self._find(wanted))
        return found

    async def _find(self, wanted: Wanted) -> Target:
        project: KnownProject | None = None
        task: TaskRow | None = None
        if wanted.project is not None:
            project = await self._project(wanted.project)
        if wanted.task is not None:
            task = await self.task(wanted.task, project.id if project else None)
            _same_project(project, task)
        where = project or (task.project if task else None)
        if wanted.service is not None:
            service = await self._named(wanted.service, where)
            return Target(service, service.project or where, task)
        if where is None:
            raise ToolError(
                Problem(
                    "unknown_reference",
                    "The task belongs to no project that you can see, so its service is unknown.",
                    "Name the project or the service as well.",
                    field="service",
                )
            )
        service, how = await self._implied(where, task)
        echo = Resolved(
            input="not named", kind="service", id=service.id, name=service.name, how=how
        )
        return Target(service, service.project or where, task, echo)

    async def _project(self, text: str) -> KnownProject:
        names = self._call.names
        found: KnownProject = await self._once(
            ("project", text), lambda: names.one(PROJECTS, text, "project", inactive=False)
        )
        return found

    async def task(self, text: str, project_id: str | None) -> TaskRow:
        """Return the task that is meant, in a project if it is given.

        Raises:
            ToolError: no task fits, or more than one.
        """
        names = self._call.names
        within = {"project_id": project_id} if project_id else {}
        found: TaskRow = await self._once(
            ("task", text, project_id), lambda: names.one(TASKS, text, "task", within=within)
        )
        return found

    async def _once(self, key: tuple[str | None, ...], read: Callable[[], Awaitable[Any]]) -> Any:
        """Return what is read under a key; equal references share one look, and its failure."""
        if key not in self._asked:
            self._asked[key] = asyncio.ensure_future(read())
        return await self._asked[key]

    def _trackable(self) -> dict[str, str]:
        return {
            "trackable_by_person_id": self._person,
            "time_tracking_enabled": "true",
            "budget_status": "1",
        }

    async def _named(self, text: str, where: ProjectRef | None) -> Service:
        try:
            if where is not None:
                return await self._in_project(text, where)
            # An id is looked up without what narrows the candidates, so that is in the kind.
            kind = replace(_SERVICES, filters=self._trackable())
            return await self._call.names.one(kind, text, "service")
        except ToolError as error:
            reason = await self._why_not(text, where) if _is_miss(error) else None
            raise (ToolError(reason) if reason else error) from error

    async def _in_project(self, text: str, where: ProjectRef) -> Service:
        services = await self._of_project(where)
        try:
            return self._chosen(text, services)
        except ToolError as error:
            if not _is_miss(error):
                raise
        return self._chosen(text, await self._of_project(where, fresh=True))

    def _chosen(self, text: str, services: Sequence[Service]) -> Service:
        options = Options(_option(service) for service in services)
        found = self._call.names.choose(RecordKind.SERVICE, text, "service", options)
        return next(service for service in services if service.id == found)

    async def _why_not(self, text: str, where: ProjectRef | None) -> Problem | None:
        """Return why time cannot be tracked on a service that exists; None if there is none."""
        identity = self._call.me
        try:
            reference = parse_reference(
                text, RecordKind.SERVICE, organization=identity.organization_id
            )
        except LinkError:
            return None
        by: Mapping[str, str] = {"query": reference.leaf}
        if reference.ids:
            by = {"id": reference.ids[0]}
        elif where is not None:
            by = {"project_id": where.id}
        rows = (await self._call.records.all(Service, by, most=1)).rows
        found = match(reference, Options(_option(row) for row in rows))
        if not isinstance(found, Match | Inactive):
            return None
        service = next(row for row in rows if row.id == found.option.id)
        label, budget = f"{service.name} ({service.id})", service.budget
        if where is not None and service.project and service.project.id != where.id:
            why = f"it belongs to {service.project.name}, not to {where.name}"
        elif budget is not None and budget.closed:
            why = f"its budget {budget.name} is closed"
        else:
            why = "it takes no time, or it is for other people"
        return Problem(
            "cannot_track",
            f"Time cannot be tracked on the service {label}: {why}.",
            "Ask the user for another service, or leave service out to see which there are.",
            field="service",
        )

    async def _implied(self, where: ProjectRef, task: TaskRow | None) -> tuple[Service, str]:
        services = await self._of_project(where)
        if task is not None and task.service is not None:
            for service in services:
                if service.id == task.service.id:
                    return service, "service of the task"
        if len(services) == 1:
            return services[0], "only service you can track on"
        used = await self._once(("used", where.id), lambda: self._used(where))
        recent = [service for service in services if service.id in used]
        if len(recent) == 1:
            return recent[0], "only service you used here in the last four weeks"
        # The recently used ones come first: at most five are shown.
        ordered = [*recent, *(service for service in services if service.id not in used)]
        offered = candidates([_option(service) for service in ordered])
        raise ToolError(
            Problem(
                "ambiguous_reference",
                f"You can track on {len(services)} services of {where.name}.",
                "Ask the user which one, then repeat only this with service set to its id.",
                field="service",
                candidates=tuple(
                    Candidate(one.id, one.name, one.context) for one in offered.nearest
                ),
                left=offered.left,
            )
        )

    async def _of_project(self, where: ProjectRef, *, fresh: bool = False) -> Sequence[Service]:
        filters = {**self._trackable(), "project_id": where.id}
        known = await self._call.records.remembered(
            Service, filters, lifetime=SERVICES_LIFETIME, make=_rows, fresh=fresh
        )
        found = [one for one in known if one.project is None or one.project.id == where.id]
        if found:
            return found
        raise ToolError(
            Problem(
                "cannot_track",
                f"There is no open budget in {where.name} on which you can track time.",
                "Choose another project, or ask the manager of this one for access.",
                field="service",
            )
        )

    async def _used(self, where: ProjectRef) -> frozenset[str]:
        today = self._call.today
        rows = await entries_between(
            self._call.records, self._person, today - HABIT, today, project_id=where.id
        )
        return frozenset(one.service.id for one in rows.rows if one.service is not None)


def hours_left(service: Service) -> str | None:
    """Return "25 h left" or "18 h over"; None if no time is budgeted."""
    if service.left is None:
        return None
    return f"{abs(service.left) / 60:.0f} h {'over' if service.left < 0 else 'left'}"


def _option(service: Service) -> Option:
    around = (service.project, service.budget)
    return Option(
        RecordKind.SERVICE,
        service.id,
        service.name,
        within=tuple(Place(one.name, one.id) for one in around if one is not None),
        inactive="closed" if service.budget and service.budget.closed else None,
        remark=hours_left(service),
    )


_SERVICES: Final = Named(RecordKind.SERVICE, Service, _option, 0)


def _rows(rows: Rows[Service]) -> tuple[Service, ...]:
    return rows.rows


def _is_miss(error: ToolError) -> bool:
    return error.problem.code == "unknown_reference"


def _same_project(project: ProjectRef | None, task: TaskRow) -> None:
    if project is None or task.project is None or project.id == task.project.id:
        return
    raise ToolError(
        Problem(
            "invalid_value",
            f'The task "{task.name}" belongs to {task.project.name}, not to {project.name}.',
            "Ask the user which one is meant, then omit the other.",
            field="task",
        )
    )
