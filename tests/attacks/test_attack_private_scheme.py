"""An address that only a program on the person's machine opens, in a real browser."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from playwright.async_api import Page, Request

from harness.browser import approve, chromium, sign_in
from harness.deployment import Deployment
from harness.signin import Registered, Visitor, error_at, new_person, query_of

CURSOR = "cursor://anysphere.cursor-mcp/oauth/callback"
"""Allowed by default in local mode, which the gateways of the harness run in."""


@pytest.fixture
def visitor(deployment: Deployment) -> Iterator[Visitor]:
    with Visitor(deployment) as one:
        yield one


def url_of(visitor: Visitor, client: Registered) -> str:
    return f"{visitor.deployment.url}/authorize?{httpx.QueryParams(visitor.request(client))}"


async def handed_over(page: Page) -> str:
    """Return the address that the browser hands to another program.

    It makes a request of it and aborts that itself, as nobody has claimed the scheme here.
    """

    def is_ours(request: Request) -> bool:
        return request.url.startswith(CURSOR)

    return (await page.wait_for_event("requestfailed", is_ours)).url


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
        await page.goto(url)
        assert await page.get_by_text("Any program can claim such addresses").is_visible()
        async with asyncio.TaskGroup() as group:
            denied = group.create_task(handed_over(page))
            await page.get_by_role("button", name="Cancel").click()
        assert error_at(visitor.deployment, denied.result(), redirect_uri=CURSOR) == "access_denied"

        await approve(page, url)
        async with asyncio.TaskGroup() as group:
            answered = group.create_task(handed_over(page))
            await sign_in(page, email)
    code = query_of(answered.result())["code"]
    tokens = await asyncio.to_thread(visitor.exchange, client, code)
    assert tokens.status_code == 200, tokens.text
