"""Resolves project, task and service as the user wrote them to one service.

The order: a named service, then the task's service, then the only one that the person may track on
in the project, then the only one they used there in the last four weeks. Otherwise the user is
asked; nothing is guessed (design invariant 14).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, NoReturn

from productive_gateway.productive import work
from productive_gateway.productive.client import ProductiveSession
from productive_gateway.productive.work import Named, Service, Task
from productive_gateway.tools.errors import Candidate, Problem, ToolError
from productive_gateway.tools.resolve import (
    MOST_CANDIDATES,
    Kind,
    NoMatch,
    Option,
    Reference,
    WrongLink,
    match,
    parse_reference,
)

HABIT: Final = timedelta(days=28)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a reference was resolved to; the answer repeats it."""

    input: str
    kind: Kind
    id: str
    name: str
    how: str


@dataclass(frozen=True, slots=True)
class Target:
    """The service, and the task if there is one."""

    service: Service
    project: Named | None
    task: Task | None
    resolved: tuple[Resolved, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The references of one entry; at least one is set."""

    project: str | None
    task: str | None
    service: str | None
    field: str
    """Path of the entry in the arguments, for errors."""


class Resolver:
    """Resolves the references of one call, for one person."""

    def __init__(self, session: ProductiveSession, person_id: str, today: date) -> None:
        self._session = session
        self._person = person_id
        self._today = today

    async def target(self, wanted: Wanted) -> Target:
        """Return the one service, with the task if one was named.

        Raises:
            ToolError: a reference fits nothing or too much, or time cannot be tracked there.
            ProductiveError: it could not be looked up.
        """
        echoed: list[Resolved] = []
        project: Named | None = None
        task: Task | None = None
        if wanted.project is not None:
            project = await self._project(wanted.project, f"{wanted.field}.project", echoed)
        if wanted.task is not None:
            field = f"{wanted.field}.task"
            task = await self._task(wanted.task, field, project, echoed)
            project = _same_project(project, task, field)
        service = await self._service(wanted, project, task, echoed)
        return Target(service, service.project or project, task, tuple(echoed))

    async def _project(self, text: str, field: str, echoed: list[Resolved]) -> Named:
        reference = _parsed(text, "project", field)
        projects, complete = await work.active_projects(self._session)
        if not complete:
            projects = await work.projects_like(
                self._session, project_id=reference.id, text=reference.text
            )
        found = match(reference, [Option(one.id, one.name) for one in projects])
        if isinstance(found, NoMatch):
            _unresolved(reference, "project", field, found)
        echoed.append(Resolved(text, "project", found.option.id, found.option.name, found.how))
        return Named(found.option.id, found.option.name)

    async def _task(
        self, text: str, field: str, project: Named | None, echoed: list[Resolved]
    ) -> Task:
        reference = _parsed(text, "task", field)
        within = project.id if project else None
        found = await work.tasks(
            self._session,
            task_id=reference.id,
            number=reference.number,
            text=reference.name,
            project_id=None if reference.id else within,
        )
        if reference.number is not None:
            found = tuple(one for one in found if one.number == reference.number)
        # A closed task counts only if no open one matches.
        found = tuple(one for one in found if not one.closed) or found
        task, how = _chosen_task(reference, field, found)
        echoed.append(Resolved(text, "task", task.id, task.title, how))
        return task

    async def _service(
        self, wanted: Wanted, project: Named | None, task: Task | None, echoed: list[Resolved]
    ) -> Service:
        field = f"{wanted.field}.service"
        if wanted.service is not None:
            reference = _parsed(wanted.service, "service", field)
            services = await self._candidates(reference, project, field)
            service, how = _matched(reference, field, services)
        elif project is None:
            raise ToolError(
                Problem(
                    "unknown_reference",
                    "The task belongs to no project that you can see, so its service is unknown.",
                    "Name the project or the service as well.",
                    field=field,
                )
            )
        else:
            services = await self._trackable(project, field)
            service, how = await self._implied(project, task, services, field)
        echoed.append(
            Resolved(wanted.service or "not named", "service", service.id, service.name, how)
        )
        return service

    async def _candidates(
        self, reference: Reference, project: Named | None, field: str
    ) -> Sequence[Service]:
        if project is not None:
            return await self._trackable(project, field)
        if reference.id is not None:
            return await work.services_by_id(self._session, self._person, reference.id)
        return await work.services_by_name(self._session, self._person, reference.text)

    async def _trackable(self, project: Named, field: str) -> Sequence[Service]:
        services = await work.trackable_services(self._session, self._person, project_id=project.id)
        if services:
            return services
        raise ToolError(
            Problem(
                "cannot_track",
                f"There is no open budget in {project.name} on which you can track time.",
                "Choose another project, or ask the manager of this one for access.",
                field=field,
            )
        )

    async def _implied(
        self, project: Named, task: Task | None, services: Sequence[Service], field: str
    ) -> tuple[Service, str]:
        if task is not None and task.service_id is not None:
            for service in services:
                if service.id == task.service_id:
                    return service, "service of the task"
        if len(services) == 1:
            return services[0], "only service you can track on"
        used = await work.services_used(
            self._session,
            self._person,
            project_id=project.id,
            first=self._today - HABIT,
            last=self._today,
        )
        recent = [service for service in services if service.id in used]
        if len(recent) == 1:
            return recent[0], "only service you used here in the last four weeks"
        # The recently used ones come first: at most five are shown.
        ordered = [*recent, *(service for service in services if service.id not in used)]
        raise ToolError(
            Problem(
                "ambiguous_reference",
                f"You can track on {len(services)} services of {project.name}.",
                "Ask the user which one, then repeat only this entry with service set to its id.",
                field=field,
                candidates=tuple(
                    Candidate(one.id, one.name, _context(one)) for one in ordered[:MOST_CANDIDATES]
                ),
            )
        )


def _parsed(text: str, kind: Kind, field: str) -> Reference:
    try:
        return parse_reference(text, kind)
    except WrongLink as error:
        raise ToolError(
            Problem(
                "invalid_value",
                f"The link does not lead to a {kind}.",
                f"Give the {kind} by its name, id, or a link to it.",
                field=field,
            )
        ) from error


def _chosen_task(reference: Reference, field: str, found: Sequence[Task]) -> tuple[Task, str]:
    options = [
        Option(one.id, one.title, one.project.name if one.project else None) for one in found
    ]
    if reference.number is not None and len(found) == 1:
        return found[0], "task number"
    if reference.number is not None:
        _unresolved(reference, "task", field, NoMatch(tuple(options[:5]), ambiguous=bool(found)))
    winner = match(reference, options)
    if isinstance(winner, NoMatch):
        _unresolved(reference, "task", field, winner)
    return next(one for one in found if one.id == winner.option.id), winner.how


def _same_project(project: Named | None, task: Task, field: str) -> Named | None:
    if project is None or task.project is None or project.id == task.project.id:
        return project or task.project
    raise ToolError(
        Problem(
            "invalid_value",
            f'The task "{task.title}" belongs to {task.project.name}, not to {project.name}.',
            "Ask the user which one is meant, then omit the other.",
            field=field,
        )
    )


def _matched(reference: Reference, field: str, services: Sequence[Service]) -> tuple[Service, str]:
    found = match(reference, [Option(one.id, one.name, _context(one)) for one in services])
    if isinstance(found, NoMatch):
        _unresolved(reference, "service", field, found)
    return next(one for one in services if one.id == found.option.id), found.how


def _unresolved(reference: Reference, kind: Kind, field: str, found: NoMatch) -> NoReturn:
    candidates = tuple(Candidate(one.id, one.name, one.context) for one in found.nearest)
    if found.ambiguous:
        problem = Problem(
            "ambiguous_reference",
            f'"{reference.text}" fits more than one {kind}.',
            f"Ask the user which one, then repeat only this entry with {kind} set to its id.",
            field=field,
            candidates=candidates,
        )
    else:
        where = " that you can track time on" if kind == "service" else ""
        problem = Problem(
            "unknown_reference",
            f'There is no {kind}{where} called "{reference.text}".',
            "Ask the user; use one of these only if they confirm it."
            if candidates
            else "Ask the user what it is called in Productive, or for its id.",
            field=field,
            candidates=candidates,
        )
    raise ToolError(problem)


def _context(service: Service) -> str | None:
    parts = [part.name for part in (service.project, service.budget) if part]
    if service.left is not None:
        parts.append(f"{service.left / 60:.0f} h left")
    return ", ".join(parts) or None
