"""Companies, and the parts of the vocabulary that deals and services take from them."""

from __future__ import annotations

from collections.abc import Sequence

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.fields import (
    absent,
    choice,
    constant,
    flag,
    mapping,
    moment,
    number,
    relation,
    text,
    texts,
)
from productive_dev.simulator.declare.filters import (
    by_choice,
    by_ref,
    inert,
    search,
    set_or_not,
)
from productive_dev.simulator.declare.kinds import Kind
from productive_dev.simulator.declare.resource import (
    DELETE,
    EVERYTHING,
    UPDATE,
    Lineage,
    administrators,
    managers,
    resource,
)
from productive_dev.simulator.declare.sorts import by
from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.resources.archive import archivable


def _projects(context: Context, company: Record) -> Sequence[Ref]:
    return [p.ref for p in context.state.pointing("projects", "company", company.ref)]


COMPANIES = resource(
    "companies",
    (
        text("name", "! f o"),
        text("billing_name", "f"),
        text("vat", "f"),
        text("default_currency", "f"),
        moment("created_at", "- f o"),
        moment("last_activity_at", "- f o"),
        moment("archived_at", "- f"),
        text("avatar_url"),
        constant("original_avatar_url", None),
        mapping("invoice_email_recipients", "-", {}),
        mapping("custom_fields"),
        text("company_code", "f o"),
        text("domain"),
        flag("projectless_budgets", "-"),
        number("default_subsidiary_id"),
        number("default_tax_rate_id"),
        number("default_document_type_id"),
        number("due_days", "f"),
        texts("tag_list", "f=tags"),
        mapping("contact", "", {}),
        flag("sample_data", "-"),
        mapping("settings", "", {}),
        text("external_id", "-"),
        flag("external_sync", "-"),
        number("parent_company_id", "f"),
    ),
    (
        relation("default_subsidiary", "subsidiaries", "-"),
        absent(
            "default_tax_rate",
            "custom_field_people",
            "custom_field_attachments",
            "integration_exporter_configuration",
            "einvoice_identity",
        ),
        # Recorded: it has data where nobody asked for it.
        relation("parent_company", "companies", "-", shown=True),
    ),
    filters={
        "query": search("name", "billing_name", "company_code"),
        "full_query": search("name", "billing_name", "company_code"),
        "status": by_choice(set_or_not("archived_at")),
        "project_id": by_ref(_projects),
        "subscriber_id": inert(Kind.RELATION),
    },
    sorts={"parent_company": by("name", "parent_company")},
    default_sort=("name",),
    methods=EVERYTHING - {DELETE},
    lacks=frozenset({DELETE}),
    bulk=frozenset({UPDATE}),
    writes=managers,
    actions=archivable(),
    lineage=Lineage("Company", lambda r: str(r.attributes["name"])),
)

SERVICE_TYPES = resource(
    "service_types",
    (text("name", "- f"), text("description", "-"), moment("archived_at")),
    filters={"query": search("name"), "status": by_choice(set_or_not("archived_at"))},
    writes=administrators,
    actions=archivable(),
    default_sort=("name",),
)

PIPELINES = resource(
    "pipelines",
    (
        text("name", "- o"),
        choice("pipeline_type_id", "- f"),
        moment("created_at"),
        text("icon_id", "-"),
        number("position", "-"),
    ),
    default_sort=("name",),
)

DEAL_STATUSES = resource(
    "deal_statuses",
    (
        text("name", "- o"),
        number("position", "- o"),
        choice("status_id", "- f o"),
        flag("probability_enabled", "-"),
        number("probability", "-"),
        flag("lost_reason_enabled", "-"),
        choice("color_id", "-"),
        moment("created_at", "- o"),
        moment("archived_at"),
        flag("time_tracking_enabled", "-", default=True),
        flag("expense_tracking_enabled", "-", default=True),
        flag("booking_tracking_enabled", "-", default=True),
        flag("used", "-", default=True),
    ),
    (relation("pipeline", "pipelines", "- f o=pipeline_id"),),
    filters={"query": search("name")},
)
