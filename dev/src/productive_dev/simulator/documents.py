"""JSON:API documents, with the original's habits.

Recorded: a relation that was not asked for is a stub without data, `organization` always has data,
records are included row by row in the order of `include`, each once, and the parts come in the
order data, included, links, meta. Measured: `fields` rules attributes and relations alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.fields import Relation
from productive_dev.simulator.declare.resource import Resource, target_of
from productive_dev.simulator.errors import bad_query
from productive_dev.simulator.query.paging import Page
from productive_dev.simulator.query.parse import Query, Tree
from productive_dev.simulator.records import Record, Ref

_STUB: Final[Mapping[str, Any]] = {"meta": {"included": False}}
_NO_FIELDS: Final[Mapping[str, frozenset[str]]] = {}


@dataclass(slots=True)
class Writer:
    """Writes the records of one answer, and gathers what it includes."""

    context: Context
    query: Query
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What `meta` of every answer carries in some organizations (recorded)."""
    _included: dict[Ref, tuple[Record, Tree]] = field(default_factory=dict)

    def single(self, record: Record) -> dict[str, Any]:
        """Return the document of one record."""
        declared = self.context.resources[record.type]
        fields = self.query.fields if declared.fields_on_single else _NO_FIELDS
        data = self._object(record, self.query.include, fields)
        return self._document(data, fields, (record,)) | {"meta": {**self.settings}}

    def several(self, records: Sequence[Record]) -> dict[str, Any]:
        """Return the list that answers a bulk request; that it has no paging is inferred."""
        data = [self._object(record, self.query.include, self.query.fields) for record in records]
        return self._document(data, self.query.fields, records) | {"meta": {**self.settings}}

    def page(self, page: Page) -> dict[str, Any]:
        """Return the document of a page."""
        fields = self.query.fields
        data = [self._object(record, self.query.include, fields) for record in page.records]
        return self._document(data, fields, page.records) | {
            "links": page.links,
            "meta": {**page.meta, **self.settings},
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
        declared = self.context.resources[record.type]
        wanted = fields.get(record.type)
        sees_money = self.context.caller.manages
        attributes = {
            part.name: part.value(self.context, record)
            for part in declared.attributes.values()
            if (wanted is None or part.name in wanted) and (sees_money or not part.financial)
        }
        relations = {
            part.name: self._relation(record, part, tree)
            for part in declared.relations.values()
            if part.answered and (wanted is None or part.name in wanted)
        }
        written: dict[str, Any] = {"id": record.id, "type": record.type}
        if attributes:
            written["attributes"] = attributes
        if relations:
            written["relationships"] = relations
        return written

    def _relation(self, record: Record, declared: Relation, tree: Tree) -> Mapping[str, Any]:
        if declared.name not in tree and not declared.shown:
            return _STUB
        target = self._target(record, declared)
        if isinstance(target, Ref):
            return {"data": _identifier(target)}
        if declared.many:
            return {"data": [_identifier(ref) for ref in target or ()]}
        return {"data": None}

    def _gather_below(self, record: Record, tree: Tree) -> None:
        declared = self.context.resources[record.type]
        for name, below in tree.items():
            target = self._target(record, declared.relations[name])
            for ref in (target,) if isinstance(target, Ref) else target or ():
                self._gather(ref, below)

    def _gather(self, ref: Ref, below: Tree) -> None:
        found = self.context.state.at(ref)
        if found is None:
            return
        known = self._included.get(ref)
        merged = _merge(known[1], below) if known else below
        if known is None or merged != known[1]:
            self._included[ref] = (found, merged)
            self._gather_below(found, merged)

    def _target(self, record: Record, declared: Relation) -> Ref | tuple[Ref, ...] | None:
        target = target_of(self.context, record, declared)
        if declared.many and isinstance(target, tuple):
            return tuple(ref for ref in target if self.context.visible(ref) is not None)
        return target


def check_include(
    resources: Mapping[str, Resource], declared: Resource, tree: Tree, path: str = ""
) -> None:
    """Refuse an include that the resource does not have.

    Raises:
        Problem: 400 `unsupported_include`.
    """
    for name, below in tree.items():
        link = declared.relations.get(name)
        if link is None or not link.includable or (below and link.target not in resources):
            detail = f"Include '{path}{name}' is not supported on this endpoint."
            raise bad_query("unsupported_include", "Unsupported include", detail, "include")
        if link.target is not None and link.target in resources:
            check_include(resources, resources[link.target], below, f"{path}{name}.")


def _identifier(ref: Ref) -> dict[str, str]:
    return {"type": ref.type, "id": ref.id}


def _merge(left: Tree, right: Tree) -> Tree:
    return {name: _merge(left.get(name, {}), right.get(name, {})) for name in {**left, **right}}
