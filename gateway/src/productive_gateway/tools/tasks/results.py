"""What became of one of several things, in answers."""

from __future__ import annotations

from productive_gateway.productive.records import declared as has
from productive_gateway.tools.kit.errors import Candidate, Problem


class Option(has.Declared):
    """Something that a reference may have meant."""

    id: str = has.ident(label="")
    name: str = has.name()
    context: str | None = has.line(label="")


class Failure(has.Declared):
    """Why something was not done."""

    code: str = has.ident(label="")
    message: str = has.line(label="")
    fix: str | None = has.line(label="")
    field: str | None = has.ident(default=None, label="")
    candidates: tuple[Option, ...] = has.many(lambda: Option)
    more_candidates: int | None = has.count(label="more candidates:")


def failure(problem: Problem) -> Failure:
    """Return a problem as a part of an answer."""
    return Failure(
        code=problem.code,
        message=problem.message,
        fix=problem.fix,
        field=problem.field,
        candidates=tuple(_option(one) for one in problem.candidates),
        more_candidates=problem.left or None,
    )


def _option(one: Candidate) -> Option:
    return Option(id=one.id, name=one.name, context=one.context)
