"""An address that only a program on the person's machine opens, in a real browser.

Neither the policy of our pages nor the redirect after the sign-in stops the browser. The handover
is proven at the program: the DevTools event of Chromium's own request is missing if the redirect
comes more than five seconds after the click, although the program gets the address.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager

import httpx
import pytest

from harness.browser import approve, sign_in
from harness.deployment import Deployment
from harness.schemehandler import SchemeHandler, scheme_handler
from harness.signin import Registered, Visitor, error_at, new_person, query_of

CURSOR = "cursor://anysphere.cursor-mcp/oauth/callback"
"""Allowed by default in local mode, which the gateways of the harness run in."""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only there Chromium starts such a program by xdg-open"
)


@pytest.fixture
def visitor(deployment: Deployment) -> Iterator[Visitor]:
    with Visitor(deployment) as one:
        yield one


def url_of(visitor: Visitor, client: Registered) -> str:
    return f"{visitor.deployment.url}/authorize?{httpx.QueryParams(visitor.request(client))}"


def cursor(deployment: Deployment) -> AbstractAsyncContextManager[SchemeHandler]:
    return scheme_handler("cursor", deployment.url, deployment.idp_url)


@pytest.mark.attack("B-07")
async def test_browser_hands_the_denial_to_the_program_that_claimed_the_scheme(
    visitor: Visitor,
) -> None:
    client = await asyncio.to_thread(visitor.register, redirect_uris=[CURSOR])
    async with cursor(visitor.deployment) as program:
        await program.page.goto(url_of(visitor, client))
        await program.page.get_by_text("Any program can claim such addresses").wait_for()
        await program.page.get_by_role("button", name="Cancel").click()
        denied = await program.opened()
    assert error_at(visitor.deployment, denied, redirect_uri=CURSOR) == "access_denied"


@pytest.mark.attack("B-07")
async def test_browser_hands_the_code_to_the_program_that_claimed_the_scheme(
    visitor: Visitor,
) -> None:
    client = await asyncio.to_thread(visitor.register, redirect_uris=[CURSOR])
    email = await asyncio.to_thread(new_person, visitor.deployment)
    async with cursor(visitor.deployment) as program:
        await approve(program.page, url_of(visitor, client))
        await sign_in(program.page, email)
        answered = await program.opened()
    target, _, _ = answered.partition("?")
    assert target == CURSOR
    tokens = await asyncio.to_thread(visitor.exchange, client, query_of(answered)["code"])
    assert tokens.status_code == 200, tokens.text
