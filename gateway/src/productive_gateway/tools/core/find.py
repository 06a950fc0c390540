"""find: records of several kinds by part of a name, in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from productive_gateway.productive.records import declared as has
from productive_gateway.tools.call import Call
from productive_gateway.tools.core.search import MOST, USUAL, Search, once, ordered
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.arguments import as_list
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.parameters import (
    LONGEST_REFERENCE,
    Reference,
    text_in,
    word_in,
)
from productive_gateway.tools.names.normal_form import fit, longest_word, normal_form
from productive_gateway.tools.names.options import Option
from productive_gateway.tools.names.resolver import PROJECTS

Wanted = Annotated[
    Literal["project", "person", "company", "task", "budget", "page", "deal"],
    BeforeValidator(word_in),
]
Kinds = Annotated[list[Wanted] | None, BeforeValidator(as_list), Field(max_length=7)]
In = Annotated[Reference, Field(description="only its tasks, budgets, pages")]
Words = Annotated[
    str,
    BeforeValidator(text_in),
    Field(max_length=LONGEST_REFERENCE, description="part of a name, or a number"),
]


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
    cost=Cost(reads=2 + len(USUAL) + 3),
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
    wanted = tuple(dict.fromkeys(kinds)) if kinds else USUAL
    within = (await call.names.one(PROJECTS, project, "project")).id if project else None
    search = Search(call, wanted, within)
    references = search.references(query)
    names = [one.leaf for one in references.values() if one.link_id is None][:1]
    named, keyed = await asyncio.gather(search.by_name(names), search.by_key(references))
    options = once((*keyed, *named))
    word = longest_word(names[0]) if names and not options else None
    if word is not None:
        options = once(await search.by_name([word]))
    found = ordered(query, options, keyed)
    return Matches(
        headline=_headline(query, found, limit, word),
        matches=tuple(_found(call, option) for option in found[:limit]),
    )


def _headline(query: str, found: Sequence[Option], limit: int, word: str | None) -> str:
    if not found:
        also = f' or "{word}"' if word else ""
        return f'Nothing that you can see is called "{query}"{also}.'
    count = f"{len(found)}{'+' if len(found) >= MOST else ''}"
    shown = f"{count} match{'' if len(found) == 1 else 'es'} for"
    want = normal_form(query)
    if word is not None and not any(fit(want, normal_form(one.name)) for one in found):
        shown = f'Nothing that you can see is called "{query}"; {count} with'
        query = word
    left = len(found) - limit
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
