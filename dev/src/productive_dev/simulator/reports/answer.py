"""The answer to a request for a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from productive_dev.simulator.api.call import Call
from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.fields import anything, relation
from productive_dev.simulator.declare.resource import resource
from productive_dev.simulator.documents import Writer, check_include
from productive_dev.simulator.query.paging import numbered
from productive_dev.simulator.query.parse import Query
from productive_dev.simulator.records import Record
from productive_dev.simulator.reports.reports import REPORTS, rows_of

_TARGETS = {
    "budget": "deals",
    "company": "companies",
    "deal": "deals",
    "event": "events",
    "person": "people",
    "project": "projects",
    "service": "services",
    "task": "tasks",
}


def report_page(
    context: Context, name: str, query: Query, call: Call, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return one page of a report.

    Raises:
        Problem: 400 for a cursor, or an unsupported filter, group, sort or include.
    """
    rows = rows_of(context, name, query)
    names = dict.fromkeys(key for row in rows for key in row.attributes)
    declared = resource(
        name,
        [anything(key, None) for key in names],
        [relation(link, _TARGETS[link], "-") for link in REPORTS[name].links],
    )
    resources = {**context.resources, name: declared}
    check_include(resources, declared, query.include)
    records = [
        Record(name, row.id, context.organization, row.attributes, row.relations) for row in rows
    ]
    page = numbered(records, query, call.address)
    return Writer(replace(context, resources=resources), query, settings).page(page)
