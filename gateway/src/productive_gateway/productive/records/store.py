"""Reads and writes records for one person.

Filters are named as Productive names them (`productive_gateway.productive.records.*` say which are
known to work); a value that is a list means "any of".
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Generic, TypeVar

from productive_gateway.productive.identity import Identity
from productive_gateway.productive.records.record import Record, decode, query_of, resource_of
from productive_gateway.productive.wire.client import ProductiveSession, Query, page
from productive_gateway.productive.wire.errors import (
    FeatureOff,
    Forbidden,
    NotFound,
    NotSimulated,
    ProductiveError,
    Refused,
    StateUnknown,
    Unreachable,
)
from productive_gateway.productive.wire.jsonapi import Document, DocumentError

R = TypeVar("R", bound=Record)
T = TypeVar("T")
Filters = Mapping[str, "str | int | bool | date | Iterable[str] | None"]
"""By name, such as `project_id` or `stopped_at][eq`; None leaves a filter out."""
Values = Mapping[str, Any]
"""What to write, by field: see `record.resource_of`."""

_FRESH: Final = 5.0
"""Seconds in which a list counts as just read: one call may miss many names."""
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
MOST_PAGES: Final = 10
"""Pages of 200 that a complete list may have."""


@dataclass(frozen=True, slots=True)
class Rows(Generic[R]):
    """Some records of a list."""

    rows: tuple[R, ...]
    total: int | None
    """How many the list has, if it is known."""
    complete: bool
    """Whether these are all."""


class Records:
    """The records that one person may see and change, in one call."""

    def __init__(self, session: ProductiveSession) -> None:
        self._session = session

    async def me(self) -> Identity:
        """Return who the person is; see `ProductiveSession.identity`."""
        return await self._session.identity()

    async def get(self, cls: type[R], id: str) -> R:  # noqa: A002
        """Read one record.

        Raises:
            NotFound: there is none, or the person may not see it.
            ProductiveError: see `wire.errors`.
        """
        document = await self._session.get(_path(cls, id), query_of(cls))
        return _only(cls, document)

    async def page(
        self,
        cls: type[R],
        filters: Filters,
        *,
        sort: str | None = None,
        number: int = 1,
        size: int = 25,
    ) -> Rows[R]:
        """Read one page of a list.

        Args:
            cls: the record.
            filters: see `Filters`.
            sort: a field that Productive sorts by, with "-" in front for descending order.
            number: of the page, from 1.
            size: records of a page, at most 200.
        """
        query = (*_query(cls, filters, sort), *page(number, size))
        document = await self._session.get(cls.path, query)
        return Rows(
            _rows(cls, document),
            document.total_count,
            number >= (document.total_pages or 0),
        )

    async def all(
        self, cls: type[R], filters: Filters, *, sort: str | None = None, most: int = MOST_PAGES
    ) -> Rows[R]:
        """Read a whole list, up to `most` pages of 200."""
        document, complete = await self._session.pages(
            cls.path, _query(cls, filters, sort), most=most
        )
        return Rows(_rows(cls, document), document.total_count, complete)

    async def first(self, cls: type[R], filters: Filters, *, sort: str | None = None) -> R | None:
        """Read the first record of a list."""
        found = await self.page(cls, filters, sort=sort, size=1)
        return found.rows[0] if found.rows else None

    async def remembered(
        self,
        cls: type[R],
        filters: Filters,
        *,
        lifetime: float,
        make: Callable[[Rows[R]], T],
        fresh: bool = False,
    ) -> T:
        """Return what is made of a whole list that changes rarely.

        Args:
            cls: the record.
            filters: see `Filters`.
            lifetime: seconds for which a list that is read now is good.
            make: prepares the list; what it returns is remembered.
            fresh: read again in any case.
        """
        query = _query(cls, filters, None)
        key = (
            *_lists_of(cls),
            make.__qualname__,
            cls.__module__,
            cls.__qualname__,
            *(f"{name}={value}" for name, value in query),
        )
        if fresh:
            self._session.forget(key, older_than=_FRESH)

        async def read() -> T:
            return make(await self.all(cls, filters))

        return await self._session.remember(key, lifetime, read)

    async def create(self, cls: type[R], values: Values) -> R:
        """Create a record and return it as it is then, with what it refers to.

        Raises:
            StateUnknown: the request was sent, and no usable answer came back.
            ProductiveError: it was not created; see `wire.errors`.
        """
        body = {"data": resource_of(cls, values)}
        return _written(cls, await self._send(cls, "POST", cls.path, body))

    async def create_many(self, cls: type[R], several: Sequence[Values]) -> tuple[R, ...]:
        """Create records by one request, in this order; the answer refers to nothing else.

        Raises:
            StateUnknown: the request was sent, and no usable answer came back.
            ProductiveError: see `wire.errors`.
        """
        body = {"data": [resource_of(cls, values) for values in several]}
        document = await self._send(cls, "POST", cls.path, body, bulk=True)
        if document is None or len(document.records) != len(several):
            raise StateUnknown("the answer does not name all records")
        return _rows(cls, document)

    async def update(self, cls: type[R], id: str, values: Values) -> R:  # noqa: A002
        """Change fields of a record and return it as it is then.

        Raises:
            StateUnknown: the request was sent, and no usable answer came back.
            ProductiveError: nothing was changed; see `wire.errors`.
        """
        body = {"data": resource_of(cls, values, id=id)}
        return _written(cls, await self._send(cls, "PATCH", _path(cls, id), body))

    async def delete(self, cls: type[Record], id: str) -> None:  # noqa: A002
        """Delete a record.

        Raises:
            StateUnknown: the request was sent, and no usable answer came back.
            ProductiveError: nothing was deleted; see `wire.errors`.
        """
        await self._session.write("DELETE", _path(cls, id))
        self._session.forget_under(_lists_of(cls))

    async def act(
        self,
        cls: type[R],
        action: str,
        values: Values | None = None,
        *,
        id: str | None = None,  # noqa: A002
        method: str = "PATCH",
    ) -> R | None:
        """Run an action of a record, such as `stop`, or of a collection, such as `copy`.

        Args:
            cls: the record.
            action: last part of the path.
            values: attributes of the request, if it takes any.
            id: of the record; None for an action of the collection.
            method: PATCH or POST.

        Returns:
            The record of the answer; None if the answer has none.
        """
        path = f"{cls.path if id is None else _path(cls, id)}/{action}"
        body = None if values is None else {"data": resource_of(cls, values, id=id)}
        document = await self._send(cls, method, path, body)
        return _written(cls, document) if document and document.records else None

    async def _send(
        self, cls: type[R], method: str, path: str, body: Any, *, bulk: bool = False
    ) -> Document | None:
        query = () if bulk else query_of(cls)
        try:
            return await self._session.write(method, path, body, query, bulk=bulk)
        except ProductiveError as error:
            error.about = cls.type
            raise
        finally:
            # The person's next call must find by its new name what this one renamed.
            self._session.forget_under(_lists_of(cls))


async def if_possible(read: Awaitable[T], *, if_understood: bool = False) -> T | None:
    """Return what a read gives; None if the organization lacks it or the person may not see it.

    Args:
        read: what an answer can do without; all other errors are raised.
        if_understood: also None if Productive does not understand the request.
    """
    try:
        return await read
    except (Forbidden, FeatureOff, NotFound, NotSimulated):
        return None
    except Refused:
        if not if_understood:
            raise
        return None


def _lists_of(cls: type[Record]) -> tuple[str, str]:
    """Return the beginning of the keys of all remembered lists of a type."""
    return "list", cls.type


def _path(cls: type[Record], id: str) -> str:  # noqa: A002
    """Return the path of a record; an id comes from outside, and must not lead anywhere else.

    Raises:
        NotFound: no record has such an id.
    """
    if not _ID.fullmatch(id):
        raise NotFound("not an id")
    return f"{cls.path}/{id}"


def _query(cls: type[Record], filters: Filters, sort: str | None) -> Query:
    query = [
        (f"filter[{name}]", _text(value)) for name, value in filters.items() if value is not None
    ]
    query += [("sort", sort)] if sort else []
    return (*query, *query_of(cls))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str | int):
        return str(value)
    return ",".join(value)


def _rows(cls: type[R], document: Document) -> tuple[R, ...]:
    return tuple(decode(cls, document, resource) for resource in document.records)


def _only(cls: type[R], document: Document) -> R:
    try:
        return decode(cls, document, document.only())
    except DocumentError as error:
        raise Unreachable("the answer does not hold the record") from error


def _written(cls: type[R], document: Document | None) -> R:
    if document is None:
        raise StateUnknown("the answer is empty")
    try:
        return decode(cls, document, document.only())
    except DocumentError as error:
        raise StateUnknown("the answer does not name the record") from error
