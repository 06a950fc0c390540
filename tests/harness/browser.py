"""A person with a real browser: drives Chromium through consent and sign-in."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Page, async_playwright

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
    """Run Chromium during the block, without a profile; `flags` are added to its arguments."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=_program(), args=[*_FLAGS, *flags]
        )
        try:
            yield browser
        finally:
            await browser.close()


async def approve(page: Page, url: str) -> None:
    """Open the client's authorization URL and approve on the consent page."""
    await page.goto(url)
    await page.get_by_role("button", name="Approve").click()


async def sign_in(page: Page, email: str) -> None:
    """Fill in the form of the dev IdP."""
    await page.get_by_label("or any e-mail address").fill(email)
    await page.get_by_role("button", name="Sign in", exact=True).click()
