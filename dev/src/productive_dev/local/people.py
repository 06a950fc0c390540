"""The people of the demonstration: the example resources, resolved by the operator's own code.

The gateway reads the mapping from a file, again whenever it changes; this module writes that file,
again whenever an example changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from productive_contract.mapping import EMPTY
from productive_dev.idp.config import User
from productive_operator.offline.manifests import ManifestError
from productive_operator.offline.private_file import write_mapping
from productive_operator.offline.render import Rendered, Row, watch_files

STRANGER: Final = User("nobody@example.com", "Nobody (no example names this person)")
"""A person without access, to show the page for such people."""


class ExamplePeople:
    """The people that the files of a folder define now."""

    def __init__(self, folder: Path, target: Path, report: Callable[[str], None]) -> None:
        """Store the arguments; `follow` does the work.

        Args:
            folder: the folder of the ProductiveUsers and their token Secrets.
            target: file to write the mapping to.
            report: receives messages about changes and mistakes in the files.
        """
        self._folder = folder
        self._target = target
        self._report = report
        self._rows: tuple[Row, ...] = ()
        self._rendered = asyncio.Event()

    async def follow(self) -> None:
        """Write the mapping now and after each change, until cancelled."""
        async for result in watch_files([self._folder]):
            if isinstance(result, ManifestError):
                self._report(f"{result}. Until it is fixed, people keep the access that they had.")
                if not self._rendered.is_set():
                    self._take(Rendered(EMPTY, ()))
            else:
                self._take(result)

    async def rendered(self) -> None:
        """Return once the mapping was written for the first time."""
        await self._rendered.wait()

    def users(self) -> list[User]:
        """Return the people whom the dev IdP lists: those of the files, and one without access."""
        return [*(User(row.email, _title(row)) for row in self._rows if row.email), STRANGER]

    def describe(self) -> str:
        """Return lines that list who may sign in, and why others may not."""
        if not self._rows:
            return f"  nobody yet: put a ProductiveUser and its token Secret into {self._folder}/"
        return "\n".join(
            f"  {row.email or row.user}{'' if row.usable else f'   ({row.message})'}"
            for row in self._rows
        )

    def _take(self, result: Rendered) -> None:
        write_mapping(self._target, result.mapping)
        self._rows = result.rows
        if self._rendered.is_set():
            self._report(f"The examples changed. People:\n{self.describe()}")
        self._rendered.set()


def _title(row: Row) -> str:
    name = " ".join(part.capitalize() for part in row.email.partition("@")[0].split("."))
    return name if row.usable else f"{name} ({row.reason})"
