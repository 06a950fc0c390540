"""JSON:API documents, with the original's habits.

A relation that was not asked for is a stub without data, `organization` always has data, what is
included is named once a page, and `fields` rules attributes and relations alike (all measured).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from productive_dev.simulator.access import Caller
from productive_dev.simulator.errors import bad_query
from productive_dev.simulator.query import MAX_PAGE_SIZE, Query, Tree
from productive_dev.simulator.records import Record, Ref, State
from productive_dev.simulator.resources import RESOURCES

_STUB: Final[Mapping[str, Any]] = {"meta": {"included": False}}


@dataclass(slots=True)
class Writer:
    """Writes the records of one answer, and gathers what it includes."""

    state: State
    caller: Caller
    query: Query
    _included: dict[Ref, tuple[Record, Tree]] = field(default_factory=dict)

    def single(self, record: Record) -> dict[str, Any]:
        """Return the document of one record."""
        fields = self.query.fields if RESOURCES[record.type].fields_on_single else {}
        data = self._object(record, self.query.include, fields)
        return self._document(data, fields, (record,)) | {"meta": {}}

    def page(
        self, records: Sequence[Record], url: str, pairs: Sequence[tuple[str, str]]
    ) -> dict[str, Any]:
        """Return the document of the page asked for; `url` and `pairs` make its links."""
        query = self.query
        first = (query.page - 1) * query.size
        shown = records[first : first + query.size]
        pages = -(-len(records) // query.size)
        objects = [self._object(record, query.include, query.fields) for record in shown]
        return self._document(objects, query.fields, shown) | {
            "links": _links(url, pairs, query.page, query.size, pages),
            "meta": {
                "current_page": query.page,
                "total_pages": pages,
                "total_count": len(records),
                "page_size": query.size,
                "max_page_size": MAX_PAGE_SIZE,
            },
        }

    def _document(
        self, data: Any, fields: Mapping[str, frozenset[str]], records: Sequence[Record]
    ) -> dict[str, Any]:
        document: dict[str, Any] = {"data": data}
        if self.query.include:
            for record in records:
                self._gather_below(record, self.query.include)
            document["included"] = [
                self._object(record, tree, fields) for record, tree in self._included.values()
            ]
        return document

    def _object(
        self, record: Record, tree: Tree, fields: Mapping[str, frozenset[str]]
    ) -> dict[str, Any]:
        resource = RESOURCES[record.type]
        wanted = fields.get(record.type)
        values = dict(record.attributes) | {
            name: compute(self.state, record) for name, compute in resource.computed.items()
        }
        attributes = {
            name: value
            for name, value in values.items()
            if (wanted is None or name in wanted) and not self.caller.hides(name)
        }
        relations = {
            name: self._relation(record, name, tree)
            for name in resource.relations
            if wanted is None or name in wanted
        }
        written: dict[str, Any] = {"id": record.id, "type": record.type}
        if attributes:
            written["attributes"] = attributes
        if relations:
            written["relationships"] = relations
        return written

    def _relation(self, record: Record, name: str, tree: Tree) -> Mapping[str, Any]:
        if name == "organization" and (name in tree or RESOURCES[record.type].organization_shown):
            return {"data": {"type": "organizations", "id": record.organization}}
        if name not in tree:
            return _STUB
        target = self._target(record, name)
        if isinstance(target, Ref):
            return {"data": {"type": target.type, "id": target.id}}
        return {"data": None if target is None else [_identifier(ref) for ref in target]}

    def _gather_below(self, record: Record, tree: Tree) -> None:
        for name, below in tree.items():
            target = self._target(record, name)
            for ref in (target,) if isinstance(target, Ref) else target or ():
                self._gather(ref, below)

    def _gather(self, ref: Ref, below: Tree) -> None:
        found = self.state.get(ref.type, ref.id)
        if found is None:
            return
        known = self._included.get(ref)
        merged = _merge(known[1], below) if known else below
        if known is None or merged != known[1]:
            self._included[ref] = (found, merged)
            self._gather_below(found, merged)

    def _target(self, record: Record, name: str) -> Ref | tuple[Ref, ...] | None:
        if name == "organization":
            return Ref("organizations", record.organization)
        return record.relations.get(name)


def check_include(kind: str, tree: Tree) -> None:
    """Refuse an include that the resource does not have.

    Raises:
        Problem: 400 `unsupported_include`.
    """
    relations = RESOURCES[kind].relations
    for name, below in tree.items():
        if name not in relations:
            detail = f"Include '{name}' is not supported on this endpoint."
            raise bad_query("unsupported_include", "Unsupported include", detail, "include")
        target = relations[name]
        if target is not None:
            check_include(target, below)


def _identifier(ref: Ref) -> dict[str, str]:
    return {"type": ref.type, "id": ref.id}


def _merge(left: Tree, right: Tree) -> Tree:
    return {name: _merge(left.get(name, {}), right.get(name, {})) for name in {**left, **right}}


def _links(
    url: str, pairs: Sequence[tuple[str, str]], page: int, size: int, pages: int
) -> dict[str, str]:
    kept = [pair for pair in pairs if pair[0] not in ("page[number]", "page[size]", "per_page")]

    def link(number: int) -> str:
        paging = [("page[number]", str(number)), ("page[size]", str(size))]
        return f"{url}?{urlencode(sorted(kept) + paging)}"

    links = {"first": link(1), "last": link(max(pages, 1))}
    if page > 1:
        links["prev"] = link(page - 1)
    if page < pages:
        links["next"] = link(page + 1)
    return links
