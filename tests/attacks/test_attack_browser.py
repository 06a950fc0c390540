"""Attacks on a person's browser: pages in frames, and approval that the person did not mean."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest
from playwright.async_api import BrowserContext, Frame, Page, Route

from harness.browser import chromium
from harness.deployment import Deployment
from harness.signin import REDIRECT_URI, Visitor, query_of

ATTACKER = "http://attacker.example/"
EMBEDDINGS = {
    "iframe": '<iframe src="{}"></iframe>',
    "sandbox": '<iframe sandbox src="{}"></iframe>',
    "sandbox with rights": (
        '<iframe sandbox="allow-scripts allow-forms allow-same-origin" src="{}"></iframe>'
    ),
    "embed": '<embed src="{}">',
}
REFUSED = "refused to connect"
"""What Chromium shows in a frame in place of a page that does not permit it."""
POLICY, FRAME_OPTIONS = "content-security-policy", "x-frame-options"


@pytest.fixture
def visitor(deployment: Deployment) -> Iterator[Visitor]:
    with Visitor(deployment) as one:
        yield one


@asynccontextmanager
async def person() -> AsyncIterator[BrowserContext]:
    """Open a browser of a person who has visited nothing yet."""
    async with chromium() as browser:
        yield await browser.new_context()


def consent_url(visitor: Visitor) -> str:
    """Return the authorization URL of a client that was just registered."""
    query = visitor.request(visitor.register())
    return f"{visitor.deployment.url}/authorize?{httpx.QueryParams(query)}"


async def attack(context: BrowserContext, body: str) -> Page:
    """Visit a page of the attacker, at another site, with this body."""

    async def serve(route: Route) -> None:
        await route.fulfill(body=f"<!doctype html>{body}", content_type="text/html")

    await context.route(f"{ATTACKER}**", serve)
    page = await context.new_page()
    await page.goto(ATTACKER)
    return page


# --- pages in frames


async def framed(context: BrowserContext, embedding: str, url: str) -> str:
    """Embed a page in the attacker's page; return what the frame shows."""
    page = await attack(context, "")
    async with page.expect_event("framenavigated", lambda frame: frame != page.main_frame) as frame:
        await page.evaluate("html => document.body.innerHTML = html", embedding.format(url))
    return await shown(await frame.value)


async def shown(frame: Frame) -> str:
    await frame.wait_for_load_state()
    return await frame.inner_text("html")


async def serve_without(context: BrowserContext, deployment: Deployment, *headers: str) -> None:
    """Pass the gateways' responses to the browser, without these headers.

    By itself Chromium shows no page of a local address inside one of another address.
    """

    async def serve(route: Route) -> None:
        answer = await route.fetch(max_redirects=0)
        kept = {name: value for name, value in answer.headers.items() if name not in headers}
        await route.fulfill(response=answer, headers=kept)

    await context.route(f"{deployment.url}/**", serve)


@pytest.mark.attack("D-10")
@pytest.mark.parametrize("embedding", EMBEDDINGS.values(), ids=EMBEDDINGS.keys())
async def test_consent_page_is_not_shown_inside_another_page(
    visitor: Visitor, embedding: str
) -> None:
    url = await asyncio.to_thread(consent_url, visitor)
    async with person() as context:
        await serve_without(context, visitor.deployment)
        assert REFUSED in await framed(context, embedding, url)


@pytest.mark.attack("D-10")
@pytest.mark.parametrize(
    "path", ["/", "/authorize", "/callback", "/authorize?client_id=unknown", "/connections"]
)
async def test_no_page_is_shown_inside_another_page(deployment: Deployment, path: str) -> None:
    async with person() as context:
        await serve_without(context, deployment)
        url = deployment.url + path
        page = await context.new_page()
        await page.goto(url)
        assert await page.get_by_role("heading", level=1).is_visible()
        assert REFUSED in await framed(context, EMBEDDINGS["iframe"], url)


