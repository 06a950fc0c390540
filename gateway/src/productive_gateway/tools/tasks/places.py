"""Folders and task lists of a project, as organize_project changes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from productive_gateway.productive.records.projects import Folder, KnownProject, TaskList
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import reference_text
from productive_gateway.tools.kit.errors import Candidate, Problem, ToolError
from productive_gateway.tools.kit.read import invalid
from productive_gateway.tools.names.normal_form import normalized
from productive_gateway.tools.names.resolver import FOLDERS, TASK_LISTS, Named

PlaceKind = Literal["folder", "task_list"]
_NAMED: Final[Mapping[str, Named[Any]]] = {"folder": FOLDERS, "task_list": TASK_LISTS}


@dataclass(frozen=True, slots=True)
class Places:
    """The folders or the task lists of one project."""

    call: Call
    project: KnownProject
    kind: PlaceKind

    @property
    def word(self) -> str:
        """The kind in messages."""
        return self.kind.replace("_", " ")

    async def one(self, text: str | None, field: str) -> Folder | TaskList:
        """Return the folder or list that is meant.

        Raises:
            ToolError: none is named, or none fits, or more than one.
        """
        if text is None:
            raise invalid(field, f"The {self.word} is missing.", f"Set {field}.")
        found: Folder | TaskList = await self.call.names.one(
            _NAMED[self.kind],
            text,
            field,
            within={"project_id": self.project.id},
            offer_all=True,
        )
        return found

    async def siblings(self, record: Folder | TaskList) -> Sequence[Folder | TaskList]:
        """Return those in use beside a record, in their order, itself included."""
        rows = await self.all()
        around = rows
        if isinstance(record, TaskList) and record.folder is not None:
            around = [one for one in rows if _folder_id(one) == record.folder.id]
        ordered = sorted(around, key=lambda one: (one.position or 0, int(one.id)))
        return [one for one in ordered if not one.archived or one.id == record.id]

    async def all(self) -> Sequence[Folder | TaskList]:
        """Return all of the project, archived ones too."""
        filters = {"project_id": self.project.id}
        if self.kind == "folder":
            return (await self.call.records.all(Folder, filters)).rows
        return (await self.call.records.all(TaskList, filters)).rows

    async def refuse_twin(self, name: str, folder: str | None) -> None:
        """Refuse a second one of the same name in the same place.

        Raises:
            ToolError: there is one.
        """
        for one in await self.all():
            same = normalized(one.name) == normalized(name) and not one.archived
            if same and (folder is None or _folder_id(one) == folder):
                raise ToolError(
                    Problem(
                        "duplicate",
                        f"There is a {self.word} {reference_text(one)} in this place already.",
                        "Use it, or ask the user for another name.",
                        field="name",
                        candidates=(Candidate(one.id, one.name),),
                    )
                )


def _folder_id(one: Folder | TaskList) -> str | None:
    folder = one.folder if isinstance(one, TaskList) else None
    return folder.id if folder is not None else None


async def folder_for(call: Call, project: KnownProject, text: str | None, field: str) -> str:
    """Return the id of the folder that is meant, or of the project's only one.

    Raises:
        ToolError: no folder fits, or more than one.
    """
    within = {"project_id": project.id}
    if text is not None:
        return (
            await call.names.one(
                FOLDERS, text, field, within=within, inactive=False, offer_all=True
            )
        ).id
    rows = (await call.records.all(Folder, {**within, "status": "1"})).rows
    if len(rows) == 1:
        return rows[0].id
    raise ToolError(
        Problem(
            "missing_folder",
            f"The project has {len(rows)} folders, and it is not clear which one to use.",
            f"Ask the user, then repeat this with {field}.",
            field=field,
            candidates=tuple(Candidate(one.id, one.name) for one in rows[:5]),
            left=max(0, len(rows) - 5),
        )
    )
