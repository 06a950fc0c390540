"""organize_project: the folders and task lists of a project."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.projects import Folder, KnownProject, TaskList
from productive_gateway.productive.records.tasks import TaskRef
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer, reference_text
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.parameters import (
    LONGEST_REFERENCE,
    Confirm,
    Line,
    Project,
    Reference,
    reference_in,
    word_in,
)
from productive_gateway.tools.kit.read import invalid
from productive_gateway.tools.names.resolver import PROJECTS
from productive_gateway.tools.tasks.places import PlaceKind, Places, folder_for
from productive_gateway.tools.words import untrusted

Action = Annotated[
    Literal["create", "rename", "archive", "restore", "move", "copy", "reposition"],
    BeforeValidator(word_in),
]
Item = Folder | TaskList


class Organized(Answer):
    """The answer of organize_project."""

    folder: Folder | None = has.one(lambda: Folder, default=None)
    task_list: TaskList | None = has.one(lambda: TaskList, default=None)


@tool(
    title="Organize project",
    kind=Kind.CHANGES,
    cost=Cost(reads=7, writes=1),
    example=Example(
        "Make a task list Sprint 13 in Website care",
        {"project": "Website care", "action": "create", "name": "Sprint 13"},
    ),
)
async def organize_project(
    call: Call,
    *,
    project: Annotated[
        str,
        BeforeValidator(reference_in),
        Field(max_length=LONGEST_REFERENCE, description="name, number, id or link"),
    ],
    action: Action,
    kind: Annotated[PlaceKind, BeforeValidator(word_in)] = "task_list",
    item: Annotated[Reference, Field(description="the folder or list")] = None,
    name: Line = None,
    to: Annotated[Reference, Field(description="folder of the list")] = None,
    to_project: Project = None,
    before: Reference = None,
    after: Reference = None,
    confirm: Confirm = None,
) -> Organized:
    """Create, rename, archive, restore, move, copy or reposition a task list or folder.

    A list lies in a folder (`to`); reposition needs `before` or `after`. The user is asked before
    archiving, and before anything goes to another project (to_project). Nothing is deleted.
    """
    home = await call.names.one(PROJECTS, project, "project", inactive=False)
    job = _Job(call, Places(call, home, kind), home, confirm)
    if to_project is not None and action in {"move", "copy"}:
        job.target = await call.names.one(PROJECTS, to_project, "to_project", inactive=False)
    match action:
        case "create":
            made = await job.create(name, to)
        case "rename":
            made = await job.rename(item, name)
        case "archive" | "restore":
            made = await job.archive(item, restore=action == "restore")
        case "move":
            made = await job.move(item, to)
        case "copy":
            made = await job.copy(item, name, to)
        case _:
            made = await job.reposition(item, before, after)
    done = _DONE[action] if job.changed else "Nothing to change"
    where = reference_text(job.target)
    return Organized(
        headline=f"{done}: {job.places.word} {reference_text(made)} in {where}.",
        folder=made if isinstance(made, Folder) else None,
        task_list=made if isinstance(made, TaskList) else None,
    )


_DONE: Final = {
    "create": "Created",
    "rename": "Renamed",
    "archive": "Archived",
    "restore": "Restored",
    "move": "Moved",
    "copy": "Copied",
    "reposition": "Placed",
}


class _Job:
    """One change."""

    def __init__(
        self, call: Call, places: Places, home: KnownProject, confirmed: str | None
    ) -> None:
        self.call = call
        self.places = places
        self.home = home
        self.target = home
        """The project in which the item is afterwards."""
        self.changed = True
        self._confirmed = confirmed

    async def create(self, name: str | None, to: str | None) -> Item:
        title = _title(name)
        values: dict[str, Any] = {"name": title, "project": self.home.id}
        if self.places.kind == "folder":
            await self.places.refuse_twin(title, None)
            return await self.call.writes.create(Folder, values)
        folder = await folder_for(self.call, self.home, to, "to")
        await self.places.refuse_twin(title, folder)
        return await self.call.writes.create(TaskList, {**values, "folder": folder})

    async def rename(self, item: str | None, name: str | None) -> Item:
        title = _title(name)
        found = await self.places.one(item, "item")
        if found.name == title:
            return self._unchanged(found)
        return await self.call.writes.update(found, {"name": title})

    async def archive(self, item: str | None, *, restore: bool) -> Item:
        found = await self.places.one(item, "item")
        if found.archived != restore:
            return self._unchanged(found)
        if restore:
            action, back = "restore", "archive"
        else:
            action, back = "archive", "restore"
            await self._ask(f"Archive the {self.places.word}", found)
            self.call.warn("Its open tasks stay open.")
        leaves = {"archived": not restore}
        done = await self.call.writes.act(found, action, undone_by=(back, {}), leaves=leaves)
        return done or found

    async def move(self, item: str | None, to: str | None) -> Item:
        found = await self.places.one(item, "item")
        if isinstance(found, Folder):
            if self.target is self.home:
                raise invalid("to_project", "A folder moves to another project.", "Set to_project.")
            await self._ask(f"Move the folder to {reference_text(self.target)}", found)
            self._no_way_back()
            return await self.call.writes.act(found, "move", _project(self.target)) or found
        folder = await folder_for(self.call, self.target, to, "to")
        if found.folder is not None and found.folder.id == folder:
            return self._unchanged(found)
        values = {"folder_id": folder, "board_id": folder}
        if self.target is self.home and found.folder is not None:
            back = {"folder_id": found.folder.id, "board_id": found.folder.id}
            done = await self.call.writes.act(
                found, "move", values, undone_by=("move", back), leaves={"folder": folder}
            )
            return done or found
        await self._ask(f"Move the task list to {reference_text(self.target)}", found)
        self._no_way_back()
        return await self.call.writes.act(found, "move", values) or found

    async def copy(self, item: str | None, name: str | None, to: str | None) -> Item:
        found = await self.places.one(item, "item")
        title = _title(name) if name is not None else found.name
        values = {"template_id": found.id, "name": title, **_project(self.target)}
        folder = None
        if isinstance(found, TaskList):
            same = to is None and self.target is self.home and found.folder is not None
            folder = (
                found.folder.id
                if same and found.folder is not None
                else await folder_for(self.call, self.target, to, "to")
            )
            values |= {"folder_id": folder, "board_id": folder}
        places = Places(self.call, self.target, self.places.kind)
        await places.refuse_twin(title, folder)
        if self.target is not self.home:
            await self._ask(f"Copy the {self.places.word} to {reference_text(self.target)}", found)
        return await self.call.writes.copy(found, values, undone_by=("archive", {}))

    async def reposition(self, item: str | None, before: str | None, after: str | None) -> Item:
        if (before is None) == (after is None):
            raise invalid("before", "Where to put it is not clear.", "Set either before or after.")
        found = await self.places.one(item, "item")
        side = "before" if before is not None else "after"
        other = await self.places.one(before if before is not None else after, side)
        if other.id == found.id:
            raise invalid(side, f"That is the {self.places.word} itself.")
        ids = [one.id for one in await self.places.siblings(found)]
        at = ids.index(found.id) if found.id in ids else 0
        back = {"move_after_id": ids[at - 1]} if at else {"move_before_id": (*ids[1:], other.id)[0]}
        await self.call.writes.act(
            found, "reposition", {f"move_{side}_id": other.id}, undone_by=("reposition", back)
        )
        return found

    async def _ask(self, action: str, found: Item) -> None:
        filters = {f"{self.places.kind}_id": found.id, "status": "1"}
        count = (await self.call.records.page(TaskRef, filters, size=1)).total or 0
        preview = [
            f"{reference_text(found)} in {reference_text(self.home)}",
            f"{count} open tasks in it",
        ]
        await self.call.confirm(action, preview, given=self._confirmed)

    def _unchanged(self, found: Item) -> Item:
        self.changed = False
        return found

    def _no_way_back(self) -> None:
        self.call.warn(
            "This cannot be undone with a handle: tasks lose their dependencies, and may have "
            "another status, in another project."
        )


def _project(project: KnownProject) -> dict[str, str]:
    return {"project_id": project.id}


def _title(name: str | None) -> str:
    title = " ".join((name or "").split())
    if not title:
        raise invalid("name", "The name is missing.", "Ask the user how to call it.")
    return untrusted.line(title, LONGEST_REFERENCE)