@pytest.mark.attack("D-10")
async def test_each_of_two_headers_keeps_a_page_out_of_frames(visitor: Visitor) -> None:
    url = await asyncio.to_thread(consent_url, visitor)
    for taken_away in ([POLICY], [FRAME_OPTIONS]):
        async with person() as context:
            await serve_without(context, visitor.deployment, *taken_away)
            assert REFUSED in await framed(context, EMBEDDINGS["iframe"], url)


async def test_page_without_these_headers_is_shown_in_frames(visitor: Visitor) -> None:
    """Otherwise the tests above would pass for any page."""
    url = await asyncio.to_thread(consent_url, visitor)
    async with person() as context:
        await serve_without(context, visitor.deployment, POLICY, FRAME_OPTIONS)
        for embedding in EMBEDDINGS.values():
            assert "Approve" in await framed(context, embedding, url)


# --- approval that the person did not mean


@asynccontextmanager
async def popup(context: BrowserContext, url: str) -> AsyncIterator[Page]:
    """Let the attacker's page open a window when the person presses Enter there."""
    page = await attack(context, f"<button onclick=\"window.open('{url}')\">Win</button>")
    async with page.expect_popup() as opened:
        await page.get_by_role("button").press("Enter")
    window = await opened.value
    await window.get_by_role("button", name="Approve").wait_for()
    yield window


def decisions(deployment: Deployment) -> int:
    """Return how many consent forms were submitted so far."""
    served = deployment.ingress.served
    return sum((one.method, one.path) == ("POST", "/authorize") for one in served)


async def press_and_drag(window: Page) -> None:
    """Do what a game in the window below may make a person do: press keys, and drag."""
    for key in ("Enter", "Space", "NumpadEnter", "Enter", "y"):
        await window.keyboard.press(key)
    approve = await window.get_by_role("button", name="Approve").bounding_box()
    heading = await window.get_by_role("heading", level=1).bounding_box()
    assert approve is not None
    assert heading is not None
    await window.mouse.move(heading["x"] + 5, heading["y"] + 5)
    await window.mouse.down()
    await window.mouse.move(approve["x"] + 5, approve["y"] + 5, steps=5)
    await window.mouse.up()
    # The browser submits a form after these events: what it began is under way after a turn.
    await window.evaluate("new Promise(turn => setTimeout(turn, 300))")


@pytest.mark.attack("D-15")
async def test_keys_and_drags_in_a_new_popup_approve_nothing(visitor: Visitor) -> None:
    url = await asyncio.to_thread(consent_url, visitor)
    before = decisions(visitor.deployment)
    async with person() as context, popup(context, url) as window:
        await press_and_drag(window)
        assert await window.evaluate("document.activeElement.tagName") == "BODY"
        assert await window.get_by_role("button", name="Approve").is_visible()
        assert decisions(visitor.deployment) == before


async def test_keys_would_approve_if_the_button_had_the_focus(visitor: Visitor) -> None:
    """Otherwise the test above would pass for any page."""
    url = await asyncio.to_thread(consent_url, visitor)
    before = decisions(visitor.deployment)

    async def serve(route: Route) -> None:
        answer = await route.fetch(max_redirects=0)
        page = (await answer.text()).replace('value="approve"', 'value="approve" autofocus')
        await route.fulfill(response=answer, body=page)

    async with person() as context:
        await context.route(f"{visitor.deployment.url}/authorize?*", serve)
        async with popup(context, url) as window:
            await window.wait_for_function("document.activeElement.value === 'approve'")
            await window.keyboard.press("Enter")
            await window.get_by_label("or any e-mail address").wait_for()
            assert decisions(visitor.deployment) == before + 1


@pytest.mark.attack("D-15")
async def test_first_button_that_the_keyboard_reaches_cancels(visitor: Visitor) -> None:
    url = await asyncio.to_thread(consent_url, visitor)
    async with person() as context, popup(context, url) as window:
        await context.route(f"{REDIRECT_URI}**", lambda route: route.fulfill(body="back"))
        # A new window may drop keys until it has drawn its page.
        while await window.evaluate("document.activeElement.tagName") == "BODY":
            await window.keyboard.press("Tab")
        await window.keyboard.press("Enter")
        await window.wait_for_url(f"{REDIRECT_URI}?**")
        assert query_of(window.url)["error"] == "access_denied"
