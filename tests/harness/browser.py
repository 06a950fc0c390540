"""A person with a real browser: drives Chromium through consent and sign-in."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from playwright.async_api import Error as BrowserError

ACTION_SECONDS = 60.0
"""How long a page may take to let a person act, on a busy machine too; Playwright allows 30 s."""
TEXT_SHOWN = 2_000
"""Characters of a page's text in the note of a failure."""
TEXT_SECONDS = 10.0
"""How long a page of a failed test may take to give its text."""
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def _program() -> str:
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.fail(
            "no Chromium: `make test` installs it on Debian; elsewhere set CHROMIUM to its path"
        )
    return found


@asynccontextmanager
async def chromium(*flags: str) -> AsyncIterator[Browser]:
    """Run Chromium during the block, without a profile; `flags` are added to its arguments.

    An exception of the block gets a note of what the open pages show.
    """
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=_program(), args=[*_FLAGS, *flags]
        )
        browser.on("context", _set_timeout)
        try:
            yield browser
        except (Exception, pytest.fail.Exception) as error:
            await _note_pages(error, browser.contexts)
            raise
        finally:
            await browser.close()


@asynccontextmanager
async def chromium_with_profile(
    profile: Path, environment: Mapping[str, str]
) -> AsyncIterator[BrowserContext]:
    """Run Chromium with the profile of a folder and these environment variables.

    An exception of the block gets a note of what the open pages show.
    """
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            profile, executable_path=_program(), args=_FLAGS, env={**environment}
        )
        _set_timeout(context)
        try:
            yield context
        except (Exception, pytest.fail.Exception) as error:
            await _note_pages(error, [context])
            raise
        finally:
            await context.close()


async def approve(page: Page, url: str) -> None:
    """Open the client's authorization URL and approve on the consent page."""
    await page.goto(url)
    await page.get_by_role("button", name="Approve").click()


async def sign_in(page: Page, email: str) -> None:
    """Fill in the form of the dev IdP."""
    await page.get_by_label("or any e-mail address").fill(email)
    await page.get_by_role("button", name="Sign in", exact=True).click()


def _set_timeout(context: BrowserContext) -> None:
    context.set_default_timeout(ACTION_SECONDS * 1000)


async def _note_pages(error: BaseException, contexts: Sequence[BrowserContext]) -> None:
    for context in contexts:
        for page in context.pages:
            error.add_note(f"{page.url} shows:\n{await _text(page)}")


async def _text(page: Page) -> str:
    try:
        async with asyncio.timeout(TEXT_SECONDS):
            text = await page.inner_text("body")
    except (BrowserError, TimeoutError) as error:
        return f"(no text: {error})"
    return text[:TEXT_SHOWN]
