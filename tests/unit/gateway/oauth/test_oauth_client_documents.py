"""Sign-ins of clients that describe themselves in a document: pages, tokens, refusals."""

from __future__ import annotations

import asyncio
import html
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from harness.documenthost import (
    CLIENT_ID,
    HOST,
    DocumentHost,
    answer,
    described,
    document_host,
)
from harness.grantkit import HeldClock, eventually
from harness.oauthkit import (
    CALLBACK,
    LOOPBACK,
    AuthorizationServer,
    audit_log,
    authorization_server,
    parameters,
)
from productive_gateway.oauth.clients.client import ClientKind, client_label
from productive_gateway.oauth.clients.deny_list import read_deny_list
from productive_gateway.oauth.clients.document_cache import DEFAULT_FRESH, STALE
from productive_gateway.oauth.clients.document_errors import RETRY_SECONDS
from productive_gateway.oauth.clients.metadata_documents import PER_MINUTE, Hosts
from productive_gateway.web.limits import Limit


@dataclass(frozen=True, slots=True)
class Site:
    """The authorization server, and a host of client documents."""

    server: AuthorizationServer
    host: DocumentHost
    clock: HeldClock

    async def page(self, client_id: str = CLIENT_ID, **changes: Any) -> httpx.Response:
        return await self.server.browser().authorize(client_id, **changes)

    async def tokens(self, **changes: Any) -> dict[str, Any]:
        """Sign in and redeem the code."""
        browser = self.server.browser()
        code = await browser.code(CLIENT_ID, **changes)
        redirect = {"redirect_uri": changes.get("redirect_uri", CALLBACK)}
        answered = await browser.redeem(CLIENT_ID, code, **redirect)
        assert answered.is_success, answered.text
        tokens: dict[str, Any] = answered.json()
        return tokens

    async def refresh(self, token: str) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": CLIENT_ID}
        return await self.server.browser().http.post("/token", data=form)


@asynccontextmanager
async def site(*, hosts: Hosts = "*", **oauth: Any) -> AsyncIterator[Site]:
    clock = HeldClock()
    async with document_host() as host:
        documents = host.documents(clock, hosts=hosts)
        async with authorization_server(clock=clock, documents=documents, oauth=oauth) as server:
            yield Site(server, host, clock)
        await documents.aclose()


def text_of(page: httpx.Response) -> str:
    return html.unescape(page.text)


async def test_a_client_signs_in_by_its_document_and_refreshes() -> None:
    async with site() as running:
        tokens = await running.tokens()
        refreshed = await running.refresh(tokens["refresh_token"])
        assert refreshed.status_code == 200
        assert len(running.host.heads) == 1
        revoked = await running.server.browser().http.post(
            "/revoke", data={"client_id": CLIENT_ID, "token": refreshed.json()["refresh_token"]}
        )
        assert revoked.status_code == 200


async def test_any_port_of_a_loopback_address_without_one_is_accepted() -> None:
    """As Claude Code: http://localhost/callback in the document, some free port in use."""
    async with site() as running:
        running.host.publish(
            described(redirect_uris=["http://localhost/callback", "http://127.0.0.1/callback"])
        )
        assert await running.tokens(redirect_uri="http://localhost:53682/callback")
        assert await running.tokens(redirect_uri="http://127.0.0.1:49152/callback")


@pytest.mark.attack("D-08")
async def test_the_page_names_the_host_of_the_document() -> None:
    async with site() as running:
        page = await running.page()
        assert f"<dt>Described by</dt><dd>{HOST}</dd>" in page.text
        assert "unverified" not in page.text
        client = await running.server.register()
        registered = await running.page(client["client_id"])
        assert "unverified" in registered.text
        assert "Described by" not in registered.text


@pytest.mark.attack("D-06", "D-08")
async def test_a_client_with_loopback_addresses_only_is_warned_of() -> None:
    warning = "Any program and any website can ask in the name of this app"
    async with site() as running:
        assert warning not in (await running.page(redirect_uri=LOOPBACK)).text
        running.clock.forward(DEFAULT_FRESH)
        running.host.publish(described(redirect_uris=["http://localhost/callback"]))
        assert warning in (await running.page(redirect_uri=LOOPBACK)).text


