"""Looks for records of several kinds by name, number, id, e-mail address or link."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from productive_gateway.productive.records.search import SearchResult
from productive_gateway.productive.records.store import if_possible
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.errors import ToolError
from productive_gateway.tools.names.normal_form import SAME_WORDS, fit, normal_form
from productive_gateway.tools.names.options import Inactivity, Option, Place
from productive_gateway.tools.names.reference import Reference
from productive_gateway.tools.names.resolver import (
    BUDGETS,
    COMPANIES,
    DEALS,
    PAGES,
    PEOPLE,
    PROJECTS,
    TASKS,
    Named,
)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where records of one kind are found."""

    named: Named[Any]
    in_project: bool = True
    """Whether they are in a project."""
    number: str | None = None
    """Filter by the number that people know it by."""
    ended: Inactivity | None = "archived"


_SOURCES: Final[Mapping[str, _Source]] = {
    "project": _Source(PROJECTS, in_project=False, number="project_number"),
    "person": _Source(PEOPLE, in_project=False, ended="deactivated"),
    "company": _Source(COMPANIES, in_project=False),
    "task": _Source(TASKS, number="task_number", ended="closed"),
    "budget": _Source(BUDGETS, ended="closed"),
    "page": _Source(PAGES),
    "deal": _Source(DEALS, ended="closed"),
}
USUAL: Final = tuple(kind for kind in _SOURCES if kind != "deal")
"""The kinds that are looked for unless others are named."""
_ORDER: Final = {kind: place for place, kind in enumerate(_SOURCES)}
MOST: Final = 100
"""Records of one request, which are then put in order: Productive's own has no relevance."""


@dataclass(frozen=True, slots=True)
class Search:
    """A search for records of some kinds."""

    call: Call
    kinds: Sequence[str]
    project: str | None
    """Id of the project that they are in; None for everywhere."""

    def references(self, text: str) -> Mapping[str, Reference]:
        """Return how a text reads for each kind; a link is of one kind only.

        Raises:
            ToolError: it is a link to nothing that is looked for.
        """
        read: dict[str, Reference] = {}
        problem: ToolError | None = None
        for kind in self.kinds:
            try:
                read[kind] = self.call.names.read(_SOURCES[kind].named.kind, text, "query")
            except ToolError as error:
                problem = problem or error
        if problem is not None and not read:
            fix = "Give part of a name, a number, an id, or a link to what is meant."
            raise ToolError(replace(problem.problem, fix=fix)) from problem
        return read

    async def by_name(self, names: Sequence[str]) -> Sequence[Option]:
        """Return what has this name; nothing without a name."""
        if not names:
            return ()
        if self.project is None:
            filters = {"query": names[0], "type": list(self.kinds), "status": "all"}
            read = self.call.records.page(SearchResult, filters, size=MOST)
            # No specification names this search: it is used where it works.
            found = await if_possible(read, if_understood=True)
            if found is not None:
                return [option for row in found.rows if (option := _searched(row))]
        return await self._each([(kind, {"query": names[0]}) for kind in self.kinds])

    async def by_key(self, references: Mapping[str, Reference]) -> Sequence[Option]:
        """Return what has this id, e-mail address, or number such as "#87" or "P-14"."""
        asked: list[tuple[str, Mapping[str, str]]] = []
        for kind, reference in references.items():
            number = _SOURCES[kind].number
            if reference.ids:
                asked.append((kind, {"id": ",".join(reference.ids)}))
            if reference.email:
                asked.append((kind, {"email": reference.email}))
            if number and reference.searched_numbers:
                asked.append((kind, {number: ",".join(reference.searched_numbers)}))
        return await self._each(asked)

    async def _each(self, asked: Sequence[tuple[str, Mapping[str, str]]]) -> Sequence[Option]:
        lists = await asyncio.gather(*(self._one(kind, narrowed) for kind, narrowed in asked))
        return [option for options in lists for option in options]

    async def _one(self, kind: str, narrowed: Mapping[str, str]) -> Sequence[Option]:
        source = _SOURCES[kind]
        filters = {**source.named.filters, **narrowed}
        if self.project is not None:
            if not source.in_project:
                return ()
            filters["project_id"] = self.project
        found = await if_possible(self.call.records.page(source.named.record, filters, size=MOST))
        return [source.named.option(row) for row in found.rows] if found else ()


def _searched(row: SearchResult) -> Option | None:
    source = _SOURCES.get(row.kind or "")
    if source is None or row.record is None:
        return None
    return Option(
        source.named.kind,
        row.record,
        row.name,
        within=(Place(row.subtitle),) if row.subtitle else (),
        inactive=source.ended if row.status == "closed" else None,
    )


def once(options: Iterable[Option]) -> Sequence[Option]:
    """Return each record once, as it was found first."""
    found: dict[tuple[str, str], Option] = {}
    for option in options:
        found.setdefault((option.kind, option.id), option)
    return tuple(found.values())


def ordered(query: str, options: Iterable[Option], numbered: Sequence[Option]) -> list[Option]:
    """Return what fits best first: numbers, full names, parts of names, then the rest."""
    want = normal_form(query)

    def order(option: Option) -> tuple[Any, ...]:
        points = fit(want, normal_form(option.name))
        return (
            option not in numbered,
            points < SAME_WORDS,
            not points,
            option.inactive is not None,
            _ORDER[str(option.kind)],
            -points,
            option.name,
            option.id,
        )

    return sorted(options, key=order)
