"""What only a browser shows of a sign-in: tabs, double clicks, the back button, cookies, CSP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Final

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, Route

from harness.browser import chromium, sign_in
from harness.deployment import Deployment
from harness.processes import free_port
from harness.signin import Registered, Visitor, new_person, query_of

CLIENT_PORT: Final = free_port()
CALLBACK: Final = f"http://127.0.0.1:{CLIENT_PORT}/callback"


@asynccontextmanager
async def person() -> AsyncIterator[Browser]:
    """Open a browser, and run the client that waits for the person to come back."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="You can close this window.")

    app = web.Application()
    app.router.add_get("/callback", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", CLIENT_PORT).start()
    try:
        async with chromium() as browser:
            yield browser
    finally:
        await runner.cleanup()


@pytest.fixture
def visitor(deployment: Deployment) -> Iterator[Visitor]:
    with Visitor(deployment) as mine:
        yield mine


def registered(visitor: Visitor, name: str = "Assistant") -> Registered:
    return visitor.register(client_name=name, redirect_uris=[CALLBACK])


def link(visitor: Visitor, client: Registered, **changes: str) -> str:
    """Return the address that the client asks the person to open."""
    request = visitor.http.build_request(
        "GET", "/authorize", params=visitor.request(client, **changes)
    )
    return str(request.url)


async def arrived(page: Page) -> dict[str, str]:
    """Wait for the client's address, and return what it was called with."""
    await page.wait_for_url(f"{CALLBACK}**")
    return query_of(page.url)


def redeems(visitor: Visitor, client: Registered, code: str) -> bool:
    return visitor.exchange(client, code).status_code == 200


@pytest.mark.attack("D-11", "E-01", "E-06", "C-04")
async def test_sign_in_ends_at_the_client_without_a_violation_and_without_a_cookie(
    visitor: Visitor,
) -> None:
    async with person() as browser:
        context, client = await browser.new_context(), registered(visitor)
        page = await context.new_page()
        violations: list[str] = []
        page.on(
            "console", lambda line: violations.append(line.text) if line.type == "error" else None
        )
        await page.goto(link(visitor, client))
        before = await context.cookies()
        assert len(before) == 1, "only the cookie of the consent page before the approval"
        await page.get_by_role("button", name="Approve").click()
        await page.wait_for_url("**/authorization**")
        cookies = await context.cookies(visitor.deployment.url)
        assert len(cookies) == 2
        for cookie in cookies:
            assert cookie["httpOnly"]
            assert cookie["sameSite"] == "Lax"
            assert cookie["path"] == "/"
        await sign_in(page, new_person(visitor.deployment))
        assert redeems(visitor, client, (await arrived(page))["code"])
        # What is left only says that this sign-in is over.
        left = [cookie["name"] for cookie in await context.cookies(visitor.deployment.url)]
        assert [name.split("-")[1] for name in left] == ["f"]
        assert [text for text in violations if "Content Security Policy" in text] == []


@pytest.mark.attack("C-10")
async def test_double_click_on_approve_leads_to_one_sign_in(visitor: Visitor) -> None:
    async with person() as browser:
        context, client = await browser.new_context(), registered(visitor)
        page = await context.new_page()
        clicked = asyncio.Event()

        async def serve(route: Route) -> None:
            answer = await route.fetch(max_redirects=0)
            # Later, so that the second click does not meet the page of the provider.
            await clicked.wait()
            await route.fulfill(response=answer)

        await page.goto(link(visitor, client))
        await context.route(f"{visitor.deployment.url}/authorize", serve)
        await page.get_by_role("button", name="Approve").dblclick()
        clicked.set()
        await sign_in(page, new_person(visitor.deployment))
        assert redeems(visitor, client, (await arrived(page))["code"])


@pytest.mark.attack("C-10", "D-09")
async def test_back_button_after_approval_does_no_harm(visitor: Visitor) -> None:
    async with person() as browser:
        context, client = await browser.new_context(), registered(visitor)
        page = await context.new_page()
        await page.goto(link(visitor, client))
        await page.get_by_role("button", name="Approve").click()
        await page.wait_for_url("**/authorization**")
        await page.go_back()
        await page.wait_for_url("**/authorize**")
        if await page.get_by_role("button", name="Approve").count() == 0:
            # The page in between moves on by itself.
            await page.wait_for_url("**/authorization**")
        else:
            await page.get_by_role("button", name="Approve").click()
        await sign_in(page, new_person(visitor.deployment))
        assert redeems(visitor, client, (await arrived(page))["code"])


@pytest.mark.attack("C-07")
async def test_two_tabs_with_two_clients_both_end_well(visitor: Visitor) -> None:
    async with person() as browser:
        context = await browser.new_context()
        clients = [registered(visitor, name) for name in ("First", "Second")]
        tabs = [await context.new_page() for _ in clients]
        email = new_person(visitor.deployment)
        for tab, client in zip(tabs, clients, strict=True):
            await tab.goto(link(visitor, client))
        for tab in reversed(tabs):
            await tab.get_by_role("button", name="Approve").click()
            await tab.wait_for_url("**/authorization**")
        for tab, client in zip(tabs, clients, strict=True):
            await sign_in(tab, email)
            assert redeems(visitor, client, (await arrived(tab))["code"])


@pytest.mark.attack("C-01", "C-02")
async def test_approval_in_one_browser_is_no_use_in_another(visitor: Visitor) -> None:
    async with person() as browser:
        client = registered(visitor)
        attacker, victim = await browser.new_context(), await browser.new_context()
        page = await attacker.new_page()
        await page.goto(link(visitor, client))
        await page.get_by_role("button", name="Approve").click()
        await page.wait_for_url("**/authorization**")
        lured = await victim.new_page()
        await lured.goto(page.url)
        await sign_in(lured, new_person(visitor.deployment))
        await lured.wait_for_url("**/callback**")
        await lured.get_by_text("not started in this browser").wait_for()
        assert await victim.cookies(visitor.deployment.url) == []


@pytest.mark.attack("C-05")
async def test_reload_of_the_callback_says_that_it_is_done(visitor: Visitor) -> None:
    async with person() as browser:
        context, client = await browser.new_context(), registered(visitor)
        page = await context.new_page()
        await page.goto(link(visitor, client))
        await page.get_by_role("button", name="Approve").click()
        async with page.expect_request("**/callback?*") as seen:
            await sign_in(page, new_person(visitor.deployment))
        address = (await seen.value).url
        code = (await arrived(page))["code"]
        await page.goto(address)
        await page.get_by_text("already complete").wait_for()
        assert redeems(visitor, client, code)