@pytest.mark.attack("K-01")
@pytest.mark.parametrize(
    "client_id",
    ["https://10.0.0.1/c", "https://a.svc/c", f"https://{HOST}/", f"https://{HOST}:22/c"],
)
async def test_an_address_that_is_not_allowed_gets_a_page(client_id: str) -> None:
    async with site() as running:
        page = await running.page(client_id)
        assert page.status_code == 400
        assert "location" not in page.headers
        assert "Update the app" in text_of(page)
        as_json = await running.server.browser().http.get(
            "/authorize",
            params={"client_id": client_id, "redirect_uri": CALLBACK},
            headers={"accept": "application/json"},
        )
        assert as_json.json()["error"] == "invalid_client"
        assert running.host.resolved == []


@pytest.mark.attack("K-01", "A-01")
async def test_plain_http_is_no_document() -> None:
    async with site() as running:
        page = await running.page(CLIENT_ID.replace("https:", "http:"))
        assert page.status_code == 400
        assert running.host.resolved == []


@pytest.mark.attack("K-04", "K-06", "K-11")
@pytest.mark.parametrize("case", ["redirect", "html", "other_id", "confidential"])
async def test_a_refused_document_gets_a_page_without_the_reason(case: str) -> None:
    async with site() as running:
        host = running.host
        match case:
            case "redirect":
                host.publish(None, "Location: https://10.0.0.1/", status="302 Found")
            case "html":
                host.publish(kind="text/html")
            case "other_id":
                host.publish(described(client_id=CLIENT_ID.upper()))
            case "confidential":
                host.publish(described(token_endpoint_auth_method="client_secret_basic"))
        with audit_log() as log:
            page = await running.page()
        assert page.status_code == 400
        assert "location" not in page.headers
        assert "Update the app and connect it again" in text_of(page)
        (reason,) = log.reasons("client_document_refused")
        assert reason.startswith("document_")
        assert reason not in page.text
        assert len(host.heads) <= 1
        assert await running.server.records() == 0


async def test_a_host_that_is_away_gets_a_page_to_load_again() -> None:
    async with site() as running:
        running.host.away = True
        page = await running.page()
        assert page.status_code == 503
        assert page.headers["retry-after"] == str(RETRY_SECONDS)
        assert "load this page again" in page.text


@pytest.mark.attack("K-02", "K-11")
async def test_a_page_does_not_say_whether_a_name_exists_in_the_companys_network() -> None:
    async with site() as running:
        running.host.addresses[HOST] = [("10.0.0.1",)]
        with audit_log() as log:
            inside = await running.page()
        assert log.reasons("client_document_refused") == ["document_address_not_public"]
        assert running.host.connected == []
    async with site() as running:
        running.host.addresses[HOST] = [()]
        nowhere = await running.page()
    assert inside.status_code == nowhere.status_code == 503
    assert text_of(inside) == text_of(nowhere)
    assert inside.headers["retry-after"] == nowhere.headers["retry-after"]


@pytest.mark.attack("K-07")
async def test_a_redirect_that_the_document_does_not_have_gets_a_page() -> None:
    async with site() as running:
        page = await running.page(redirect_uri=f"https://{HOST}/other")
        assert page.status_code == 400
        assert "location" not in page.headers


@pytest.mark.attack("K-07")
@pytest.mark.parametrize("sent", [CALLBACK, None])
async def test_a_redirect_that_left_the_document_redeems_no_code(sent: str | None) -> None:
    async with site() as running:
        running.host.publish(None, "Cache-Control: max-age=60")
        browser = running.server.browser()
        code = await browser.code(CLIENT_ID)
        before = await running.server.records()
        running.host.publish(described(redirect_uris=[f"https://{HOST}/new"]))
        running.clock.forward(60)
        refused = await browser.redeem(CLIENT_ID, code, redirect_uri=sent)
        assert refused.status_code == 400
        assert refused.json()["error"] == "invalid_grant"
        assert await running.server.records() == before


@pytest.mark.attack("K-07")
async def test_the_redirect_of_the_consent_is_the_one_that_gets_the_code() -> None:
    async with site() as running:
        running.host.publish(None, "Cache-Control: max-age=60")
        browser = running.server.browser()
        url = await browser.approve(CLIENT_ID)
        running.host.publish(described(redirect_uris=[f"https://{HOST}/new"]))
        running.clock.forward(60)
        answered = await browser.http.get(f"/callback?{running.server.provider.sign_in(url)}")
        assert answered.headers["location"].startswith(f"{CALLBACK}?")


