"""Projects and what they are divided into: folders, task lists, workflows."""

from __future__ import annotations

from datetime import date
from typing import Final

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.people import CompanyRef, PersonRef, TeamRef
from productive_gateway.productive.records.record import Record

CATEGORIES: Final = {1: "not started", 2: "started", 3: "closed"}
"""Categories of workflow statuses; the last one closes a task."""


class WorkflowRef(Record, type="workflows"):
    """A workflow by name."""

    name: str = has.name("name")


class StatusRef(Record, type="workflow_statuses"):
    """A status of tasks by name."""

    name: str = has.name("name")


class WorkflowStatus(Record, type="workflow_statuses"):
    """A status that tasks of a workflow may have."""

    name: str = has.name("name")
    category: str | None = has.word("category_id", CATEGORIES, label="")
    position: int | None = has.count("position", shown=False)
    workflow: WorkflowRef | None = has.one(lambda: WorkflowRef, "workflow", shown=False)


class StatusName(Record, type="workflow_statuses"):
    """A status as long lists show it, without its id."""

    id: str = has.ident(shown=False)
    name: str = has.name("name")
    category: str | None = has.word("category_id", CATEGORIES, label="")


class ProjectRef(Record, type="projects", link="project"):
    """A project by name."""

    name: str = has.name("name")


class KnownProject(ProjectRef):
    """A project as far as it is needed to find one by name, and to work in it."""

    number: str | None = has.ident("project_number", default=None)
    archived: bool = has.flag("archived_at")
    company: CompanyRef | None = has.one(lambda: CompanyRef, "company")
    workflow: WorkflowRef | None = has.one(lambda: WorkflowRef, "workflow", shown=False)


class Project(ProjectRef):
    """A project."""

    number: str | None = has.ident("project_number", default=None)
    kind: str | None = has.word("project_type_id", {1: "internal", 2: "client"}, label="")
    archived: bool = has.flag("archived_at")
    company: CompanyRef | None = has.one(lambda: CompanyRef, "company", label="for")
    manager: PersonRef | None = has.one(lambda: PersonRef, "project_manager")
    last_activity: date | None = has.day("last_activity_at", label="last active")


class Membership(Record, type="memberships"):
    """Who may work in a project: a person, a team, or a group such as all employees."""

    kind: str | None = has.word("type_id", {1: "person", 2: "group", 3: "team"})
    person: PersonRef | None = has.one(lambda: PersonRef, "person")
    team: TeamRef | None = has.one(lambda: TeamRef, "team")


class AdmittedPerson(PersonRef):
    """A person who may work in a project."""

    contact: str | None = has.word("hrm_type_id", {2: "contact"}, shown=False)
    """Set for people of clients."""


class Admission(Record, type="memberships"):
    """Who may work in a project, as far as it matters who reads what is written there."""

    kind: str | None = has.word("type_id", {1: "person", 2: "group", 3: "team"})
    person: AdmittedPerson | None = has.one(lambda: AdmittedPerson, "person")


class Folder(Record, type="folders", found_by={"project": "project_id"}):
    """A folder of a project, which holds task lists."""

    name: str = has.name("name")
    archived: bool = has.flag("archived_at")
    position: int | None = has.count("position", shown=False)
    project: ProjectRef | None = has.one(lambda: ProjectRef, "project")


class FolderRef(Record, type="folders"):
    """A folder by name."""

    name: str = has.name("name")


class TaskListRef(Record, type="task_lists"):
    """A task list by name."""

    name: str = has.name("name")


class TaskList(TaskListRef, found_by={"project": "project_id", "folder": "folder_id"}):
    """A task list of a project."""

    archived: bool = has.flag("archived_at")
    position: int | None = has.count("placement", shown=False)
    folder: FolderRef | None = has.one(lambda: FolderRef, "folder")
    project: ProjectRef | None = has.one(lambda: ProjectRef, "project")
