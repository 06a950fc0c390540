"""Quick search: `GET /search/quick`, which names records of several kinds at once.

The vendor's schema has its filters and attributes, and that `type` is required; a client reads
`status`, `updated_at`, `icon_url` and `meta.project_name`. Order and rights are inferred: the order
of the types asked for, and what the caller sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.fields import mapping, text
from productive_dev.simulator.declare.filters import inert
from productive_dev.simulator.declare.kinds import Kind
from productive_dev.simulator.declare.resource import LIST, resource
from productive_dev.simulator.declare.sorts import collated
from productive_dev.simulator.errors import bad_query
from productive_dev.simulator.query.conditions import Group, terms_of
from productive_dev.simulator.records import Record
from productive_dev.simulator.resources.people import NAMES

NAME: Final = "search-quick-results"

_Is = Callable[[Record], bool]
_KINDS: Final[Mapping[str, tuple[str, _Is]]] = {
    "project": ("projects", lambda _: True),
    "deal": ("deals", lambda r: not r.attributes["budget"]),
    "budget": ("deals", lambda r: bool(r.attributes["budget"])),
    "person": ("people", lambda _: True),
    "company": ("companies", lambda _: True),
    "task": ("tasks", lambda _: True),
    "page": ("pages", lambda _: True),
    # A client asks for it; what it finds is not known.
    "action": ("actions", lambda _: False),
}

RESULTS = resource(
    NAME,
    (
        text("record_id", "-"),
        text("record_type", "-"),
        text("title", "-"),
        text("subtitle", "-"),
        text("icon", "-"),
        text("icon_url", "-"),
        text("status", "-"),
        text("updated_at", "-"),
        mapping("meta", "-", {}),
    ),
    filters={
        "query": inert(),
        "type": inert(),
        "status": inert(),
        "deep_search": inert(Kind.FLAG),
    },
    methods=frozenset({LIST}),
    organization_shown=False,
)


def found_by(context: Context, conditions: Group) -> list[Record]:
    """Return what a quick search finds.

    Raises:
        Problem: 400 without a type or with an unknown one.
    """
    given = {term.key: term.values for term in terms_of(conditions)}
    types = given.get("type", ())
    unknown = [name for name in types if name not in _KINDS]
    if not types or unknown:
        detail = f"Value '{','.join(unknown)}' is not supported for filter 'type'."
        title = "Unsupported filter value type"
        raise bad_query("unsupported_filter_value_type", title, detail, "filter[type]")
    words = [word.casefold() for word in " ".join(given.get("query", ())).split()]
    status = next(iter(given.get("status", ())), "active")
    return list(_results(context, types, words, status))


def _results(
    context: Context, types: tuple[str, ...], words: list[str], status: str
) -> Iterator[Record]:
    number = 0
    for name in types:
        kind, fits = _KINDS[name]
        hits = [r for r in context.all(kind) if fits(r) and context.sees(r)]
        for record in sorted(hits, key=lambda r: (collated(_title(r)), int(r.id))):
            state = _state(record)
            text_ = " ".join((_title(record), str(record.attributes.get("email") or ""))).casefold()
            if status in ("all", state) and all(word in text_ for word in words):
                number += 1
                yield Record(
                    NAME,
                    str(number),
                    record.organization,
                    {
                        "record_id": record.id,
                        "record_type": name,
                        "title": _title(record),
                        "subtitle": _subtitle(context, record),
                        "icon": None,
                        "icon_url": record.attributes.get("avatar_url"),
                        "status": state,
                        "updated_at": record.attributes.get("updated_at"),
                        "meta": _meta(context, record),
                    },
                )


def _title(record: Record) -> str:
    if record.type == "people":
        return " ".join(str(record.attributes[name] or "") for name in NAMES).strip()
    return str(record.attributes.get("name", record.attributes.get("title")))


def _state(record: Record) -> str:
    ended = ("archived_at", "closed_at", "deactivated_at")
    return "closed" if any(record.attributes.get(name) for name in ended) else "active"


def _subtitle(context: Context, record: Record) -> str | None:
    holder = context.follow(record, "project" if record.type != "projects" else "company")
    if holder is None:
        holder = context.follow(record, "company")
    return str(holder.attributes["name"]) if holder else None


def _meta(context: Context, record: Record) -> dict[str, Any]:
    project = record if record.type == "projects" else context.follow(record, "project")
    root = record.to_one("root_page") if record.type == "pages" else None
    meta = {"project_name": project.attributes["name"]} if project else {}
    return meta | ({"root_page_id": root.id} if root else {})
