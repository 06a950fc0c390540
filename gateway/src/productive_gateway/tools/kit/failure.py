"""What went wrong with one of several things, as a part of an answer."""

from __future__ import annotations

from productive_gateway.productive.records import declared as has
from productive_gateway.tools.kit.errors import Problem


class Choice(has.Declared):
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
    candidates: tuple[Choice, ...] = has.many(lambda: Choice)
    more_candidates: int | None = has.count(label="more candidates:")
    retry_after_s: int | None = has.count(label="seconds to wait:")


def failure_of(problem: Problem) -> Failure:
    """Return a problem as a part of an answer."""
    return Failure(
        code=problem.code,
        message=problem.message,
        fix=problem.fix,
        field=problem.field,
        candidates=tuple(
            Choice(id=one.id, name=one.name, context=one.context) for one in problem.candidates
        ),
        more_candidates=problem.left or None,
        retry_after_s=problem.retry_after_s,
    )
