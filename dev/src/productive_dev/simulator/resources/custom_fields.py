"""Custom fields and their options."""

from __future__ import annotations

from collections.abc import Sequence

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.fields import (
    absent,
    choice,
    flag,
    moment,
    number,
    relation,
    relations,
    text,
)
from productive_dev.simulator.declare.filters import (
    Filter,
)
from productive_dev.simulator.declare.kinds import Kind
from productive_dev.simulator.declare.resource import EVERYTHING, administrators, resource
from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.resources.archive import archivable


def _options(context: Context, field: Record) -> Sequence[Ref]:
    found = context.state.pointing("custom_field_options", "custom_field", field.ref)
    return [option.ref for option in found]


def _archived(_: Context, record: Record) -> Sequence[str]:
    return ("false" if record.attributes["archived_at"] is None else "true",)


CUSTOM_FIELDS = resource(
    "custom_fields",
    (
        text("name", "! f"),
        text("description"),
        choice("data_type_id", "!"),
        text("customizable_type", "! f"),
        flag("global", "f", default=True),
        flag("required"),
        number("position"),
        flag("sensitive"),
        moment("archived_at"),
        number("aggregation_type_id"),
        number("formatting_type_id"),
        flag("show_in_add_edit_views", "f", default=True),
        flag("quick_add_enabled"),
        moment("created_at"),
        moment("updated_at"),
    ),
    (
        relation("project", "projects", "f"),
        absent("section", "survey"),
        relations("options", "custom_field_options", find=_options),
    ),
    filters={"archived": Filter(_archived, Kind.FLAG)},
    methods=EVERYTHING,
    writes=administrators,
    actions=archivable(),
)

CUSTOM_FIELD_OPTIONS = resource(
    "custom_field_options",
    (text("name", "! f"), number("position"), moment("archived_at"), number("color_id")),
    (relation("custom_field", "custom_fields", "! ~ f"),),
    filters={"archived": Filter(_archived, Kind.FLAG)},
    default_sort=("position",),
    methods=EVERYTHING,
    writes=administrators,
    actions=archivable(),
)