@pytest.mark.attack("K-12")
async def test_a_host_that_is_not_on_the_list_can_neither_sign_in_nor_refresh() -> None:
    async with site() as running:
        server, tokens = running.server, await running.tokens()
        documents = running.host.documents(running.clock, hosts=("claude.ai",))
        async with authorization_server(
            clock=running.clock, store=server.store, keys=server.keys, documents=documents
        ) as restricted:
            other = Site(restricted, running.host, running.clock)
            page = await other.page()
            assert page.status_code == 400
            assert "CLIENT_DOCUMENT_HOSTS" in page.text
            refused = await other.refresh(tokens["refresh_token"])
            assert refused.status_code == 401
            assert refused.json()["error"] == "invalid_client"


@pytest.mark.attack("O-11", "K-12")
async def test_a_redirect_host_that_was_removed_ends_refreshes() -> None:
    async with site() as running:
        server, tokens = running.server, await running.tokens()
        async with authorization_server(
            clock=running.clock,
            store=server.store,
            keys=server.keys,
            documents=running.host.documents(running.clock),
            oauth={"redirect_hosts": ("claude.ai",)},
        ) as restricted:
            running.host.publish(described(redirect_uris=[CALLBACK]))
            other = Site(restricted, running.host, running.clock)
            assert "REDIRECT_HOSTS" in (await other.page()).text
            refused = await other.refresh(tokens["refresh_token"])
            assert refused.json()["error"] == "invalid_grant"


