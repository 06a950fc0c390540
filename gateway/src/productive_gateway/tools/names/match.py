"""Matches a reference to exactly one record, or to none.

Pure: the candidates come in as a list. The readings of a reference are tried from the surest to the
least sure: web link, `me`, e-mail address, name with id, bare id, number, name. A name wins when it
is written out in full, or when it is clearly ahead of all others. Two that fit about equally well
are never chosen between (design invariant 14), and one that merely looks similar is only offered,
because "Acme 2026" is very similar to "Acme 2025".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from productive_gateway.tools.names.kinds import RecordKind
from productive_gateway.tools.names.normal_form import (
    EXACT,
    PREFIX,
    SAME_WORDS,
    SIMILAR,
    WORDS,
    NormalForm,
    fit,
    likeness,
    normal_form,
    normalized,
)
from productive_gateway.tools.names.options import Option, Options, Place
from productive_gateway.tools.names.reference import (
    Label,
    Reference,
    paths_of,
    split_label,
)

MOST_CANDIDATES: Final = 5
AHEAD: Final = 15
"""By how many points a name that is not written out in full must lead the next one."""

_HOW: Final = {
    EXACT: "exact name",
    SAME_WORDS: "same words in another order",
    PREFIX: "unique beginning",
    WORDS: "unique word match",
}


@dataclass(frozen=True, slots=True)
class Match:
    """The one record that is meant."""

    option: Option
    how: str
    """How it was found; the answer repeats it."""
    contradicted: bool = False
    """The id decided, although the name beside it is not the record's name; `how` says so."""


@dataclass(frozen=True, slots=True)
class Inactive:
    """The one record that is meant, but it is archived, closed or deactivated."""

    option: Option
    how: str
    contradicted: bool = False


@dataclass(frozen=True, slots=True)
class NoMatch:
    """No record fits, or more than one does."""

    nearest: tuple[Option, ...]
    """At most `MOST_CANDIDATES`, the best first, those in use before the others."""
    ambiguous: bool
    left: int = 0
    """How many more there are."""


_place_form: Final = lru_cache(maxsize=1024)(normal_form)
"""The same few companies and budgets are around many records."""
_NOTHING: Final = NoMatch((), ambiguous=False)


def match(
    reference: Reference, options: Options, *, me: str | None = None, offer_all: bool = False
) -> Match | Inactive | NoMatch:
    """Return the one record that is meant.

    Args:
        reference: the reference, read for the kind of these records.
        options: the candidates.
        me: the id of the calling person.
        offer_all: the records are a short list that belongs together, such as the services of a
            project: when nothing fits, all count as candidates, not only the similar ones.
    """
    if reference.link_id is not None:
        return _only(options.with_id(reference.link_id), "link") or _NOTHING
    if reference.me:
        return _only(options.with_id(me) if me else (), "me") or _NOTHING
    if reference.email is not None:
        return _only(options.with_email(reference.email), "e-mail address") or _NOTHING
    return (
        _by_label(reference, options)
        or _by_number(reference, options)
        or _by_name(reference, options)
        or _nearest(reference, options, offer_all=offer_all)
    )


def candidates(ordered: Sequence[Option], *, ambiguous: bool = True) -> NoMatch:
    """Return the first few of these records as candidates, and how many are left."""
    shown = tuple(ordered[:MOST_CANDIDATES])
    return NoMatch(shown, ambiguous, len(ordered) - len(shown))


def _by_label(reference: Reference, options: Options) -> Match | Inactive | NoMatch | None:
    """Match a name with an id or a number beside it; a name that agrees makes it certain."""
    for label in reference.labels:
        agreeing = [one for one in _labelled(label, options) if _agrees(label.name, one)]
        found = _only(agreeing, "id" if label.id else _how_numbered(reference.kind))
        if found is not None:
            return found
    contradicting = [
        one for label in reference.labels if label.id for one in _labelled(label, options)
    ]
    if not contradicting:
        return None
    # "Campaign (2025)" may also be a whole name. Its exact spelling decides against the id.
    whole = normal_form(reference.name)
    named = [one for one, have in options.forms if fit(whole, have) == EXACT]
    if any(one.name == reference.text for one in named):
        return None
    return _contradicted(_one_of(sorted({*contradicting, *named}, key=_order_alike), "id"))


def _by_number(reference: Reference, options: Options) -> Match | Inactive | NoMatch | None:
    """Match digits as an id, and a text without blanks as a number."""
    if reference.bare_id is not None:
        found = _only(options.with_id(reference.bare_id), "id")
        if found is not None:
            return found
    numbered = {one for number in reference.numbers for one in options.with_number(number)}
    return _only(numbered, _how_numbered(reference.kind))


def _contradicted(found: Match | Inactive | NoMatch | None) -> Match | Inactive | NoMatch | None:
    how = "id, although its name is not the one that was given"
    match found:
        case Match():
            return Match(found.option, how, contradicted=True)
        case Inactive():
            return Inactive(found.option, how, contradicted=True)
        case _:
            return found


