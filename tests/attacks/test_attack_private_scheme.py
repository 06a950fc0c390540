"""An address that only a program on the person's machine opens, in a real browser."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator

import httpx
import pytest
from playwright.async_api import Page, Request
from playwright.async_api import TimeoutError as BrowserTimeout

from harness.browser import approve, chromium, sign_in
from harness.deployment import Deployment
from harness.signin import Registered, Visitor, error_at, new_person, query_of

CURSOR = "cursor://anysphere.cursor-mcp/oauth/callback"
"""Allowed by default in local mode, which the gateways of the harness run in."""
TRIES = 3


@pytest.fixture
def visitor(deployment: Deployment) -> Iterator[Visitor]:
    with Visitor(deployment) as one:
        yield one


def url_of(visitor: Visitor, client: Registered) -> str:
    return f"{visitor.deployment.url}/authorize?{httpx.QueryParams(visitor.request(client))}"


async def handed_over(page: Page, act: Callable[[], Awaitable[None]]) -> str:
    """Return the address that the browser hands to another program when the person acts.

    It makes a request of it and aborts that itself, as nobody has claimed the scheme here. It does
    so only within five seconds of a click, so on a busy machine the person has to act again.
    """

    def is_ours(request: Request) -> bool:
        return request.url.startswith(CURSOR)

    for _ in range(TRIES - 1):
        with contextlib.suppress(BrowserTimeout):
            return await _handed_over(page, act, is_ours)
    return await _handed_over(page, act, is_ours)


async def _handed_over(
    page: Page, act: Callable[[], Awaitable[None]], is_ours: Callable[[Request], bool]
) -> str:
    async with page.expect_event("requestfailed", is_ours, timeout=10_000) as failed:
        await act()
    return (await failed.value).url


@pytest.mark.attack("B-07")
async def test_browser_hands_answer_to_the_program_that_claimed_the_scheme(
    visitor: Visitor,
) -> None:
    """Neither the policy of our pages nor the redirect after the sign-in stops it."""
    client = await asyncio.to_thread(visitor.register, redirect_uris=[CURSOR])
    email = await asyncio.to_thread(new_person, visitor.deployment)
    url = url_of(visitor, client)
    async with chromium() as browser:
        page = await browser.new_page()

        async def cancel() -> None:
            await page.goto(url)
            assert await page.get_by_text("Any program can claim such addresses").is_visible()
            await page.get_by_role("button", name="Cancel").click()

        denied = await handed_over(page, cancel)
        assert error_at(visitor.deployment, denied, redirect_uri=CURSOR) == "access_denied"

        async def allow() -> None:
            await approve(page, url)
            await sign_in(page, email)

        answered = await handed_over(page, allow)
    code = query_of(answered)["code"]
    tokens = await asyncio.to_thread(visitor.exchange, client, code)
    assert tokens.status_code == 200, tokens.text