@pytest.mark.attack("O-11", "K-12")
@pytest.mark.parametrize("entry", [CLIENT_ID, client_label(CLIENT_ID)])
async def test_a_denied_address_can_neither_sign_in_nor_refresh_and_is_not_fetched(
    entry: str,
) -> None:
    async with site() as running:
        server, tokens = running.server, await running.tokens()
        documents = running.host.documents(running.clock)
        async with authorization_server(
            clock=running.clock,
            store=server.store,
            keys=server.keys,
            documents=documents,
            clients={"denied": read_deny_list(json.dumps({"clients": [entry]}))},
        ) as strict:
            fetched = len(running.host.heads)
            other = Site(strict, running.host, running.clock)
            assert (await other.page()).status_code == 403
            assert (await other.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
            assert len(running.host.heads) == fetched


@pytest.mark.attack("O-10")
async def test_without_this_kind_of_client_no_document_is_fetched_nor_offered() -> None:
    metadata = "/.well-known/oauth-authorization-server"
    async with site() as running:
        server, tokens = running.server, await running.tokens()
        assert "client_id_metadata_document_supported" in (
            (await server.browser().http.get(metadata)).json()
        )
        async with authorization_server(
            clock=running.clock,
            store=server.store,
            keys=server.keys,
            documents=running.host.documents(running.clock),
            clients={"kinds": frozenset({ClientKind.REGISTERED})},
        ) as strict:
            fetched = len(running.host.heads)
            other = Site(strict, running.host, running.clock)
            assert (await other.page()).status_code == 400
            refused = await other.refresh(tokens["refresh_token"])
            assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
            assert len(running.host.heads) == fetched
            offered = (await strict.browser().http.get(metadata)).json()
            assert "client_id_metadata_document_supported" not in offered


@pytest.mark.attack("K-08")
async def test_an_outage_of_the_documents_host_signs_nobody_out() -> None:
    async with site() as running:
        token = (await running.tokens())["refresh_token"]
        running.host.away = True
        running.clock.forward(STALE - 1)
        refreshed = await running.refresh(token)
        assert refreshed.status_code == 200, "the last good document serves for a day"
        running.clock.forward(1)
        later = await running.refresh(refreshed.json()["refresh_token"])
        assert later.status_code == 503
        assert later.json()["error"] == "temporarily_unavailable"
        assert later.headers["retry-after"] == str(RETRY_SECONDS)
        running.host.away = False
        running.clock.forward(RETRY_SECONDS)
        assert (await running.refresh(refreshed.json()["refresh_token"])).status_code == 200


@pytest.mark.attack("K-08")
async def test_a_broken_document_signs_nobody_out() -> None:
    async with site() as running:
        token = (await running.tokens())["refresh_token"]
        running.host.publish(described(client_name=None))
        running.clock.forward(DEFAULT_FRESH)
        with audit_log() as log:
            refused = await running.refresh(token)
            revoked = await running.server.browser().http.post(
                "/revoke", data={"client_id": CLIENT_ID, "token": token}
            )
        assert refused.status_code == revoked.status_code == 503
        assert log.reasons("token_refused") == ["document_name"]
        running.host.publish()
        running.clock.forward(RETRY_SECONDS)
        assert (await running.refresh(token)).status_code == 200


@pytest.mark.attack("K-09")
async def test_too_many_unknown_addresses_are_answered_with_a_page_to_load_again() -> None:
    async with site() as running:
        for number in range(PER_MINUTE):
            await running.page(f"https://{HOST}/{number}")
        page = await running.page()
        assert page.status_code == 503
        assert page.headers["retry-after"] == str(RETRY_SECONDS)
        assert len(running.host.heads) == PER_MINUTE
        assert await running.server.records() == 0


INGRESS = "10.0.0.1"
FEW = 3


@asynccontextmanager
async def limited_site() -> AsyncIterator[Site]:
    """Run a site behind an ingress, where an address may name `FEW` unknown documents a minute."""
    clock = HeldClock()
    async with document_host() as host:
        limit = Limit("client_documents", FEW, clock=clock)
        documents = host.documents(clock, unknown=limit)
        async with authorization_server(
            clock=clock, documents=documents, proxies=[INGRESS]
        ) as server:
            yield Site(server, host, clock)
        await documents.aclose()


async def names(site: Site, address: str, client_id: str, **headers: str) -> httpx.Response:
    """Ask for a client's consent page from this address."""
    return await site.server.browser(peer=INGRESS).http.get(
        "/authorize",
        params=parameters(client_id),
        headers={"x-forwarded-for": address, "accept": "text/html"} | headers,
    )


@pytest.mark.attack("K-09", "Q-05")
async def test_address_that_names_too_many_unknown_documents_has_to_wait() -> None:
    async with limited_site() as running:
        host, clock = running.host, running.clock
        assert (await names(running, "192.0.2.9", CLIENT_ID)).status_code == 200
        for number in range(FEW):
            page = await names(running, "192.0.2.1", f"https://{HOST}/{number}")
            assert page.status_code == 400
        fetched = len(host.heads)
        with audit_log() as log:
            page = await names(running, "192.0.2.1", f"https://{HOST}/one-more")
            as_json = await names(
                running, "192.0.2.1", f"https://{HOST}/another", accept="application/json"
            )
        assert page.status_code == as_json.status_code == 429
        assert page.headers["retry-after"] == as_json.headers["retry-after"] == "20"
        assert "Wait 20 seconds" in text_of(page)
        assert "location" not in page.headers
        assert as_json.json()["error"] == "temporarily_unavailable"
        assert log.reasons("limit_hit") == ["client_documents"]
        assert len(host.heads) == fetched, "nothing was fetched"
        # A document that is known costs nothing, and others are not affected.
        assert (await names(running, "192.0.2.1", CLIENT_ID)).status_code == 200
        other = await names(running, "192.0.2.2", f"https://{HOST}/one-more")
        assert other.status_code == 400
        clock.forward(20)
        assert (await names(running, "192.0.2.1", f"https://{HOST}/later")).status_code == 400
        assert await running.server.records() == 0


@pytest.mark.attack("K-09")
async def test_hundred_parallel_requests_for_one_document_count_once() -> None:
    async with limited_site() as running:
        running.host.released.clear()
        asked = [asyncio.create_task(names(running, "192.0.2.1", CLIENT_ID)) for _ in range(100)]
        await eventually(lambda: bool(running.host.heads), what="the request arrives")
        running.host.released.set()
        assert {page.status_code for page in await asyncio.gather(*asked)} == {200}
        assert len(running.host.heads) == 1
        left = [
            (await names(running, "192.0.2.1", f"https://{HOST}/{number}")).status_code
            for number in range(FEW)
        ]
        assert left == [400] * (FEW - 1) + [429]


async def test_without_documents_such_an_id_is_unknown() -> None:
    async with document_host() as host, authorization_server() as server:
        page = await server.browser().authorize(CLIENT_ID)
        assert page.status_code == 400
        assert "not known here" in page.text
        assert host.resolved == []


async def test_a_secret_does_not_prove_a_client_with_a_document() -> None:
    async with site() as running:
        refused = await running.server.browser().http.post(
            "/token",
            data={
                "grant_type": "refresh_token",
                "refresh_token": "x",
                "client_id": CLIENT_ID,
                "client_secret": "x",
            },
        )
        assert refused.json()["error"] == "invalid_client"


async def test_the_longest_client_id_fits_into_a_transaction() -> None:
    client_id = f"https://{HOST}/" + "".join(chr(97 + n * 7 % 26) for n in range(486))
    async with site() as running:
        assert len(client_id) <= 512
        path = client_id.removeprefix(f"https://{HOST}")
        running.host.answers[path] = answer(described(client_id=client_id))
        assert (await running.page(client_id, state="s" * 512)).status_code == 200
