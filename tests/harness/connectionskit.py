"""The page /connections in the test process, with two people and their connected apps."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from harness.grantfaults import FaultyStore
from harness.grantkit import HeldClock, ana
from harness.oauthkit import PUBLIC_URL, AuthorizationServer, Browser, authorization_server
from harness.oidcstub import Person
from productive_gateway.errors import InvalidToken
from productive_gateway.grants.store_memory import MemoryGrantStore

URL = f"{PUBLIC_URL}/connections"
BEN = ana(uid="5f0c6f0e-0000-4000-8000-000000000002", email="ben@example.com")
BEN_UPSTREAM = Person(email="ben@example.com", sub="subject-of-ben")
COOKIE = "__Host-pmcp-person"


@dataclass
class Site:
    """An authorization server over a store that counts, and Ana's and Ben's connected apps."""

    server: AuthorizationServer
    store: FaultyStore

    async def connect(
        self, name: str = "Assistant", *, person: Person | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Connect an app in a browser of its own; return its client_id and tokens."""
        client = await self.server.register(client_name=name)
        tokens = await self.server.browser().tokens(client["client_id"], person=person)
        return client["client_id"], tokens

    async def works(self, tokens: dict[str, Any]) -> bool:
        """Report whether /mcp would accept the access token."""
        try:
            await self.server.grants.authenticate(tokens["access_token"])
        except InvalidToken:
            return False
        return True

    async def versions(self) -> dict[str, str]:
        """Return what is stored: each write changes a version."""
        return {one.name: one.version for one in self.server.store._records.values()}


@asynccontextmanager
async def running(**parts: Any) -> AsyncIterator[Site]:
    clock = parts.pop("clock", None) or HeldClock()
    memory = parts.pop("store", None) or MemoryGrantStore(clock=clock)
    store: Any = FaultyStore(memory)
    async with authorization_server(clock=clock, store=store, **parts) as server:
        server.store = memory
        server.people.put(BEN)
        yield Site(server, store)


def grants_on(page: httpx.Response) -> list[str]:
    """Return the names of the grants that the page's buttons end, from top to bottom."""
    return re.findall(r'name="grant" value="(g-[^"]+)"', page.text)


def text_of(page: httpx.Response) -> str:
    """Return what a person reads on a page."""
    body = re.sub(r"<style>.*?</style>", "", page.text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def asks_to_sign_in(page: httpx.Response) -> bool:
    return (
        page.status_code == 200
        and f'action="{URL}/sign-in"' in page.text
        and not grants_on(page)
        and "@example.com" not in page.text
    )


def cookie_value(browser: Browser, part: str) -> str:
    [value] = [one.value for one in browser.http.cookies.jar if part in one.name]
    assert value is not None
    return value


def cookie_line(browser: Browser) -> str:
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.http.cookies.jar)


def cookie_names(browser: Browser) -> list[str]:
    return sorted(cookie.name for cookie in browser.http.cookies.jar)
