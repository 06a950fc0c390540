"""Resolves what a user calls something to exactly one record.

Candidates come from lists that are remembered for some minutes, where those are complete, or from a
search. "There is none" is said only after reading again without what is remembered, and a name that
fits more than one record is never chosen between (design invariant 14).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from productive_gateway.productive.identity import Identity
from productive_gateway.productive.records.budgets import KnownDeal
from productive_gateway.productive.records.pages import KnownPage
from productive_gateway.productive.records.people import (
    NAMES_LIFETIME,
    KnownCompany,
    KnownPerson,
    TeamRef,
)
from productive_gateway.productive.records.projects import (
    Folder,
    KnownProject,
    TaskList,
    WorkflowStatus,
)
from productive_gateway.productive.records.record import Record
from productive_gateway.productive.records.store import Filters, Records, Rows
from productive_gateway.productive.records.tasks import TaskRow
from productive_gateway.tools.kit.answers import Resolved
from productive_gateway.tools.kit.errors import Candidate, Problem, ToolError
from productive_gateway.tools.names.kinds import RecordKind
from productive_gateway.tools.names.link import LINKED, LinkError, is_link, link_to, parse_link
from productive_gateway.tools.names.match import Inactive, Match, NoMatch, match
from productive_gateway.tools.names.normal_form import longest_word
from productive_gateway.tools.names.options import Inactivity, Option, Options, Place
from productive_gateway.tools.names.reference import Reference, parse_reference
from productive_gateway.tools.words import untrusted

R = TypeVar("R", bound=Record)

PLACES_LIFETIME: Final = 5 * 60
"""Seconds for which the lists and statuses of a project are remembered."""


@dataclass(frozen=True, slots=True)
class Named(Generic[R]):
    """How records of one kind are found by what people call them."""

    kind: RecordKind
    record: type[R]
    option: Callable[[R], Option]
    lifetime: float = NAMES_LIFETIME
    """Seconds for which the whole list is remembered; 0 if it is too long for that."""
    filters: Filters = field(default_factory=dict)


def _person(one: KnownPerson) -> Option:
    return Option(
        RecordKind.PERSON,
        one.id,
        one.name,
        within=_places(one.company),
        email=one.email,
        inactive="deactivated" if one.deactivated or one.archived else None,
    )


def _project(one: KnownProject) -> Option:
    return Option(
        RecordKind.PROJECT,
        one.id,
        one.name,
        number=one.number,
        within=_places(one.company),
        inactive="archived" if one.archived else None,
    )


def _task(one: TaskRow) -> Option:
    return Option(
        RecordKind.TASK,
        one.id,
        one.name,
        number=one.number,
        within=_places(one.project, one.list),
        inactive="closed" if one.closed else None,
    )


def _task_list(one: TaskList) -> Option:
    return Option(
        RecordKind.TASK_LIST,
        one.id,
        one.name,
        within=_places(one.project, one.folder),
        inactive="archived" if one.archived else None,
    )


def _folder(one: Folder) -> Option:
    inactive: Inactivity | None = "archived" if one.archived else None
    return Option(
        RecordKind.FOLDER, one.id, one.name, within=_places(one.project), inactive=inactive
    )


def _company(one: KnownCompany) -> Option:
    inactive: Inactivity | None = "archived" if one.archived else None
    return Option(RecordKind.COMPANY, one.id, one.name, inactive=inactive)


def _deal(one: KnownDeal) -> Option:
    return Option(
        RecordKind.BUDGET if one.budget else RecordKind.DEAL,
        one.id,
        one.name,
        number=one.number,
        within=_places(one.project or one.company),
        inactive="closed" if one.closed else None,
    )


def _page(one: KnownPage) -> Option:
    return Option(RecordKind.PAGE, one.id, one.name, within=_places(one.project))


def _plain(kind: RecordKind) -> Callable[[Any], Option]:
    return lambda one: Option(kind, one.id, one.name)


def _places(*around: Any) -> tuple[Place, ...]:
    return tuple(Place(one.name, one.id) for one in around if one is not None)


PEOPLE: Final = Named(RecordKind.PERSON, KnownPerson, _person)
PROJECTS: Final = Named(RecordKind.PROJECT, KnownProject, _project)
COMPANIES: Final = Named(RecordKind.COMPANY, KnownCompany, _company)
BUDGETS: Final = Named(RecordKind.BUDGET, KnownDeal, _deal, filters={"type": "2"})
DEALS: Final = Named(RecordKind.DEAL, KnownDeal, _deal, filters={"type": "1"})
PAGES: Final = Named(RecordKind.PAGE, KnownPage, _page, 0)
TEAMS: Final = Named(RecordKind.TEAM, TeamRef, _plain(RecordKind.TEAM))
TASK_LISTS: Final = Named(RecordKind.TASK_LIST, TaskList, _task_list, PLACES_LIFETIME)
FOLDERS: Final = Named(RecordKind.FOLDER, Folder, _folder, PLACES_LIFETIME)
STATUSES: Final = Named(
    RecordKind.STATUS, WorkflowStatus, _plain(RecordKind.STATUS), PLACES_LIFETIME
)
TASKS: Final = Named(RecordKind.TASK, TaskRow, _task, 0)

_LINKS: Final = {
    "task": RecordKind.TASK,
    "project": RecordKind.PROJECT,
    "deal": RecordKind.BUDGET,
    "person": RecordKind.PERSON,
    "company": RecordKind.COMPANY,
    "service": RecordKind.SERVICE,
    "page": RecordKind.PAGE,
}


@dataclass(frozen=True, slots=True)
class _Known(Generic[R]):
    """A list with its options, made once."""

    rows: Mapping[str, R]
    options: Options
    complete: bool


class Resolver:
    """Resolves the references of one call, for one person."""

    def __init__(self, records: Records, me: Identity, *, app_host: str) -> None:
        self._records = records
        self._me = me
        self._host = app_host
        self.resolved: list[Resolved] = []
        """What was resolved, for the answer."""
        self.warnings: list[str] = []

    def link(self, record: Record) -> str | None:
        """Return the web link of a record; None if it has none."""
        kind = _LINKS.get(record.link or "")
        return self.link_of(kind, record.id) if kind is not None else None

    def link_of(self, kind: RecordKind, record_id: str) -> str | None:
        """Return the web link of a record by its id; None if its kind has none."""
        if kind not in LINKED:
            return None
        return link_to(kind, record_id, self._me.organization_id, host=self._host)

    async def one(
        self,
        named: Named[R],
        text: str,
        field: str,
        *,
        within: Mapping[str, str] | None = None,
        inactive: bool = True,
        offer_all: bool = False,
    ) -> R:
        """Return the one record that is meant.

        Args:
            named: the kind of record.
            text: what the user calls it.
            field: the argument's name, for errors.
            within: filters that narrow the candidates, such as a project.
            inactive: whether one that is archived or closed will do.
            offer_all: when nothing fits, all are candidates: for short lists.

        Raises:
            ToolError: no record fits, or more than one.
            ProductiveError: the candidates could not be read.
        """
        reference = self.read(named.kind, text, field)
        found: Match | Inactive | NoMatch = NoMatch((), ambiguous=False)
        seen: dict[str, Option] = {}
        async for known in self._looks(named, reference, within or {}):
            seen |= {one.id: one for one in known.options.all}
            found = match(reference, known.options, me=self._me.person_id, offer_all=offer_all)
            settled = isinstance(found, Match) or (isinstance(found, Inactive) and inactive)
            if settled or (isinstance(found, NoMatch) and found.ambiguous):
                break
        else:
            # Names that only look similar may have come with any of the looks.
            if isinstance(found, NoMatch):
                found = match(
                    reference, Options(seen.values()), me=self._me.person_id, offer_all=offer_all
                )
        if isinstance(found, NoMatch):
            raise ToolError(no_match(reference, found, field))
        if isinstance(found, Inactive) and not inactive:
            raise ToolError(not_in_use(found.option, field))
        self._echo(reference, found)
        return known.rows[found.option.id]

    async def person(self, text: str, field: str) -> KnownPerson:
        """Return the person that is meant; None of the arguments means "me" by itself."""
        return await self.one(PEOPLE, text, field)

    def choose(
        self,
        kind: RecordKind,
        text: str,
        field: str,
        options: Options,
        *,
        offer_all: bool = True,
    ) -> str:
        """Return the id of the one of these options that is meant.

        Raises:
            ToolError: no option fits, or more than one.
        """
        reference = self.read(kind, text, field)
        found = match(reference, options, me=self._me.person_id, offer_all=offer_all)
        if isinstance(found, NoMatch):
            raise ToolError(no_match(reference, found, field))
        self._echo(reference, found)
        return found.option.id

    def read(self, kind: RecordKind, text: str, field: str) -> Reference:
        """Return a reference with all its readings, before any candidates are known.

        Raises:
            ToolError: it is a link that cannot be used.
        """
        try:
            return parse_reference(
                text, kind, organization=self._me.organization_id, host=self._host
            )
        except LinkError as error:
            raise ToolError(
                Problem(
                    "invalid_value",
                    str(error),
                    f"Give the {kind} by its name, number, id, or a link to it.",
                    field=field,
                )
            ) from error

    def kind_of_link(self, text: str) -> RecordKind | None:
        """Return the kind of record that a web link leads to; None for any other text."""
        if not is_link(text, host=self._host):
            return None
        try:
            link = parse_link(text, organization=self._me.organization_id, host=self._host)
        except LinkError:
            return None
        return link.kind

    async def _looks(
        self, named: Named[R], reference: Reference, within: Mapping[str, str]
    ) -> AsyncIterator[_Known[R]]:
        """Yield candidates, from the cheapest to the last look before "there is none"."""
        filters = {**named.filters, **within}
        if named.lifetime:
            known = await self._remembered(named, filters)
            yield known
            if known.complete:
                yield await self._remembered(named, filters, fresh=True)
                return
        for narrowed in _searches(reference):
            # An id is of one record, wherever it is.
            base = named.filters if "id" in narrowed else filters
            yield _known(named, await self._records.all(named.record, {**base, **narrowed}, most=2))
        if named.kind is RecordKind.TASK:
            around = dict(within) or {"assignee_id": self._me.person_id}
            yield _known(
                named, await self._records.all(named.record, {**around, "status": "1"}, most=2)
            )

    async def _remembered(
        self, named: Named[R], filters: Filters, *, fresh: bool = False
    ) -> _Known[R]:
        return await self._records.remembered(
            named.record,
            filters,
            lifetime=named.lifetime,
            fresh=fresh,
            make=lambda rows: _known(named, rows),
        )

    def _echo(self, reference: Reference, found: Match | Inactive) -> None:
        option = found.option
        if found.contradicted:
            self.warnings.append(
                f'"{untrusted.name(reference.text)}" has the id of {option.label}; the id decided, '
                "not the name."
            )
        if isinstance(found, Inactive):
            self.warnings.append(f"The {option.kind} {option.label} is {option.inactive}.")
        echo = Resolved(
            input=reference.text,
            kind=str(option.kind),
            id=option.id,
            name=option.name,
            how=found.how,
        )
        if echo not in self.resolved:
            self.resolved.append(echo)


def _known(named: Named[R], rows: Rows[R]) -> _Known[R]:
    return _Known(
        {row.id: row for row in rows.rows},
        Options(named.option(row) for row in rows.rows),
        rows.complete,
    )


def _searches(reference: Reference) -> Sequence[Mapping[str, str]]:
    """Return the searches for a reference, the surest first."""
    found = [{"id": one} for one in reference.ids]
    if reference.link_id is not None:
        return found
    if reference.kind is RecordKind.TASK:
        found += [{"task_number": one} for one in reference.searched_numbers]
    if reference.email is not None:
        return [*found, {"email": reference.email}]
    words = [reference.leaf, longest_word(reference.leaf)]
    found += [{"query": one} for one in dict.fromkeys(words) if one]
    return found


def no_match(reference: Reference, found: NoMatch, field: str) -> Problem:
    """Return the problem for a reference that fits no record, or more than one."""
    kind = reference.kind
    nearest = tuple(Candidate(one.id, one.name, one.context) for one in found.nearest)
    if found.ambiguous:
        return Problem(
            "ambiguous_reference",
            f'"{reference.text}" fits more than one {kind}.',
            "Ask the user which one, then repeat only this with the id.",
            field=field,
            candidates=nearest,
            left=found.left,
        )
    return Problem(
        "unknown_reference",
        f'There is no {kind} called "{reference.text}" that you can see.',
        "Ask the user; use one of these only if they confirm it."
        if nearest
        else "Ask the user what it is called in Productive, or for its id.",
        field=field,
        candidates=nearest,
        left=found.left,
    )


def not_in_use(option: Option, field: str) -> Problem:
    """Return the problem for a record that is archived, closed or deactivated."""
    return Problem(
        "not_in_use",
        f"The {option.kind} {option.label} is {option.inactive}.",
        f"Nothing can be changed there. Ask the user for another {option.kind}.",
        field=field,
    )
