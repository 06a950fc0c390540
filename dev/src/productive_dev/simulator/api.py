"""The API's routes, and the order in which a request is checked.

route → content type → token → rate limit → organization → read-only token → query → record →
validation. That the content type comes before the token was measured, the rest is inferred.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from productive_dev.simulator.access import Caller
from productive_dev.simulator.documents import Writer, check_include
from productive_dev.simulator.errors import (
    access_denied,
    malformed_body,
    not_simulated,
    record_not_found,
    route_not_found,
    unsupported_content_type,
)
from productive_dev.simulator.filters import narrow, order
from productive_dev.simulator.query import Query, parse_query
from productive_dev.simulator.records import Record, State
from productive_dev.simulator.resources import RESOURCES
from productive_dev.simulator.time_entries import Desk, create_entry, delete_entry, update_entry
from productive_dev.simulator.world import World

MEDIA_TYPE: Final = "application/vnd.api+json"
_WRITES: Final = frozenset({"POST", "PATCH", "PUT", "DELETE"})
_WRITABLE: Final = "time_entries"
_EVERYWHERE: Final = "organization_memberships"
"""The one collection that answers for all organizations, whatever the header says (measured)."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request, as far as the API looks at it."""

    method: str
    path: str
    """Below /api/v2, without a slash at its ends."""
    url: str
    """Its address without the query, which links begin with."""
    pairs: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Target:
    """What a route is about: a collection, or one record of it."""

    kind: str
    record_id: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a document; None is an answer without body or content type."""

    status: int
    document: dict[str, Any] | None


def answer(world: World, call: Call) -> Answer:
    """Answer a request.

    Raises:
        Problem: every answer that is not a success.
    """
    target = _route(call)
    if call.method in ("POST", "PATCH", "PUT"):
        media = call.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media != MEDIA_TYPE:
            raise unsupported_content_type()
    token = world.authenticated(call.headers.get("x-auth-token"))
    organization = call.headers.get("x-organization-id")
    world.limiter.count(
        world.clock.now(),
        token=token.value,
        organization=organization or next(iter(token.people)),
        limit=token.limit,
    )
    if target.kind == _EVERYWHERE and organization is not None:
        organization = organization if organization in token.people else next(iter(token.people))
    caller = world.caller(token, organization)
    if call.method in _WRITES and token.read_only:
        # Inferred: nobody recorded what a read-only token gets for a write.
        raise access_denied()
    query = parse_query(call.pairs)
    check_include(target.kind, query.include)
    writer = Writer(world.state, caller, query)
    if call.method != "GET":
        return _write(world, writer, target, call)
    if target.record_id is not None:
        return Answer(200, writer.single(_visible(world.state, caller, target)))
    return Answer(
        200, writer.page(_listed(world.state, caller, query, target), call.url, call.pairs)
    )


def _route(call: Call) -> Target:
    kind, _, record_id = call.path.partition("/")
    known = kind in RESOURCES and "/" not in record_id
    if not known or (record_id and not (record_id.isascii() and record_id.isdigit())):
        raise route_not_found()
    methods = ("GET", "PATCH", "DELETE") if record_id else ("GET", "POST")
    if call.method not in methods:
        raise route_not_found()
    if call.method != "GET" and kind != _WRITABLE:
        raise not_simulated(f"{call.method} on {kind}")
    return Target(kind, record_id or None)


def _listed(state: State, caller: Caller, query: Query, target: Target) -> list[Record]:
    resource = RESOURCES[target.kind]
    found = narrow(state, _collection(state, caller, target.kind), resource.filters, query.filters)
    if target.kind == "bookings" and not _wants_drafts(query):
        found = [record for record in found if not record.attributes["draft"]]
    return order(state, found, resource.sorts, query.sort, resource.default_sort)


def _collection(state: State, caller: Caller, kind: str) -> Iterable[Record]:
    if kind == _EVERYWHERE:
        own = set(caller.token.people.values())
        return (record for record in state.all(kind) if record.id in own)
    if kind == "users":
        # Measured: exactly the caller.
        membership = state.get(_EVERYWHERE, caller.person.id)
        user = state.follow(membership, "user") if membership else None
        return () if user is None else (user,)
    if kind == "organizations":
        # Inferred: the organizations that the token reaches.
        return (record for record in state.all(kind) if record.id in caller.token.people)
    return (record for record in state.all(kind) if caller.sees(record))


def _wants_drafts(query: Query) -> bool:
    return any(
        term.key == "draft" or (term.key == "with_draft" and term.values == ("true",))
        for term in query.filters
    )


def _visible(state: State, caller: Caller, target: Target) -> Record:
    for record in _collection(state, caller, target.kind):
        if record.id == target.record_id:
            return record
    raise record_not_found()


def _write(world: World, writer: Writer, target: Target, call: Call) -> Answer:
    desk = Desk(world.state, writer.caller, world.clock.now())
    if target.record_id is None:
        return Answer(201, writer.single(create_entry(desk, _data(call))))
    entry = _visible(world.state, writer.caller, target)
    if call.method == "DELETE":
        delete_entry(desk, entry)
        return Answer(204, None)
    return Answer(200, writer.single(update_entry(desk, entry, _data(call))))


def _data(call: Call) -> Mapping[str, Any]:
    try:
        document = json.loads(call.body)
    except ValueError:
        raise malformed_body() from None
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict):
        raise malformed_body()
    for part in ("attributes", "relationships"):
        if not isinstance(data.get(part) or {}, dict):
            raise malformed_body()
    return data
