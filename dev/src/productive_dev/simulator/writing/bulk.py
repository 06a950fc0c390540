"""Bulk requests: the collection's path, a list of resource objects, a media type of their own.

The media type and the list are the guide's. That a bulk request is all or nothing, that an error
points into the list, and that a deletion answers 204 is inferred; so is the greatest length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.resource import Resource
from productive_dev.simulator.errors import (
    ErrorObject,
    Problem,
    malformed_body,
    record_not_found,
)
from productive_dev.simulator.records import Record, Ref, State
from productive_dev.simulator.writing.write import create, remove, update

MOST: Final = 200

Items = Sequence[Mapping[str, Any]]


def bulk_create(context: Context, declared: Resource, items: Items) -> list[Record]:
    """Make all of the records or none.

    Raises:
        Problem: 422 with the faults of every refused item, or another answer of the first.
    """
    return _each(context, items, lambda item: create(context, declared, item))


def bulk_update(context: Context, declared: Resource, items: Items) -> list[Record]:
    """Change all of the records or none.

    Raises:
        Problem: as for `bulk_create`, and 404 for a record that is not there.
    """
    return _each(
        context,
        items,
        lambda item: update(context, declared, _named(context, declared, item), item),
    )


def bulk_delete(context: Context, declared: Resource, items: Items) -> None:
    """Remove all of the records or none.

    Raises:
        Problem: as for `bulk_update`.
    """

    def one(item: Mapping[str, Any]) -> Record:
        record = _named(context, declared, item)
        remove(context, declared, record)
        return record

    _each(context, items, one)


def bulk_act(
    context: Context,
    declared: Resource,
    items: Items,
    act: Callable[[Context, Record], Record | None],
) -> list[Record]:
    """Carry out an action on all of the records or none.

    Raises:
        Problem: as for `bulk_update`.
    """
    return _each(
        context, items, lambda item: act(context, _named(context, declared, item)) or _gone()
    )


def _each(
    context: Context, items: Items, one: Callable[[Mapping[str, Any]], Record]
) -> list[Record]:
    if not 0 < len(items) <= MOST:
        raise malformed_body()
    stored: list[Record] = []
    errors: list[ErrorObject] = []
    with _undone_on_error(context.state):
        for position, item in enumerate(items):
            try:
                stored.append(one(item))
            except Problem as problem:
                if problem.http_status != 422:
                    raise
                errors.extend(_at(position, error) for error in problem.errors)
        if errors:
            raise Problem(422, errors)
    return stored


@contextmanager
def _undone_on_error(state: State) -> Iterator[None]:
    saved = state.saved()
    try:
        yield
    except Problem:
        state.restore(saved)
        raise


def _at(position: int, error: ErrorObject) -> ErrorObject:
    pointer = error.source.get("pointer", "data").replace("data", f"data/{position}", 1)
    return replace(error, source={"pointer": pointer})


def _named(context: Context, declared: Resource, item: Mapping[str, Any]) -> Record:
    record = context.visible(Ref(declared.name, str(item.get("id"))))
    if record is None:
        raise record_not_found()
    return record


def _gone() -> Record:
    raise record_not_found()
