"""Clients of each kind at the endpoints: switched off, pre-registered, and shut out."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.grantkit import HeldKeys
from harness.oauthkit import (
    CALLBACK,
    PUBLIC_URL,
    VERIFIER,
    AuthorizationServer,
    audit_log,
    authorization_server,
    moved_on,
    query_of,
)
from productive_contract.secret import Secret
from productive_gateway.errors import Unavailable
from productive_gateway.oauth.clients.client import ClientKind, client_label
from productive_gateway.oauth.clients.deny_list import ClientDenied, read_deny_list
from productive_gateway.oauth.clients.directory import Clients
from productive_gateway.oauth.clients.preregistered_file import PreregisteredClients
from productive_gateway.oauth.clients.redirect_policy import RedirectPolicy

METADATA = "/.well-known/oauth-authorization-server"
HELPDESK = "help:desk+1"
SECRET, NEXT = "canary-old-" * 4, "canary-new-" * 4
HELPDESK_CALLBACK = "https://helpdesk.example/oauth/callback"
CURSOR = "cursor://anysphere.cursor-mcp/oauth/callback"


def listed(*clients: dict[str, Any]) -> PreregisteredClients:
    """Return a list of variations of one client."""
    good = {
        "client_id": HELPDESK,
        "client_name": "Helpdesk",
        "redirect_uris": [HELPDESK_CALLBACK],
        "client_secret": [SECRET, NEXT],
    }
    entries = [good | client for client in clients or ({},)]
    return PreregisteredClients(Secret(json.dumps(entries)), RedirectPolicy((), PUBLIC_URL))


@asynccontextmanager
async def preregistered(**changes: Any) -> AsyncIterator[AuthorizationServer]:
    """Start a server with one pre-registered client, whose address no other client may use."""
    known = listed(changes)
    policy = {"redirect_hosts": ("claude.ai",)}
    async with authorization_server(clients={"preregistered": known}, oauth=policy) as server:
        yield server


def basic(client_id: str, secret: str, *, scheme: str = "Basic") -> dict[str, str]:
    pair = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return {"authorization": f"{scheme} {pair}"}


async def new_code(server: AuthorizationServer, client_id: str = HELPDESK) -> str:
    return await server.browser().code(client_id, redirect_uri=HELPDESK_CALLBACK)


async def token(
    server: AuthorizationServer, form: dict[str, str], headers: dict[str, str] | None = None
) -> httpx.Response:
    return await server.browser().http.post("/token", data=form, headers=headers)


def redemption(code: str, **form: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": VERIFIER,
        "redirect_uri": HELPDESK_CALLBACK,
    } | form


def refresh(tokens: httpx.Response, **form: str) -> dict[str, str]:
    refresh_token = tokens.json()["refresh_token"]
    return {"grant_type": "refresh_token", "refresh_token": refresh_token} | form


def error(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert "canary" not in answer.text
    return str(answer.json()["error"])


# --- pre-registered clients


async def test_a_preregistered_client_signs_in_refreshes_and_revokes_with_its_secret() -> None:
    async with preregistered(client_id="helpdesk") as server:
        header = basic("helpdesk", SECRET)
        tokens = await token(server, redemption(await new_code(server, "helpdesk")), header)
        assert tokens.status_code == 200, tokens.text
        renewed = await token(server, refresh(tokens), header)
        assert renewed.status_code == 200, renewed.text
        given_back = await server.browser().http.post(
            "/revoke", data={"token": renewed.json()["access_token"]}, headers=header
        )
        assert given_back.status_code == 200
        assert error(await token(server, refresh(renewed), header), 400) == "invalid_grant"


async def test_the_consent_page_does_not_doubt_the_name_that_the_administrator_gave() -> None:
    async with preregistered() as server:
        page = await server.browser().authorize(HELPDESK, redirect_uri=HELPDESK_CALLBACK)
        assert "Helpdesk" in page.text
        assert HELPDESK_CALLBACK in page.text
        assert "unverified" not in page.text
    async with authorization_server() as server:
        client = await server.register(client_name="Helpdesk")
        assert "unverified" in (await server.browser().authorize(client["client_id"])).text


@pytest.mark.attack("B-01")
@pytest.mark.parametrize(
    "uri", [HELPDESK_CALLBACK + "/", "https://helpdesk.example/", CALLBACK, "https://claude.ai/"]
)
async def test_a_preregistered_client_has_no_other_redirect_than_its_own(uri: str) -> None:
    async with preregistered() as server:
        page = await server.browser().authorize(HELPDESK, redirect_uri=uri)
        assert page.status_code == 400
        assert "location" not in page.headers


@pytest.mark.attack("P-01")
async def test_a_preregistered_client_needs_pkce_too() -> None:
    async with preregistered() as server:
        answer = await server.browser().authorize(
            HELPDESK, redirect_uri=HELPDESK_CALLBACK, code_challenge=None
        )
        assert query_of(answer.headers["location"])["error"] == "invalid_request"


@pytest.mark.attack("N-01", "J-07")
async def test_a_preregistered_client_with_missing_or_wrong_credentials_is_refused() -> None:
    async with preregistered() as server:
        encoded = "help%3Adesk%2B1"
        good = basic(encoded, NEXT)
        code = await new_code(server)
        wrong = [
            (redemption(code, client_id=HELPDESK), None),
            (redemption(code, client_id=HELPDESK, client_secret="wrong"), None),
            (redemption(code, client_id=HELPDESK, client_secret="é"), None),
            (redemption(code), basic(encoded, "wrong")),
            (redemption(code), basic(encoded, "")),
            (redemption(code), None),
        ]
        for form, headers in wrong:
            answer = await token(server, form, headers)
            assert error(answer, 401) == "invalid_client"
            assert ("www-authenticate" in answer.headers) is (headers is not None)
        tokens = await token(server, redemption(code), good)
        for form in (
            refresh(tokens, client_id=HELPDESK),
            refresh(tokens, client_id=HELPDESK, client_secret="wrong"),
        ):
            assert error(await token(server, form), 401) == "invalid_client"
        stranger = (await server.register(redirect_uris=["http://localhost/cb"]))["client_id"]
        stolen = await token(server, refresh(tokens, client_id=stranger))
        assert error(stolen, 400) == "invalid_grant"
        assert (await token(server, refresh(tokens), good)).status_code == 200


@pytest.mark.attack("N-01")
async def test_a_preregistered_client_uses_one_way_at_a_time() -> None:
    async with preregistered() as server:
        header = basic("help%3Adesk%2B1", SECRET)
        code = await new_code(server)
        twice = await token(server, redemption(code, client_secret=SECRET), header)
        assert error(twice, 400) == "invalid_request"
        two_names = await token(server, redemption(code, client_id="other"), header)
        assert error(two_names, 400) == "invalid_request"
        assert (await token(server, redemption(code, client_id=HELPDESK), header)).is_success


@pytest.mark.attack("N-01")
async def test_a_public_preregistered_client_must_not_send_a_secret() -> None:
    known = {
        "client_id": "scripts",
        "client_name": "Scripts",
        "redirect_uris": [HELPDESK_CALLBACK],
        "token_endpoint_auth_method": "none",
    }
    policy = RedirectPolicy((), PUBLIC_URL)
    clients = PreregisteredClients(Secret(json.dumps([known])), policy)
    async with authorization_server(clients={"preregistered": clients}) as server:
        code = await new_code(server, "scripts")
        sent = redemption(code, client_id="scripts", client_secret="any")
        assert error(await token(server, sent), 401) == "invalid_client"
        assert (await token(server, redemption(code, client_id="scripts"))).is_success


@pytest.mark.attack("N-02")
async def test_the_header_of_a_preregistered_client_is_decoded_as_a_form_is() -> None:
    async with preregistered() as server:
        for number, name in enumerate(("help%3Adesk%2B1", "help%3adesk%2b1")):
            header = basic(name, SECRET, scheme=("basic", "BASIC")[number])
            answer = await token(server, redemption(await new_code(server)), header)
            assert answer.is_success, answer.text
        # Unencoded, the colon ends the id, and the plus is a space.
        for name in (HELPDESK, "help%3Adesk+1"):
            raw = await token(server, redemption(await new_code(server)), basic(name, SECRET))
            assert error(raw, 401) == "invalid_client"


@pytest.mark.attack("N-03")
async def test_a_preregistered_client_with_a_method_cannot_use_another() -> None:
    async with preregistered(token_endpoint_auth_method="client_secret_post") as server:
        code = await new_code(server)
        header = await token(server, redemption(code), basic("help%3Adesk%2B1", SECRET))
        assert error(header, 401) == "invalid_client"
        in_body = redemption(code, client_id=HELPDESK, client_secret=SECRET)
        assert (await token(server, in_body)).is_success
    async with preregistered() as server:
        for form, headers in (
            (redemption(await new_code(server)), basic("help%3Adesk%2B1", SECRET)),
            (
                redemption(await new_code(server), client_id=HELPDESK, client_secret=SECRET),
                None,
            ),
        ):
            assert (await token(server, form, headers)).is_success


@pytest.mark.attack("N-07")
async def test_a_preregistered_client_must_authenticate_to_revoke() -> None:
    async with preregistered() as server:
        header = basic("help%3Adesk%2B1", SECRET)
        tokens = await token(server, redemption(await new_code(server)), header)
        form = {"token": tokens.json()["refresh_token"], "client_id": HELPDESK}
        http = server.browser().http
        assert error(await http.post("/revoke", data=form), 401) == "invalid_client"
        wrong = await http.post("/revoke", data=form | {"client_secret": "wrong"})
        assert error(wrong, 401) == "invalid_client"
        assert (await token(server, refresh(tokens), header)).is_success


async def test_a_client_that_was_taken_off_the_list_is_unknown() -> None:
    async with preregistered() as server:
        header = basic("help%3Adesk%2B1", SECRET)
        tokens = await token(server, redemption(await new_code(server)), header)
        shared: dict[str, Any] = {"store": server.store, "keys": server.keys, "clock": server.clock}
        known = listed({"client_id": "other"})
        async with authorization_server(clients={"preregistered": known}, **shared) as without:
            answer = await token(without, refresh(tokens), header)
            assert error(answer, 401) == "invalid_client"


# --- kinds that are switched off


@pytest.mark.attack("O-10")
async def test_without_registration_there_is_no_endpoint_and_no_word_of_it() -> None:
    kinds = frozenset({ClientKind.PREREGISTERED})
    async with authorization_server() as open_server:
        client_id = (await open_server.register())["client_id"]
        shared: dict[str, Any] = {"keys": open_server.keys}
        clients = {"kinds": kinds, "preregistered": listed()}
        async with authorization_server(clients=clients, **shared) as server:
            http = server.browser().http
            document = {"redirect_uris": [CALLBACK]}
            assert error(await http.post("/register", json=document), 404) == "not_found"
            metadata = (await http.get(METADATA)).json()
            assert "registration_endpoint" not in metadata
            assert "client_secret_basic" in metadata["token_endpoint_auth_methods_supported"]
            # One that registered before is not known any more.
            page = await server.browser().authorize(client_id)
            assert page.status_code == 400
            assert "not known here" in page.text
            form = {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": "x"}
            assert error(await token(server, form), 401) == "invalid_client"
            own = await server.browser().authorize(HELPDESK, redirect_uri=HELPDESK_CALLBACK)
            assert own.status_code == 200


@pytest.mark.attack("O-10")
async def test_without_preregistered_clients_those_on_the_list_are_unknown() -> None:
    clients = {"kinds": frozenset({ClientKind.REGISTERED}), "preregistered": listed()}
    async with authorization_server(clients=clients) as server:
        page = await server.browser().authorize(HELPDESK, redirect_uri=HELPDESK_CALLBACK)
        assert page.status_code == 400
        assert (await server.register())["client_id"]


@pytest.mark.attack("O-10")
async def test_the_metadata_name_the_ways_of_the_kinds_that_may_connect() -> None:
    kinds = frozenset({ClientKind.METADATA_DOCUMENT})
    async with authorization_server(clients={"kinds": kinds}) as server:
        metadata = (await server.browser().http.get(METADATA)).json()
    for endpoint in ("token", "revocation"):
        assert metadata[f"{endpoint}_endpoint_auth_methods_supported"] == ["none"]


# --- clients that are shut out


@pytest.mark.attack("O-11", "K-12")
@pytest.mark.parametrize("by", ["clients", "hosts", "names"])
async def test_a_denied_client_gets_a_page_and_no_tokens(by: str) -> None:
    async with authorization_server() as server:
        client = await server.register(client_name="Bad App")
        client_id, browser = client["client_id"], server.browser()
        tokens = await browser.redeem(client_id, await browser.code(client_id))
        code = await browser.code(client_id)
        entry = {
            "clients": client_label(client_id),
            "hosts": "assistant.example",
            "names": "bad app",
        }
        denied = read_deny_list(json.dumps({by: [entry[by]]}))
        shared: dict[str, Any] = {"store": server.store, "keys": server.keys, "clock": server.clock}
        async with authorization_server(clients={"denied": denied}, **shared) as strict:
            with audit_log() as log:
                page = await strict.browser().authorize(client_id)
                again = await token(strict, refresh(tokens, client_id=client_id))
                redeemed = await strict.browser().redeem(client_id, code)
            assert page.status_code == 403
            assert "is not allowed here" in page.text
            assert "it@example.com" in page.text
            assert "location" not in page.headers
            assert error(again, 400) == error(redeemed, 400) == "invalid_grant"
            assert log.reasons("sign_in_refused") == ["client_denied"]
            assert log.reasons("token_refused") == ["client_denied"] * 2
            assert {line["client"] for line in log.lines} == {client_label(client_id)}
            other = await strict.register(
                client_name="Good App", redirect_uris=["https://good.example/cb"]
            )
            assert (
                await strict.browser().authorize(
                    other["client_id"], redirect_uri="https://good.example/cb"
                )
            ).status_code == 200


@pytest.mark.attack("O-11")
async def test_a_program_is_told_of_the_refusal_in_json() -> None:
    denied = read_deny_list('{"names": ["Assistant"]}')
    async with authorization_server(clients={"denied": denied}) as server:
        client = await server.register()
        browser = server.browser(headers={"accept": "application/json"})
        assert error(await browser.authorize(client["client_id"]), 403) == "access_denied"


@pytest.mark.attack("O-11")
async def test_a_preregistered_client_can_be_denied_too() -> None:
    denied = read_deny_list(json.dumps({"clients": [HELPDESK]}))
    clients = {"denied": denied, "preregistered": listed()}
    async with authorization_server(clients=clients) as server:
        page = await server.browser().authorize(HELPDESK, redirect_uri=HELPDESK_CALLBACK)
        assert page.status_code == 403


@pytest.mark.attack("K-12")
async def test_nothing_is_asked_about_a_client_that_is_denied_by_its_id(tmp_path: Path) -> None:
    absent = PreregisteredClients(tmp_path / "absent.json", RedirectPolicy((), PUBLIC_URL))
    denied = read_deny_list('{"clients": ["helpdesk"]}')
    clients = Clients(HeldKeys(), PUBLIC_URL, preregistered=absent, denied=denied)
    with pytest.raises(ClientDenied):
        await clients.find("helpdesk")
    with pytest.raises(Unavailable):
        await clients.find("other")


# --- private-use redirect URIs


@pytest.mark.attack("B-07")
@pytest.mark.parametrize("allowed", [CURSOR, "cursor"])
async def test_an_allowed_private_scheme_is_used_after_a_warning(allowed: str) -> None:
    async with authorization_server(oauth={"redirect_schemes": (allowed,)}) as server:
        client, browser = await server.register(redirect_uris=[CURSOR]), server.browser()
        page = await browser.authorize(client["client_id"], redirect_uri=CURSOR)
        assert "Any program can claim such addresses" in page.text
        assert f"<dd>{CURSOR}</dd>" in page.text
        denied = moved_on(await browser.decide(page, "deny"))
        assert denied.startswith(f"{CURSOR}?error=access_denied&")
        answer = await browser.sign_in(client["client_id"], redirect_uri=CURSOR)
        location = answer.headers["location"]
        assert location.startswith(f"{CURSOR}?code=pmcp_ac_")
        query = query_of(location)
        assert (query["iss"], query["state"]) == (PUBLIC_URL, "client-state")
        redeemed = await browser.redeem(client["client_id"], query["code"], redirect_uri=CURSOR)
        assert redeemed.is_success, redeemed.text


@pytest.mark.attack("B-07")
@pytest.mark.parametrize(
    "allowed", [(), ("cursor-nightly",), (CURSOR + "/other",), (CURSOR.removesuffix("k"),)]
)
async def test_a_private_scheme_that_is_not_allowed_is_not_used(allowed: tuple[str, ...]) -> None:
    async with authorization_server(oauth={"redirect_schemes": allowed}) as server:
        client = await server.register(redirect_uris=[CURSOR, CALLBACK])
        page = await server.browser().authorize(client["client_id"], redirect_uri=CURSOR)
        assert page.status_code == 400
        assert "location" not in page.headers
        assert "REDIRECT_SCHEMES" in page.text
        assert "it@example.com" in page.text


@pytest.mark.attack("B-07")
async def test_a_client_whose_scheme_was_taken_off_the_list_cannot_refresh() -> None:
    async with authorization_server(oauth={"redirect_schemes": ("cursor",)}) as server:
        client, browser = await server.register(redirect_uris=[CURSOR]), server.browser()
        client_id = client["client_id"]
        code = await browser.code(client_id, redirect_uri=CURSOR)
        tokens = await browser.redeem(client_id, code, redirect_uri=CURSOR)
        shared: dict[str, Any] = {"store": server.store, "keys": server.keys, "clock": server.clock}
        async with authorization_server(**shared) as strict:
            answer = await token(strict, refresh(tokens, client_id=client_id))
            assert error(answer, 400) == "invalid_grant"
