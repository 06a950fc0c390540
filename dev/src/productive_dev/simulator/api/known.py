"""What Productive's API has and the simulator lacks: it is answered 501, not 404.

The collections are those of the vendor's schema and of its specification.
"""

from __future__ import annotations

from typing import Final

COLLECTIONS: Final = frozenset(
    {
        *("agent_configs", "agents", "allocations", "approval_workflows"),
        *("automatic_invoicing_rules", "automations", "bank_accounts"),
        *("bill_items", "bills", "calendar_events", "contact_entries", "contracts"),
        *("custom_domains", "custom_field_sections", "dashboards"),
        *("deal_cost_rates", "deleted_items", "document_styles"),
        *("document_types", "einvoice_configurations", "einvoice_identities"),
        *("email_threads", "emails", "exchange_rates", "expense_line_items"),
        *("expenses", "filters", "integration_exporter_configurations"),
        *("integrations", "invitations", "invoice_attributions"),
        *("invoice_templates", "invoices", "kpd_codes", "line_items"),
        *("lost_reasons", "notifications", "organization_subscriptions"),
        *("overheads", "page_versions", "passwords"),
        *("payment_reminder_sequences", "payments", "placeholder_usages"),
        *("placeholders", "prices", "project_assignments", "proposal_sections"),
        *("proposal_services", "proposals", "pulses", "purchase_orders"),
        *("rate_cards", "report_categories", "resource_requests"),
        *("revenue_distributions", "roles", "scenario_bookings"),
        *("scenario_items", "scenario_sections", "scenario_services"),
        *("scenarios", "service_type_assignments", "sessions", "slack_channels"),
        *("slack_messages", "slack_users", "survey_field_options"),
        *("survey_fields", "survey_responses", "surveys", "tax_rates"),
        *("time_entry_versions", "webhook_logs", "webhooks", "widgets"),
    }
)

ACTIONS: Final = frozenset(
    {
        *("append_html", "append_markdown", "convert_to_budget"),
        *("convert_to_doc", "copy", "create_from_origin", "create_with_html"),
        *("create_with_markdown", "invite", "merge", "move", "move_dependent"),
        *("overwrite", "publish", "regenerate_recovery_codes"),
        *("replace_body_with_html", "replace_body_with_markdown", "resend"),
        *("subscribe", "unpublish", "unsubscribe", "virtualize"),
    }
)

REPORTS: Final = frozenset(
    {
        *("bill_reports", "company_reports", "deal_reports"),
        *("entitlement_reports", "expense_reports", "invoice_reports"),
        *("line_item_reports", "page_reports", "payment_reports"),
        *("people_reports", "pulse_reports", "salary_reports"),
        *("service_reports", "survey_reports", "task_reports"),
    }
)
