"""Projects, the folders and task lists in them, and their workflows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

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
    relations,
    text,
    texts,
)
from productive_dev.simulator.declare.filters import (
    Filter,
    attribute,
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
from productive_dev.simulator.errors import Fault, access_denied, invalid
from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.resources.archive import archivable
from productive_dev.simulator.rules.subscriptions import is_member, members_of
from productive_dev.simulator.writing.body import action_value

_CHANGED_WHILE_ARCHIVED: Final = frozenset(
    {"name", "custom_fields", "archived_at", "updated_at", "last_activity_at"}
)


def _sees(context: Context, project: Record) -> bool:
    # Inferred: employees see every project, a client those that they belong to.
    return not context.caller.is_client or is_member(context, context.caller.person, project)


def _check(_: Context, before: Record | None, project: Record) -> Iterable[Fault]:
    kind = project.attributes["project_type_id"]
    if kind not in (1, 2):
        yield Fault("project_type_id", "is not included in the list")
    if kind == 2 and project.to_one("company") is None:
        yield Fault("company", "can't be blank")
    if before is not None and before.attributes["archived_at"] is not None:
        # The vendor's schema: an archived project takes name, manager and custom fields only.
        for name, value in project.attributes.items():
            if name not in _CHANGED_WHILE_ARCHIVED and before.attributes.get(name) != value:
                yield Fault(name, "project is archived")


def _settle(context: Context, before: Record | None, project: Record) -> Record:
    if before is not None:
        return project
    numbers = [
        int(p.attributes["project_number"])
        for p in context.all("projects")
        if str(p.attributes["project_number"]).isdigit()
    ]
    following = str(max(numbers, default=0) + 1)
    organization = context.state.get("organizations", context.organization)
    own = organization.to_one("company") if organization else None
    company = project.to_one("company") or own
    return project.with_attributes(number=following, project_number=following).with_relations(
        company=company
    )


def _change_workflow(context: Context, project: Record, data: Mapping[str, Any]) -> Record:
    # The form of its body is not known: `workflow_id`, and statuses by position.
    workflow = context.visible(Ref("workflows", str(action_value(data, "workflow_id"))))
    if workflow is None:
        raise invalid([Fault("workflow", "can't be blank")])
    statuses = sorted(
        context.state.pointing("workflow_statuses", "workflow", workflow.ref),
        key=lambda status: int(status.attributes["position"]),
    )
    for task in tuple(context.state.pointing("tasks", "project", project.ref)):
        old = context.follow(task, "workflow_status")
        category = old.attributes["category_id"] if old else 1
        fits = [s for s in statuses if s.attributes["category_id"] == category] or statuses
        context.state.put(task.with_relations(workflow_status=fits[0].ref))
    changed = project.with_relations(workflow=workflow.ref)
    context.state.put(changed)
    return changed


def _subscription(_: Context, record: Record, __: Mapping[str, Any]) -> Record:
    return record


PROJECTS = resource(
    "projects",
    (
        text("name", "! o"),
        text("number", "- f o"),
        mapping("preferences", "", {}),
        text("project_number", "- f o"),
        choice("project_type_id", "! f=project_type"),
        number("project_color_id", "f=project_color"),
        moment("last_activity_at", "- o"),
        mapping("tag_colors", "", {}),
        moment("archived_at"),
        moment("created_at", "- f o"),
        flag("template", "- f"),
        constant("duplication_status", "idle"),
        mapping("custom_fields"),
        texts("task_custom_fields_ids"),
        mapping("task_custom_fields_positions"),
        texts("page_custom_fields_ids"),
        mapping("page_custom_fields_positions"),
        flag("sample_data", "-"),
    ),
    (
        relation("company", "companies", "f o=company_name"),
        relation("project_manager", "people", "! f=responsible_id"),
        relation("last_actor", "people", "-"),
        relation("workflow", "workflows", "! f"),
        absent("custom_field_people", "custom_field_attachments", "template_object"),
    ),
    filters={
        "query": search("name", "project_number"),
        "full_query": search("name", "project_number"),
        "jump_query": search("name", "project_number"),
        "name": Filter(attribute("name"), Kind.TEXT),
        "status": by_choice(set_or_not("archived_at")),
        "person_id": by_ref(members_of),
        "with_templates": inert(Kind.FLAG),
    },
    # Recorded.
    default_sort=("name",),
    methods=EVERYTHING - {DELETE},
    lacks=frozenset({DELETE}),
    bulk=frozenset({UPDATE}),
    sees=_sees,
    writes=managers,
    check=_check,
    settle=_settle,
    actions={
        **archivable(),
        "change_workflow": _change_workflow,
        "subscribe": _subscription,
        "unsubscribe": _subscription,
    },
    lineage=Lineage("Project", lambda r: str(r.attributes["name"]), "company"),
)

WORKFLOWS = resource(
    "workflows",
    (text("name", "! f o"), moment("archived_at")),
    (
        relations(
            "workflow_statuses",
            "workflow_statuses",
            find=lambda c, w: [
                s.ref for s in c.state.pointing("workflow_statuses", "workflow", w.ref)
            ],
        ),
    ),
    filters={
        "query": search("name"),
        "archived": Filter(
            lambda _, r: ("false" if r.attributes["archived_at"] is None else "true",), Kind.FLAG
        ),
    },
    methods=EVERYTHING - {DELETE},
    lacks=frozenset({DELETE}),
    writes=administrators,
    actions=archivable(),
)

WORKFLOW_STATUSES = resource(
    "workflow_statuses",
    (
        text("name", "! f o"),
        number("color_id"),
        number("position", "! o"),
        choice("category_id", "! f"),
    ),
    # Measured: there is no filter by project.
    (relation("workflow", "workflows", "! f"),),
    filters={"query": search("name")},
    default_sort=("position",),
    methods=EVERYTHING - {DELETE},
    lacks=frozenset({DELETE}),
    writes=administrators,
)


def _membership_kind(_: Context, __: Record | None, membership: Record) -> Record:
    for name, kind in (("project", "project"), ("page", "page"), ("deal", "deal")):
        target = membership.to_one(name)
        if target is not None:
            return membership.with_attributes(target_type=kind, target_id=target.id)
    return membership


MEMBERSHIPS = resource(
    "memberships",
    (
        choice("type_id", "f", 1),
        choice("access_type_id", "f", 5),
        choice("dynamic_group_id", "f"),
        text("target_id", "- f"),
        text("target_type", "- f"),
    ),
    (
        relation("person", "people", "f"),
        relation("team", "teams", "f"),
        relation("project", "projects", "f"),
        relation("page", "pages", "f"),
        relation("deal", "deals", "f"),
        absent("agent"),
    ),
    filters={"agent_id": inert(Kind.RELATION)},
    methods=EVERYTHING,
    writes=managers,
    settle=_membership_kind,
)


def project_open(context: Context, record: Record) -> bool:
    """Tell whether the project of a record takes changes.

    Raises:
        Problem: 403 for a project that the caller does not see.
    """
    project = context.state.at(record.to_one("project"))
    if project is None:
        return True
    if not context.sees(project):
        raise access_denied()
    return project.attributes["archived_at"] is None
