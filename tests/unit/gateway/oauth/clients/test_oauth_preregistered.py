"""The list of pre-registered clients: how it is read, and how it is followed."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from harness.mount import MappingMount
from harness.scripted import until
from productive_contract.secret import Secret
from productive_gateway.errors import Unavailable
from productive_gateway.oauth.clients.client import AuthMethod, Client, ClientKind, Registration
from productive_gateway.oauth.clients.preregistered import PreregistrationError, decode_clients
from productive_gateway.oauth.clients.preregistered_file import (
    PreregisteredClients,
    check_preregistered,
)
from productive_gateway.oauth.clients.redirect_policy import Obstacle, RedirectPolicy
from productive_gateway.oauth.clients.redirect_uri import parse_redirect_uri
from productive_gateway.observability.metrics import CLIENTS_BROKEN

POLICY = RedirectPolicy((), "https://mcp.example.test")
SECRET, OTHER = "canary" * 6, "other-" * 6
GOOD: dict[str, Any] = {
    "client_id": "helpdesk",
    "client_name": "Helpdesk",
    "redirect_uris": ["https://helpdesk.example/callback"],
    "client_secret": SECRET,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from([*GOOD, "x"]) | st.text(), inner)
    ),
)


def sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def document(*changes: dict[str, Any]) -> bytes:
    """Return a list of good clients, each with changes; None takes a member out."""
    entries = [
        {name: value for name, value in (GOOD | change).items() if value is not None}
        for change in changes
    ]
    return json.dumps(entries).encode()


def refused(content: bytes) -> str:
    with pytest.raises(PreregistrationError) as caught:
        decode_clients(content, POLICY)
    assert "canary" not in str(caught.value)
    return str(caught.value)


def test_a_list_is_read() -> None:
    public = {
        "client_id": "scripts",
        "client_secret": None,
        "token_endpoint_auth_method": "none",
        "redirect_uris": ["http://localhost/callback", "com.example.app:/callback"],
    }
    clients = decode_clients(document({}, public), POLICY)
    helpdesk, scripts = clients["helpdesk"], clients["scripts"]
    assert helpdesk.kind is scripts.kind is ClientKind.PREREGISTERED
    assert helpdesk.registration.name == "Helpdesk"
    assert helpdesk.registration.auth_method is AuthMethod.BASIC
    assert not helpdesk.registration.method_chosen
    assert helpdesk.holds(SECRET)
    assert not helpdesk.holds(OTHER)
    assert scripts.registration.auth_method is AuthMethod.NONE
    assert not scripts.holds("")
    assert "canary" not in repr(clients)


@pytest.mark.parametrize(
    "change",
    [
        {"client_secret": [SECRET, OTHER]},
        {"client_secret": None, "client_secret_sha256": [sha256(SECRET), sha256(OTHER)]},
    ],
)
def test_two_secrets_are_accepted_while_one_is_changed(change: dict[str, Any]) -> None:
    client = decode_clients(document(change), POLICY)["helpdesk"]
    assert client.holds(SECRET)
    assert client.holds(OTHER)
    assert not client.holds(sha256(SECRET))


@pytest.mark.attack("Q-07")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"client_id": None}, "client_id must have"),
        ({"client_id": "with space"}, "client_id must have"),
        ({"client_id": "pmcp_dc_x"}, "must not begin with pmcp_"),
        ({"client_name": None}, "client_name must have"),
        ({"client_name": "two\nlines"}, "client_name must have"),
        ({"client_name": "\u202egnp.exe"}, "client_name must have"),
        ({"redirect_uris": []}, "redirect_uris must be a list"),
        ({"redirect_uris": "https://helpdesk.example/"}, "redirect_uris must be a list"),
        ({"redirect_uris": [1]}, "must be strings"),
        ({"redirect_uris": ["http://helpdesk.example/"]}, "must be https"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "must not have the scheme javascript"),
        ({"redirect_uris": ["https://mcp.example.test/callback"]}, "this server itself"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "must be one of"),
        ({"token_endpoint_auth_method": ["none"]}, "must be one of"),
        ({"token_endpoint_auth_method": "none"}, "has a secret"),
        ({"client_secret": None}, "without one it is a public client"),
        ({"client_secret": "canary"}, "32 to 256"),
        ({"client_secret": 7}, "32 to 256"),
        ({"client_secret": []}, "list of 1 or 2"),
        ({"client_secret": [SECRET] * 3}, "list of 1 or 2"),
        ({"client_secret_sha256": sha256(SECRET)}, "either client_secret or"),
        ({"client_secret": None, "client_secret_sha256": SECRET}, "64 hexadecimal digits"),
        ({"client_uri": "https://helpdesk.example/"}, "client_uri is unknown"),
        ({SECRET: "misplaced"}, "is unknown"),
    ],
)
def test_a_wrong_entry_is_named_with_what_to_write(change: dict[str, Any], message: str) -> None:
    found = refused(document({"client_id": "first"}, change))
    assert found.startswith("entry 2: ")
    assert message in found


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[1]",
        b'["canary"]',
        b'[{"client_id":"a","client_id":"b"}]',
        b"[" * 100_000,
        b"\xff",
        document({}, {}),
        document(*({"client_id": f"c{number}"} for number in range(1001))),
    ],
)
def test_what_is_no_list_of_clients_is_refused(content: bytes) -> None:
    refused(content)


@pytest.mark.attack("Q-09")
@given(st.binary() | JSON.map(lambda value: json.dumps([value]).encode()))
def test_any_content_is_read_or_refused_with_a_message(content: bytes) -> None:
    try:
        decode_clients(content, POLICY)
    except PreregistrationError as error:
        message = str(error)
    else:
        return
    assert message


def test_a_named_address_needs_no_other_permission_unless_it_is_the_servers_own() -> None:
    own = "https://mcp.example.test/callback"
    uris = ("https://anywhere.example/cb", "com.example.app:/cb")
    for kind, allowed in ((ClientKind.PREREGISTERED, True), (ClientKind.REGISTERED, False)):
        registration = Registration("Helpdesk", (*uris, own), AuthMethod.NONE, True)
        client = Client("helpdesk", registration, kind=kind)
        for uri in uris:
            assert (client.obstacle(parse_redirect_uri(uri), POLICY) is None) is allowed
        assert client.obstacle(parse_redirect_uri(own), POLICY) is Obstacle.OWN_ADDRESS
        assert client.usable(POLICY) is allowed
        only_own = replace(client, registration=replace(registration, redirect_uris=(own,)))
        assert not only_own.usable(POLICY)


# --- the list in use


def test_the_list_may_be_the_setting_itself_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "apps.json"
    file.write_bytes(document({}))
    for setting in (Secret(document({}).decode()), file):
        check_preregistered(setting, POLICY)
        clients = PreregisteredClients(setting, POLICY)
        assert clients.find("helpdesk") is not None
        assert clients.find("other") is None
        assert clients.problem is None


@pytest.mark.parametrize("name", ["absent.json", "."])
def test_a_list_that_is_not_there_is_a_problem_before_the_start(tmp_path: Path, name: str) -> None:
    with pytest.raises(PreregistrationError, match=r"no clients\.json"):
        check_preregistered(tmp_path / name, POLICY)


def test_without_a_list_nobody_is_called_unknown(tmp_path: Path) -> None:
    clients = PreregisteredClients(tmp_path / "absent.json", POLICY)
    with pytest.raises(Unavailable):
        clients.find("helpdesk")


async def test_a_changed_mount_is_read_by_itself(tmp_path: Path) -> None:
    mount = MappingMount(tmp_path)
    mount.write({"clients.json": document({})})
    clients = PreregisteredClients(tmp_path, POLICY)
    task = asyncio.create_task(clients.run())
    mount.write({"clients.json": document({"client_id": "newer"})})
    await until(lambda: clients.find("newer") is not None)
    assert clients.find("helpdesk") is None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    "data", [{"clients.json": document({"client_secret": "canary"})}, {"other.json": b"[]"}]
)
def test_a_wrong_mount_keeps_the_last_good_list_and_raises_the_alarm(
    tmp_path: Path, data: dict[str, bytes]
) -> None:
    mount = MappingMount(tmp_path)
    mount.write({"clients.json": document({})})
    clients = PreregisteredClients(tmp_path, POLICY)
    with capture_logs() as lines:
        mount.write(data)
        clients.poll()
        assert clients.find("helpdesk") is not None
        assert clients.problem is not None
        assert CLIENTS_BROKEN.collect()[0].samples[0].value == 1
        mount.write({"clients.json": document({"client_id": "newer"})})
        clients.poll()
    assert clients.find("newer") is not None
    assert clients.problem is None
    assert CLIENTS_BROKEN.collect()[0].samples[0].value == 0
    events = [line["event"] for line in lines]
    assert events == ["clients.broken", "clients.loaded", "clients.restored"]
    assert "canary" not in str(lines)