def _labelled(label: Label, options: Options) -> tuple[Option, ...]:
    if label.id is not None:
        return options.with_id(label.id)
    return options.with_number(label.number) if label.number is not None else ()


def _agrees(name: str, option: Option) -> bool:
    """Return whether a name beside an id is the record's name, or part of it."""
    have, want = normal_form(option.name), normal_form(name)
    # Answers cut names and clean them: blanks may be others than in Productive, and a name without
    # letters and digits may be shown as something else.
    if not have.padded or _letters(have).startswith(_letters(want)):
        return True
    return any(
        fit(normal_form(path.name), have) >= WORDS and _lies_in(path.scope, option.within)
        for path in paths_of(name)
    )


def _letters(form: NormalForm) -> str:
    return form.padded.replace(" ", "")


def _by_name(reference: Reference, options: Options) -> Match | Inactive | NoMatch | None:
    fitting = _fitting(reference, options)
    active = [pair for pair in fitting if pair[1].inactive is None]
    ahead = _ahead(reference, active or fitting)
    if active and active[0][0] < EXACT:
        # Somebody who writes out the name of a closed record does not mean a longer name.
        ahead += [option for points, option in fitting if option.inactive and points == EXACT]
    return _one_of(ahead, _HOW[(active or fitting)[0][0]]) if ahead else None


def _fitting(reference: Reference, options: Options) -> list[tuple[int, Option]]:
    """Return the records whose names fit, the best first."""
    whole = normal_form(reference.name)
    inner = [(path, normal_form(path.name)) for path in reference.paths if path.scope]
    literal = {reference.text, reference.name} - {""}
    found: list[tuple[int, Option]] = []
    for option, have in options.forms:
        points = EXACT if option.name in literal else fit(whole, have)
        for path, want in inner:
            better = EXACT if option.name == path.name else fit(want, have)
            if better > points and _lies_in(path.scope, option.within):
                points = better
        if points:
            found.append((points, option))
    return sorted(found, key=_order)


def _order(pair: tuple[int, Option]) -> tuple[int, bool, int, str, int, str]:
    points, option = pair
    # The shorter of two names that fit is the nearer one; the rest makes the order the same always.
    return (
        -points,
        option.inactive is not None,
        len(option.name),
        option.name,
        len(option.id),
        option.id,
    )


def _order_alike(option: Option) -> tuple[int, bool, int, str, int, str]:
    return _order((0, option))


def _ahead(reference: Reference, fitting: Sequence[tuple[int, Option]]) -> list[Option]:
    """Return the one that fits best, or all between which only the user can choose."""
    if not fitting:
        return []
    best = fitting[0][0]
    if best < EXACT:
        return [option for points, option in fitting if points > best - AHEAD]
    full = [option for points, option in fitting if points == EXACT]
    # "Luka" and "Lúka" both fit; only the exact spelling may decide.
    inner = {path.name for path in reference.paths if path.scope}
    for spellings in ({reference.text, *inner}, {reference.name, *inner}):
        spelled = [option for option in full if option.name in spellings]
        if len(spelled) == 1:
            return spelled
    return full


def _lies_in(scope: Sequence[str], within: Sequence[Place]) -> bool:
    """Return whether the levels of a path are around a record, in this order.

    Two levels may be one place, because names have slashes too. A level without letters and digits
    says nothing.
    """
    at = 0
    for level in filter(normalized, scope):
        found = (i for i in range(at, len(within)) if _is_place(level, within[i]))
        at = next(found, -1)
        if at < 0:
            return False
    return True


def _is_place(level: str, place: Place) -> bool:
    have = _place_form(place.name)
    if level == place.name or fit(_place_form(level), have):
        return True
    label = split_label(level)
    if label.id is not None and place.id is not None:
        return label.id == place.id
    return fit(_place_form(label.name), have) >= WORDS


def _only(found: Iterable[Option], how: str) -> Match | Inactive | NoMatch | None:
    """Return the one record; those in use come before the others; None if there is none."""
    every = sorted(found, key=_order_alike)
    active = [option for option in every if option.inactive is None]
    return _one_of(active or every, how)


def _one_of(found: Sequence[Option], how: str) -> Match | Inactive | NoMatch | None:
    if len(found) > 1:
        return candidates(found)
    for option in found:
        return Match(option, how) if option.inactive is None else Inactive(option, how)
    return None


def _nearest(reference: Reference, options: Options, *, offer_all: bool) -> NoMatch:
    least = 0 if offer_all else SIMILAR
    forms = [have for _, have in options.forms]
    wants = {normal_form(reference.leaf), normal_form(reference.name)}
    points = map(max, zip(*(likeness(want, forms) for want in wants), strict=True))
    alike = [pair for pair in zip(points, options.all, strict=True) if pair[0] >= least]
    return candidates([option for _, option in sorted(alike, key=_order)], ambiguous=False)


def _how_numbered(kind: RecordKind) -> str:
    return f"{kind} number"
