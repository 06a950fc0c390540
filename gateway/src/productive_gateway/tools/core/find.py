"""find: records of several kinds by part of a name, in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.search import SearchResult
from productive_gateway.productive.records.store import if_possible
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit import parameters
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.arguments import as_list
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.errors import ToolError
from productive_gateway.tools.kit.parameters import (
    LONGEST_REFERENCE,
    text_in,
    word_in,
)
from productive_gateway.tools.names.normal_form import (
    SAME_WORDS,
    fit,
    longest_word,
    normal_form,
)
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

Wanted = Annotated[
    Literal["project", "person", "company", "task", "budget", "page", "deal"],
    BeforeValidator(word_in),
]
Kinds = Annotated[list[Wanted] | None, BeforeValidator(as_list), Field(max_length=7)]
In = Annotated[parameters.Reference, Field(description="only its tasks, budgets, pages")]
Words = Annotated[
    str,
    BeforeValidator(text_in),
    Field(max_length=LONGEST_REFERENCE, description="part of a name, or a number"),
]


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
_USUAL: Final = tuple(kind for kind in _SOURCES if kind != "deal")
_ORDER: Final = {kind: place for place, kind in enumerate(_SOURCES)}
_READ: Final = 100
"""Results of a quick search that are put in order; it has no order of its own."""


class Found(has.Declared):
    """A record that was found."""

    name: str = has.name()
    id: str = has.ident()
    kind: str = has.word(label="")
    context: str | None = has.line(default=None, label="")
    state: str | None = has.word(default=None, label="")
    url: str | None = has.ident(default=None, label="")


class Matches(Answer):
    """The answer of find."""

    matches: tuple[Found, ...] = has.many(lambda: Found, default=(), label="")


@tool(
    title="Find",
    kind=Kind.READS,
    # Mostly 1: the others look for a number or an id in each kind, and again by the longest word.
    # Where Productive has no quick search, each kind is asked by itself, which is 10 more.
    cost=Cost(reads=2 + len(_USUAL) + 3),
    example=Example("What do we have about the relaunch?", {"query": "relaunch"}),
)
async def find(
    call: Call,
    *,
    query: Words,
    kinds: Kinds = None,
    project: In = None,
    limit: Annotated[int, Field(ge=1, le=50)] = 10,
) -> Matches:
    """Projects, people, companies, tasks, budgets and pages by part of a name, with web links.

    Finds archived and closed ones too, and says so. Other tools take names themselves: call this
    when it is not known what something is or where it is. Sales deals only with kinds=["deal"].
    """
    wanted = tuple(dict.fromkeys(kinds)) if kinds else _USUAL
    within = (await call.names.one(PROJECTS, project, "project")).id if project else None
    look = _Look(call, wanted, within)
    references = look.references(query)
    names = [one.leaf for one in references.values() if one.link_id is None][:1]
    named, numbered = await asyncio.gather(look.by_name(names), look.by_number(references))
    options = _once((*numbered, *named))
    word = longest_word(names[0]) if names and not options else None
    if word is not None:
        options = _once(await look.by_name([word]))
    ordered = _ordered(query, options, numbered)
    return Matches(
        headline=_headline(query, ordered, limit, word),
        matches=tuple(_found(call, option) for option in ordered[:limit]),
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """Looks for records of some kinds, everywhere or in a project."""

    call: Call
    kinds: Sequence[str]
    project: str | None

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
            read = self.call.records.page(SearchResult, filters, size=_READ)
            # No specification names this search: it is used where it works.
            found = await if_possible(read, if_understood=True)
            if found is not None:
                return [option for row in found.rows if (option := _searched(row))]
        return await self._each([(kind, {"query": names[0]}) for kind in self.kinds])

    async def by_number(self, references: Mapping[str, Reference]) -> Sequence[Option]:
        """Return what has this id, or this number, such as "#87" or "P-14"."""
        asked: list[tuple[str, Mapping[str, str]]] = []
        for kind, reference in references.items():
            number = _SOURCES[kind].number
            if reference.ids:
                asked.append((kind, {"id": ",".join(reference.ids)}))
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
        found = await if_possible(self.call.records.page(source.named.record, filters, size=_READ))
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


def _once(options: Iterable[Option]) -> Sequence[Option]:
    """Return each record once, as it was found first."""
    found: dict[tuple[str, str], Option] = {}
    for option in options:
        found.setdefault((option.kind, option.id), option)
    return tuple(found.values())


def _ordered(query: str, options: Iterable[Option], numbered: Sequence[Option]) -> list[Option]:
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


def _headline(query: str, ordered: Sequence[Option], limit: int, word: str | None) -> str:
    if not ordered:
        also = f' or "{word}"' if word else ""
        return f'Nothing that you can see is called "{query}"{also}.'
    shown = f"{len(ordered)} match{'' if len(ordered) == 1 else 'es'} for"
    want = normal_form(query)
    if word is not None and not any(fit(want, normal_form(one.name)) for one in ordered):
        shown = f'Nothing that you can see is called "{query}"; {len(ordered)} with'
        query = word
    left = len(ordered) - limit
    more = f", {left} more not shown: narrow with kinds or project" if left > 0 else ""
    return f'{shown} "{query}"{more}.'


def _found(call: Call, option: Option) -> Found:
    return Found(
        name=option.name,
        id=option.id,
        kind=str(option.kind),
        context=replace(option, inactive=None).context,
        state=option.inactive,
        url=call.names.link_of(option.kind, option.id),
    )
