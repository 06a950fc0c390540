"""Authentication at /mcp: the real grants over the store in memory, and people who change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from structlog.testing import capture_logs

from harness.grantkit import CLIENT, NOW, HeldPeople, Replica, ana
from harness.mcpkit import mcp_server, request
from productive_contract.mapping import Person, State
from productive_gateway.errors import AccessDenied, InvalidToken, Unavailable
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.mcp.authentication import Authenticator
from productive_gateway.oauth.clients.client import client_label

CONTACT = "it@example.test"
SIGNED_IN = datetime.fromtimestamp(NOW, UTC)


@pytest.fixture
def gateway() -> Replica:
    return Replica.over(MemoryGrantStore())


def authenticator(gateway: Replica, people: HeldPeople | None = None) -> Authenticator:
    return Authenticator(gateway.grants, people or gateway.people, admin_contact=CONTACT)


async def call(gateway: Replica, token: str) -> httpx.Response:
    """Call the real endpoint with a token."""
    authenticate = authenticator(gateway).authenticate
    async with mcp_server(authenticate=authenticate) as mcp:
        return await mcp.post(request("tools/list"), token=token)


def change(gateway: Replica, person: Person | None) -> None:
    """Replace Ana in the mapping, or remove her."""
    gateway.people.remove(ana())
    if person is not None:
        gateway.people.put(person)


async def test_token_of_a_live_grant_and_an_active_person_gives_the_principal(
    gateway: Replica,
) -> None:
    token = (await gateway.tokens(scopes=frozenset({"productive:read"}))).access_token
    grant = await gateway.grants.authenticate(token)
    found = await authenticator(gateway).authenticate(token)
    assert found.person == ana()
    assert (found.grant, found.client) == (grant.name, grant.client)
    assert found.scopes == {"productive:read"}
    assert (await call(gateway, token)).status_code == 200


@pytest.mark.attack("O-11", "K-12")
async def test_client_that_is_shut_out_by_its_id_is_told_whom_to_ask(gateway: Replica) -> None:
    token = (await gateway.tokens()).access_token
    denied = frozenset({client_label(CLIENT)})
    strict = Authenticator(gateway.grants, gateway.people, denied=denied, admin_contact=CONTACT)
    async with mcp_server(authenticate=strict.authenticate) as mcp:
        answer = await mcp.post(request("tools/list"), token=token)
    assert answer.status_code == 401
    assert answer.json() == {
        "error": "invalid_token",
        "error_description": f"This app is not allowed here any more. Ask {CONTACT}.",
    }
    with pytest.raises(InvalidToken) as caught:
        await strict.authenticate(token)
    assert caught.value.reason == "client_denied"


@pytest.mark.attack("M-09")
async def test_deleted_person_is_told_whom_to_ask(gateway: Replica) -> None:
    token = (await gateway.tokens()).access_token
    change(gateway, None)
    answer = await call(gateway, token)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert answer.json() == {
        "error": "invalid_token",
        "error_description": "This sign-in belongs to somebody who has no access any more. "
        f"Ask {CONTACT}, then sign in again.",
    }
    with pytest.raises(InvalidToken) as caught:
        await authenticator(gateway).authenticate(token)
    assert caught.value.reason == "person_gone"


@pytest.mark.attack("M-09")
async def test_person_with_ended_sign_ins_is_told_so(gateway: Replica) -> None:
    token = (await gateway.tokens()).access_token
    change(gateway, ana(revoked_before=NOW + 1))
    answer = await call(gateway, token)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert answer.json() == {
        "error": "invalid_token",
        "error_description": "This sign-in was ended by an administrator. Sign in again.",
    }


@pytest.mark.attack("M-09")
async def test_suspended_person_is_denied_with_the_reason(gateway: Replica) -> None:
    token = (await gateway.tokens()).access_token
    change(gateway, ana(state=State.SUSPENDED))
    with (
        capture_logs() as lines,
        pytest.raises(AccessDenied, match=rf"suspended.*{CONTACT}") as caught,
    ):
        await authenticator(gateway).authenticate(token)
    assert caught.value.reason == "suspended"
    [line] = lines
    grant = await gateway.grants.authenticate(token)
    assert (line["event"], line["reason"], line["email"], line["grant"]) == (
        "token_refused",
        "suspended",
        ana().email,
        grant.name,
    )


@pytest.mark.attack("M-09")
async def test_person_without_a_productive_token_is_let_through(gateway: Replica) -> None:
    token = (await gateway.tokens()).access_token
    without = ana(state=State.NO_TOKEN)
    change(gateway, without)
    assert (await authenticator(gateway).authenticate(token)).person == without


@pytest.mark.parametrize(
    ("revoked", "valid"),
    [
        (SIGNED_IN + timedelta(seconds=1), False),
        (SIGNED_IN, True),
        (SIGNED_IN - timedelta(days=1), True),
    ],
)
async def test_only_sign_ins_before_the_revocation_are_ended(
    gateway: Replica, revoked: datetime, *, valid: bool
) -> None:
    token = (await gateway.tokens()).access_token
    change(gateway, replace(ana(), revoked_before=revoked))
    if valid:
        assert await authenticator(gateway).authenticate(token)
        return
    with pytest.raises(InvalidToken) as caught:
        await authenticator(gateway).authenticate(token)
    assert caught.value.reason == "revoked_before"


async def test_ended_sign_in_is_reported_before_a_suspension(gateway: Replica) -> None:
    token = (await gateway.tokens()).access_token
    change(gateway, ana(state=State.SUSPENDED, revoked_before=NOW + 1))
    with pytest.raises(InvalidToken, match="ended by an administrator"):
        await authenticator(gateway).authenticate(token)


async def test_unreadable_mapping_is_unavailable(gateway: Replica) -> None:
    token = (await gateway.tokens()).access_token
    unreadable = HeldPeople()
    unreadable.people = None
    with pytest.raises(Unavailable):
        await authenticator(gateway, unreadable).authenticate(token)


async def test_invalid_token_and_unavailable_grants_are_reported_as_such(gateway: Replica) -> None:
    with pytest.raises(InvalidToken) as caught:
        await authenticator(gateway).authenticate("pmcp_at_made-up")
    assert caught.value.reason == "malformed"
    token = (await gateway.tokens()).access_token
    gateway.keys.loaded = type(gateway.keys)().loaded
    gateway.keys.stored = None
    with pytest.raises(Unavailable):
        await authenticator(gateway).authenticate(token)


@pytest.mark.attack("M-09")
async def test_person_absent_from_an_unconfirmed_mapping_is_told_to_try_again(
    gateway: Replica,
) -> None:
    token = (await gateway.tokens()).access_token
    change(gateway, None)
    gateway.people.proves_absence = False
    answer = await call(gateway, token)
    assert answer.status_code == 503
    assert "www-authenticate" not in answer.headers
