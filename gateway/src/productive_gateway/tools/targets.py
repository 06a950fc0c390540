"""Resolves project, task and service as the user wrote them to one service.

The order: a named service, then the task's service, then the only one that the person may track on
in the project, then the only one they used there in the last four weeks. Otherwise the user is
asked; nothing is guessed (design invariant 14).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Final, TypeVar

from productive_gateway.productive import work
from productive_gateway.productive.client import ProductiveSession
from productive_gateway.productive.work import Named, Service, Task
from productive_gateway.tools.errors import Candidate, Problem, ToolError
from productive_gateway.tools.names.kinds import RecordKind
from productive_gateway.tools.names.link import LinkError
from productive_gateway.tools.names.match import Inactive, Match, NoMatch, candidates, match
from productive_gateway.tools.names.normal_form import longest_word
from productive_gateway.tools.names.options import Option, Options, Place
from productive_gateway.tools.names.reference import Reference, parse_reference

T = TypeVar("T")

HABIT: Final = timedelta(days=28)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a reference was resolved to; the answer repeats it."""

    input: str
    kind: RecordKind
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
        self.warnings: list[str] = []
        """What the user should know about how references were resolved."""

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
        reference = self._read(text, RecordKind.PROJECT, field)
        projects, complete = await work.active_projects(self._session)
        looks: list[Callable[[], Awaitable[Sequence[Named]]]] = []
        if not complete:
            like = partial(work.projects_like, self._session)
            looks += [partial(like, project_id=one, text="") for one in reference.ids]
            looks += [partial(like, project_id=None, text=one) for one in _texts(reference)]
        project, found = await _matched(reference, field, _project_option, looks, known=projects)
        self._echo(reference, field, found, echoed)
        return project

    async def _task(
        self, text: str, field: str, project: Named | None, echoed: list[Resolved]
    ) -> Task:
        reference = self._read(text, RecordKind.TASK, field)
        find = partial(work.tasks, self._session)
        within = partial(find, project_id=project.id if project else None)
        looks = [partial(find, task_id=one) for one in reference.ids]
        looks += [partial(within, number=one) for one in reference.searched_numbers]
        looks += [partial(within, text=one) for one in _texts(reference)]
        task, found = await _matched(reference, field, _task_option, looks)
        self._echo(reference, field, found, echoed)
        return task

    async def _service(
        self, wanted: Wanted, project: Named | None, task: Task | None, echoed: list[Resolved]
    ) -> Service:
        field = f"{wanted.field}.service"
        if wanted.service is not None:
            return await self._named_service(wanted.service, project, field, echoed)
        if project is None:
            raise ToolError(
                Problem(
                    "unknown_reference",
                    "The task belongs to no project that you can see, so its service is unknown.",
                    "Name the project or the service as well.",
                    field=field,
                )
            )
        services = await self._trackable(project, field)
        service, how = await self._implied(project, task, services, field)
        echoed.append(Resolved("not named", RecordKind.SERVICE, service.id, service.name, how))
        return service

    async def _named_service(
        self, text: str, project: Named | None, field: str, echoed: list[Resolved]
    ) -> Service:
        reference = self._read(text, RecordKind.SERVICE, field)
        known: Sequence[Service] = ()
        looks: list[Callable[[], Awaitable[Sequence[Service]]]] = []
        if project is not None:
            known = await self._trackable(project, field)
        else:
            by_id = partial(work.services_by_id, self._session, self._person)
            by_name = partial(work.services_by_name, self._session, self._person)
            looks += [partial(by_id, one) for one in reference.ids]
            looks += [partial(by_name, one) for one in _texts(reference)]
        service, found = await _matched(
            reference, field, _service_option, looks, known=known, offer_all=project is not None
        )
        self._echo(reference, field, found, echoed)
        return service

    def _echo(
        self, reference: Reference, field: str, found: Match | Inactive, echoed: list[Resolved]
    ) -> None:
        one = found.option
        echoed.append(Resolved(reference.text, reference.kind, one.id, one.name, found.how))
        if found.contradicted:
            self.warnings.append(
                f'{field}: the {reference.kind} with the id {one.id} is "{one.name}", which is not '
                "the name given beside it. The id was used; check it with the user."
            )

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
        shown = candidates([_service_option(service) for service in ordered])
        raise ToolError(
            Problem(
                "ambiguous_reference",
                f"You can track on {len(services)} services of {project.name}.{_more(shown)}",
                "Ask the user which one, then repeat only this entry with service set to its id.",
                field=field,
                candidates=_candidates(shown),
            )
        )

    def _read(self, text: str, kind: RecordKind, field: str) -> Reference:
        try:
            return parse_reference(text, kind, organization=self._session.organization)
        except LinkError as error:
            raise ToolError(
                Problem(
                    "invalid_value",
                    str(error),
                    f"Give the {kind} by its name, id, or a link to it.",
                    field=field,
                )
            ) from error


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


