"""A program on the person's machine that opens the addresses of a private-use scheme.

On Linux, Chromium starts `xdg-open` with such an address. Here that is a script which stores it.

Chromium first asks the person whether it may, a moment after it has aborted its own request of the
address. The question covers the tab, which ignores every click from then on, even on the next page
of the same site. So the profile holds the person's answer for the sites that lead to the program.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Page

from harness.browser import chromium_with_profile
from harness.processes import eventually, new_folder, remove_folder

OPENED_SECONDS = 60.0
SCRIPT = """#!/bin/sh
printf %s "$1" > "{opened}.part" && mv "{opened}.part" "{opened}"
"""


@dataclass(frozen=True, slots=True)
class SchemeHandler:
    """The program, and a page of the browser that starts it."""

    page: Page
    file: Path
    """Holds the address once the program was started."""

    async def opened(self) -> str:
        """Wait for the program to be started; return the address that it was given."""
        await asyncio.to_thread(
            eventually, self.file.exists, seconds=OPENED_SECONDS, what="an address in the program"
        )
        return await asyncio.to_thread(self.file.read_text)


@asynccontextmanager
async def scheme_handler(scheme: str, *origins: str) -> AsyncIterator[SchemeHandler]:
    """Open a browser that starts the program for addresses of the scheme.

    Args:
        scheme: without the colon.
        origins: the sites that may start the program without a question to the person.
    """
    folder = await asyncio.to_thread(new_folder, "scheme")
    opened = folder / "opened"
    try:
        programs = await asyncio.to_thread(_install, folder, opened)
        profile = await asyncio.to_thread(_profile, folder, scheme, origins)
        environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
        async with chromium_with_profile(profile, environment) as context:
            yield SchemeHandler(context.pages[0], opened)
    finally:
        await asyncio.to_thread(remove_folder, folder)


def _install(folder: Path, opened: Path) -> Path:
    programs = folder / "bin"
    programs.mkdir()
    script = programs / "xdg-open"
    script.write_text(SCRIPT.format(opened=opened))
    script.chmod(0o755)
    return programs


def _profile(folder: Path, scheme: str, origins: tuple[str, ...]) -> Path:
    profile = folder / "profile"
    allowed = {origin: {scheme: True} for origin in origins}
    preferences = {"protocol_handler": {"allowed_origin_protocol_pairs": allowed}}
    (profile / "Default").mkdir(parents=True)
    (profile / "Default" / "Preferences").write_text(json.dumps(preferences))
    return profile
