"""The order in which a request is checked, and its answer.

route → content type → token → rate limit → organization → read-only token → query → record →
state → validation. That the content type comes before the token was measured, the rest is inferred.
"""

from __future__ import annotations

from collections.abc import Iterable

from productive_dev.simulator.api.call import Answer, Call
from productive_dev.simulator.api.routes import Does, Target, route
from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.resource import CREATE, DELETE, UPDATE, Resource
from productive_dev.simulator.documents import Writer, check_include
from productive_dev.simulator.errors import (
    access_denied,
    malformed_body,
    record_not_found,
    unsupported_content_type,
)
from productive_dev.simulator.query.conditions import terms_of
from productive_dev.simulator.query.narrow import narrow
from productive_dev.simulator.query.paging import order_of, paged
from productive_dev.simulator.query.parse import Query, parse_query
from productive_dev.simulator.records import Record
from productive_dev.simulator.reports.answer import report_page
from productive_dev.simulator.resources import search
from productive_dev.simulator.world import World
from productive_dev.simulator.writing.body import parse_many, parse_optional, parse_single
from productive_dev.simulator.writing.bulk import bulk_act, bulk_create, bulk_delete, bulk_update
from productive_dev.simulator.writing.write import create, remove, update

_READS = frozenset({Does.LIST, Does.GET, Does.REPORT, Does.SEARCH})


def answer(world: World, call: Call) -> Answer:
    """Answer a request.

    Raises:
        Problem: every answer that is not a success.
    """
    target = route(world.resources, world.features, call)
    if call.method in ("POST", "PATCH", "PUT") and not call.has_media_type:
        raise unsupported_content_type()
    context = _context(world, target, call)
    if target.does not in _READS and context.caller.token.read_only:
        # Inferred: nobody recorded what a read-only token gets for a write.
        raise access_denied()
    query = parse_query(call.pairs)
    settings = world.settings(context.organization)
    if target.does is Does.REPORT:
        return Answer(200, report_page(context, target.kind, query, call, settings))
    declared = world.resources[target.kind]
    check_include(world.resources, declared, query.include)
    writer = Writer(context, query, settings)
    if target.does in (Does.LIST, Does.SEARCH):
        return Answer(200, _list(context, declared, query, call, writer))
    if target.does is Does.GET:
        return Answer(200, writer.single(_record(context, declared, target)))
    return _write(context, declared, target, call, writer)


def _context(world: World, target: Target, call: Call) -> Context:
    token = world.authenticated(call.headers.get("x-auth-token"))
    organization = call.headers.get("x-organization-id")
    world.count(token, organization, report=target.does is Does.REPORT)
    declared = world.resources.get(target.kind)
    if declared is not None and declared.headerless and organization not in token.people:
        organization = next(iter(token.people))
    flags = call.headers.get("x-feature-flags", "")
    return Context(
        world.state,
        world.caller(token, organization),
        world.clock.now(),
        world.resources,
        frozenset(flag.strip() for flag in flags.split(",") if flag.strip()),
    )


def _list(
    context: Context, declared: Resource, query: Query, call: Call, writer: Writer
) -> dict[str, object]:
    order_of(declared, query.sort)
    if declared.name == search.NAME:
        found = search.found_by(context, query.filters)
    else:
        found = narrow(context, declared, _listed(context, declared, query), query.filters)
    return writer.page(paged(context, declared, found, query, call.address))


def _listed(context: Context, declared: Resource, query: Query) -> Iterable[Record]:
    if declared.listed is not None:
        return declared.listed(context)
    seen = (record for record in context.all(declared.name) if declared.sees(context, record))
    if declared.name == "bookings" and not _wants_drafts(query):
        return (record for record in seen if not record.attributes["draft"])
    return seen


def _wants_drafts(query: Query) -> bool:
    return any(
        term.key == "draft" or (term.key == "with_draft" and term.values == ("true",))
        for term in terms_of(query.filters)
    )


def _record(context: Context, declared: Resource, target: Target) -> Record:
    if declared.listed is not None:
        known = {record.id: record for record in declared.listed(context)}
        found = known.get(target.record_id)
    else:
        found = context.state.get(declared.name, target.record_id)
        found = found if found is not None and context.sees(found) else None
    if found is None:
        raise record_not_found()
    return found


def _write(
    context: Context, declared: Resource, target: Target, call: Call, writer: Writer
) -> Answer:
    match target.does:
        case Does.CREATE:
            made = declared.collection_actions.get(("POST", ""))
            data = parse_single(call.body)
            record = made(context, data) if made else create(context, declared, data)
            return _single(writer, record, 201)
        case Does.UPDATE:
            data = parse_single(call.body)
            changed = update(context, declared, _record(context, declared, target), data)
            return _single(writer, changed, 200)
        case Does.DELETE:
            remove(context, declared, _record(context, declared, target))
            return Answer(204, None)
        case Does.ACT:
            record = _record(context, declared, target)
            outcome = declared.actions[target.action](context, record, parse_optional(call.body))
            return _single(writer, outcome, 200)
        case Does.ACT_ON_COLLECTION:
            act = declared.collection_actions[call.method, target.action]
            return _single(writer, act(context, parse_optional(call.body)), 201)
        case _:
            return _bulk(context, declared, target, call, writer)


def _bulk(
    context: Context, declared: Resource, target: Target, call: Call, writer: Writer
) -> Answer:
    items = parse_many(call.body)
    if target.does is Does.BULK_ACT:
        action = declared.actions[target.action]
        acted = bulk_act(context, declared, items, lambda c, record: action(c, record, {}))
        return Answer(200, writer.several(acted))
    wanted = {"POST": CREATE, "PATCH": UPDATE, "DELETE": DELETE}.get(call.method)
    if wanted == CREATE:
        return Answer(201, writer.several(bulk_create(context, declared, items)))
    if wanted == UPDATE:
        return Answer(200, writer.several(bulk_update(context, declared, items)))
    if wanted == DELETE:
        bulk_delete(context, declared, items)
        return Answer(204, None)
    raise malformed_body()


def _single(writer: Writer, record: Record | None, status: int) -> Answer:
    if record is None:
        return Answer(204, None)
    stored = writer.context.state.get(record.type, record.id) or record
    return Answer(status, writer.single(stored))
