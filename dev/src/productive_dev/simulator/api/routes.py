"""Routes: which collection, record or action a path and a method mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from productive_dev.simulator.api import known
from productive_dev.simulator.api.call import Call
from productive_dev.simulator.declare.resource import (
    CREATE,
    DELETE,
    GET,
    LIST,
    UPDATE,
    Resource,
)
from productive_dev.simulator.errors import Problem, not_simulated, route_not_found
from productive_dev.simulator.reports.reports import REPORTS
from productive_dev.simulator.resources import search

BOARDS = "boards"
"""The old name of folders, and the feature that brings it back."""


class Does(Enum):
    """What a request is for."""

    LIST = auto()
    GET = auto()
    CREATE = auto()
    UPDATE = auto()
    DELETE = auto()
    BULK = auto()
    ACT = auto()
    ACT_ON_COLLECTION = auto()
    BULK_ACT = auto()
    REPORT = auto()
    SEARCH = auto()


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about."""

    does: Does
    kind: str
    record_id: str = ""
    action: str = ""


_ON_COLLECTION = {"GET": (LIST, Does.LIST), "POST": (CREATE, Does.CREATE)}
_ON_RECORD = {
    "GET": (GET, Does.GET),
    "PATCH": (UPDATE, Does.UPDATE),
    "PUT": (UPDATE, Does.UPDATE),
    "DELETE": (DELETE, Does.DELETE),
}
_BULK = {"POST": CREATE, "PATCH": UPDATE, "DELETE": DELETE}


def route(resources: Mapping[str, Resource], features: frozenset[str], call: Call) -> Target:
    """Return what a request is about.

    Raises:
        Problem: 404 for what the API does not have, 501 for what only the simulator lacks.
    """
    parts = call.path.split("/")
    if parts[0] == BOARDS and BOARDS in features:
        parts[0] = "folders"
    match parts:
        case ["search", "quick"] if call.method == "GET":
            return Target(Does.SEARCH, search.NAME)
        case ["reports", name] if call.method == "GET":
            return _report(name)
        case [kind, *rest] if kind in resources and kind != search.NAME:
            return _in_collection(resources[kind], rest, call)
        case [kind, *_] if kind in known.COLLECTIONS:
            raise not_simulated(f"The collection {kind}")
    raise route_not_found()


def _report(name: str) -> Target:
    if name in REPORTS:
        return Target(Does.REPORT, name)
    raise not_simulated(f"The report {name}") if name in known.REPORTS else route_not_found()


def _in_collection(declared: Resource, rest: list[str], call: Call) -> Target:
    match rest:
        case []:
            return _on_collection(declared, call)
        case [number] if _is_id(number):
            return _method(declared, _ON_RECORD, call, number)
        case [number, name] if _is_id(number):
            return _action(declared, number, name, call)
        case [name]:
            return _collection_action(declared, name, call)
    raise route_not_found()


def _on_collection(declared: Resource, call: Call) -> Target:
    if call.is_bulk and call.method in _BULK:
        # Measured: another Accept than the bulk one is answered so.
        if not call.accepts_bulk or _BULK[call.method] not in declared.bulk:
            raise route_not_found()
        return Target(Does.BULK, declared.name)
    return _method(declared, _ON_COLLECTION, call, "")


def _method(
    declared: Resource, methods: Mapping[str, tuple[str, Does]], call: Call, number: str
) -> Target:
    if call.method not in methods:
        raise route_not_found()
    name, does = methods[call.method]
    if name in declared.methods:
        return Target(does, declared.name, number)
    raise _missing(declared, name)


def _missing(declared: Resource, method: str) -> Problem:
    if method in declared.lacks:
        return route_not_found()
    return not_simulated(f"To {method} records of {declared.name}")


def _action(declared: Resource, number: str, name: str, call: Call) -> Target:
    if name in declared.actions:
        if call.method == "PATCH" or (call.method == "PUT" and name in declared.puts):
            return Target(Does.ACT, declared.name, number, name)
    elif name in known.ACTIONS and call.method in ("PATCH", "POST", "PUT"):
        raise not_simulated(f"The action {name} of {declared.name}")
    raise route_not_found()


def _collection_action(declared: Resource, name: str, call: Call) -> Target:
    if (call.method, name) in declared.collection_actions:
        return Target(Does.ACT_ON_COLLECTION, declared.name, action=name)
    if call.method == "PATCH" and name in declared.bulk_actions:
        if not (call.is_bulk and call.accepts_bulk):
            raise route_not_found()
        return Target(Does.BULK_ACT, declared.name, action=name)
    if name in known.ACTIONS and call.method in ("PATCH", "POST"):
        raise not_simulated(f"The action {name} of {declared.name}")
    raise route_not_found()


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit()
