"""The people of the demonstration: the example resources, decided by the operator's own code.

The mapping stands in a file that the gateway reads again when it changes; this module writes it
anew whenever an example changes.
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
"""Somebody without access, so that the page for such people can be seen."""


class ExamplePeople:
    """Who the files of a folder make known at the moment."""

    def __init__(self, folder: Path, target: Path, report: Callable[[str], None]) -> None:
        """Remember where things are; `follow` does the work.

        Args:
            folder: holds the ProductiveUsers and their token Secrets.
            target: file to write the mapping to.
            report: is told, in sentences, what changed and what is wrong.
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
                self._report(f"{result}. Until then the people stay as they were.")
                if not self._rendered.is_set():
                    self._take(Rendered(EMPTY, ()))
            else:
                self._take(result)

    async def rendered(self) -> None:
        """Return when the mapping was written for the first time."""
        await self._rendered.wait()

    def users(self) -> list[User]:
        """Return whom the dev IdP offers: everybody in the files, and a stranger."""
        return [*(User(row.email, _title(row)) for row in self._rows if row.email), STRANGER]

    def describe(self) -> str:
        """Return lines that say who may sign in, and why others may not."""
        if not self._rows:
            return f"  nobody yet: put a ProductiveUser and its token Secret into {self._folder}/"
        return "\n".join(
            f"  {row.email or row.user}{'' if row.ready else f'   ({row.message})'}"
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
    return name if row.ready else f"{name} ({row.reason})"