def _texts(reference: Reference) -> Sequence[str]:
    """Return what to search for by name: the name, then its longest word."""
    if reference.link_id is not None:
        return ()
    found = (reference.leaf, longest_word(reference.leaf))
    return [text for text in found if text]


async def _matched(
    reference: Reference,
    field: str,
    option_of: Callable[[T], Option],
    looks: Sequence[Callable[[], Awaitable[Sequence[T]]]],
    *,
    known: Sequence[T] = (),
    offer_all: bool = False,
) -> tuple[T, Match | Inactive]:
    """Return the record that is meant, among those that are known, else look for more.

    Raises:
        ToolError: none fits, or more than one does.
    """
    missed = NoMatch((), ambiguous=False)
    records: Sequence[T] = known
    for look in (None, *looks):
        if look is not None:
            records = await look()
        options = {option_of(one): one for one in records}
        found = match(reference, Options(options), offer_all=offer_all)
        if not isinstance(found, NoMatch):
            # A closed task is taken too: time is often logged after it was closed.
            return options[found.option], found
        if found.ambiguous:
            raise _unresolved(reference, field, found)
        missed = found if found.nearest else missed
    raise _unresolved(reference, field, missed)


def _unresolved(reference: Reference, field: str, found: NoMatch) -> ToolError:
    kind = reference.kind
    if found.ambiguous:
        problem = Problem(
            "ambiguous_reference",
            f'"{reference.text}" fits more than one {kind}.{_more(found)}',
            f"Ask the user which one, then repeat only this entry with {kind} set to its id.",
            field=field,
            candidates=_candidates(found),
        )
    else:
        where = " that you can track time on" if kind is RecordKind.SERVICE else ""
        problem = Problem(
            "unknown_reference",
            f'There is no {kind}{where} called "{reference.text}".{_more(found)}',
            "Ask the user; use one of these only if they confirm it."
            if found.nearest
            else "Ask the user what it is called in Productive, or for its id.",
            field=field,
            candidates=_candidates(found),
        )
    return ToolError(problem)


def _candidates(found: NoMatch) -> tuple[Candidate, ...]:
    return tuple(Candidate(one.id, one.name, one.context) for one in found.nearest)


def _more(found: NoMatch) -> str:
    return f" {len(found.nearest)} are shown; there are {found.left} more." if found.left else ""


def _project_option(project: Named) -> Option:
    return Option(RecordKind.PROJECT, project.id, project.name)


def _task_option(task: Task) -> Option:
    return Option(
        RecordKind.TASK,
        task.id,
        task.title,
        number=task.number,
        within=_places(task.project),
        inactive="closed" if task.closed else None,
    )


def _service_option(service: Service) -> Option:
    left = None if service.left is None else f"{service.left / 60:.0f} h left"
    within = _places(service.project, service.budget)
    return Option(RecordKind.SERVICE, service.id, service.name, within=within, remark=left)


def _places(*around: Named | None) -> tuple[Place, ...]:
    return tuple(Place(one.name, one.id) for one in around if one)
