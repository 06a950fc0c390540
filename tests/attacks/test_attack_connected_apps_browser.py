"""/connections in a real browser: by keyboard alone, in frames and from other sites."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from playwright.async_api import BrowserContext, Page, Route

from harness.browser import chromium
from harness.deployment import Deployment
from harness.evidence import audited
from harness.grantrequests import opens_everywhere
from harness.signin import Visitor, new_person

PICTURES = Path(__file__).resolve().parents[2] / ".reports" / "connections"
"""Screenshots to look at."""
ATTACKER = "http://attacker.example/"
TABS = 25
"""More than any page here has places for the focus."""
FOCUSED = """() => {
    const it = document.activeElement;
    const described = document.getElementById(it.getAttribute("aria-describedby"));
    return [it.textContent, described ? described.textContent : ""].join(" ").trim();
}"""


@pytest.fixture
def visitor(deployment: Deployment) -> Iterator[Visitor]:
    with Visitor(deployment) as one:
        yield one


@asynccontextmanager
async def person(**options: object) -> AsyncIterator[BrowserContext]:
    """Open a browser of a person who has visited nothing yet."""
    async with chromium() as browser:
        yield await browser.new_context(**options)  # type: ignore[arg-type]


def connect(visitor: Visitor, email: str, *names: str) -> list[dict[str, str]]:
    """Connect apps of these names for a person; return their tokens."""
    return [visitor.tokens(visitor.register(client_name=name), email) for name in names]


async def press(page: Page, text: str) -> None:
    """Reach what has this text with Tab, and press Enter on it."""
    seen = []
    for _ in range(TABS):
        await page.keyboard.press("Tab")
        seen.append(await page.evaluate(FOCUSED))
        if text in seen[-1]:
            await page.keyboard.press("Enter")
            return
    pytest.fail(f"no Tab reaches {text!r}, only {seen}")


async def sign_in(page: Page, deployment: Deployment, email: str) -> None:
    """Open the page and sign in, by keyboard alone."""
    await page.goto(f"{deployment.url}/connections")
    await press(page, "Sign in")
    await page.get_by_label("or any e-mail address").wait_for()
    while await page.evaluate("document.activeElement.type") != "email":
        await page.keyboard.press("Tab")
    await page.keyboard.type(email)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{deployment.url}/connections")


async def heading(page: Page, text: str) -> None:
    await page.get_by_role("heading", level=1, name=text).wait_for()


@pytest.mark.attack("S-04", "S-01")
async def test_person_signs_in_and_disconnects_by_keyboard_alone(visitor: Visitor) -> None:
    site = visitor.deployment
    email = await asyncio.to_thread(new_person, site)
    tokens = await asyncio.to_thread(connect, visitor, email, "Claude", "Cursor", "ChatGPT")
    async with person() as context:
        page = await context.new_page()
        with audited(site) as trail:
            await sign_in(page, site, email)
            assert await page.get_by_role("button", name="Disconnect", exact=True).count() == 3
            await press(page, "Disconnect Cursor")
            await heading(page, "1 app is disconnected")
            await press(page, "Show your connected apps")
            await heading(page, "Your connected apps")
            assert not await page.get_by_text("Cursor").is_visible()
            await press(page, "Disconnect all 2 apps")
            await heading(page, "2 apps are disconnected")
            await press(page, "Show your connected apps")
            await page.get_by_text("No app is connected: none can use Productive as you").wait_for()
            await press(page, "Sign out of this page")
            await page.get_by_text("You are signed out of this page.").wait_for()
        assert "pmcp-person" not in [cookie["name"] for cookie in await context.cookies()]
    assert trail.reasons("grant_ended") == ["revoked_by_person"] * 3
    for one in tokens:
        answer = await asyncio.to_thread(visitor.call, one["access_token"])
        assert answer.status_code == httpx.codes.UNAUTHORIZED


@pytest.mark.attack("D-15")
async def test_keys_pressed_as_the_page_opens_disconnect_nothing(visitor: Visitor) -> None:
    site = visitor.deployment
    email = await asyncio.to_thread(new_person, site)
    [tokens] = await asyncio.to_thread(connect, visitor, email, "Claude")
    async with person() as context:
        page = await context.new_page()
        await sign_in(page, site, email)
        for key in ("Enter", "Space", "NumpadEnter", "Enter"):
            await page.keyboard.press(key)
        # The browser submits a form after these events: what it began is under way after a turn.
        await page.evaluate("new Promise(turn => setTimeout(turn, 300))")
        assert await page.evaluate("document.activeElement.tagName") == "BODY"
        assert await page.get_by_role("button", name="Disconnect").is_visible()
    await asyncio.to_thread(opens_everywhere, visitor, tokens["access_token"])


@pytest.mark.attack("S-02", "C-08")
@pytest.mark.parametrize("path", ["sign-in", "disconnect"])
async def test_form_that_another_site_submits_changes_nothing(visitor: Visitor, path: str) -> None:
    site = visitor.deployment
    email = await asyncio.to_thread(new_person, site)
    [tokens] = await asyncio.to_thread(connect, visitor, email, "Claude")
    async with person() as context:
        page = await context.new_page()
        await sign_in(page, site, email)
        handle = await page.locator("input[name=handle]").get_attribute("value")
        form = (
            f'<form method="post" action="{site.url}/connections/{path}">'
            f'<input name="handle" value="{handle}"><input name="grant" value="all"></form>'
        )

        async def serve(route: Route) -> None:
            await route.fulfill(body=f"<!doctype html>{form}", content_type="text/html")

        await context.route(f"{ATTACKER}**", serve)
        await page.goto(ATTACKER)
        async with page.expect_navigation() as answered:
            await page.evaluate("document.forms[0].submit()")
        assert (await answered.value).status == httpx.codes.FORBIDDEN
        await heading(page, "Nothing was changed")
    await asyncio.to_thread(opens_everywhere, visitor, tokens["access_token"])


@pytest.mark.parametrize(
    ("look", "width", "scheme"),
    [("light", 1000, "light"), ("dark", 1000, "dark"), ("phone", 360, "light")],
)
async def test_page_fits_every_screen(visitor: Visitor, look: str, width: int, scheme: str) -> None:
    site = visitor.deployment
    email = await asyncio.to_thread(new_person, site)
    long = "An app whose name is about as long as a name may be, which is 80 characters"
    await asyncio.to_thread(connect, visitor, email, "Claude", long)
    PICTURES.mkdir(parents=True, exist_ok=True)
    size = {"width": width, "height": 740}
    async with person(viewport=size, color_scheme=scheme) as context:
        page = await context.new_page()
        await page.goto(f"{site.url}/connections")
        await picture(page, f"{look}-1-sign-in")
        await sign_in(page, site, email)
        await page.keyboard.press("Tab")
        await picture(page, f"{look}-2-list")
        await page.keyboard.press("Enter")
        await heading(page, "1 app is disconnected")
        await picture(page, f"{look}-3-disconnected")


async def picture(page: Page, name: str) -> None:
    """Save a screenshot; nothing may be wider than the window."""
    await page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not await page.evaluate(wide)
