"""Who is shut out, by id, host and name."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.oauth.clients.client import (
    AuthMethod,
    Client,
    ClientKind,
    Registration,
    client_label,
)
from productive_gateway.oauth.clients.deny_list import ClientDenied, DenyList, read_deny_list

DOCUMENT = "https://documents.example/client.json"


def client(
    client_id: str = "helpdesk",
    name: str = "Helpdesk",
    *uris: str,
    kind: ClientKind = ClientKind.REGISTERED,
) -> Client:
    registration = Registration(name, uris or ("https://a.example/cb",), AuthMethod.NONE, True)
    return Client(client_id, registration, kind=kind)


def denies(denied: DenyList, one: Client) -> bool:
    try:
        denied.check_id(one.client_id)
        denied.check(one)
    except ClientDenied as error:
        found = (error.client, error.reason)
    else:
        return False
    assert found == (one.label, "client_denied")
    return True


def deny(**lists: list[str]) -> DenyList:
    return read_deny_list(json.dumps(lists))


@pytest.mark.attack("O-11", "K-12")
@pytest.mark.parametrize("client_id", ["helpdesk", DOCUMENT, "pmcp_dc_" + "x" * 900])
def test_a_client_is_denied_by_its_id_or_by_the_label_of_audit_lines(client_id: str) -> None:
    for entry in (client_id, client_label(client_id)):
        denied = deny(clients=[entry])
        assert denies(denied, client(client_id))
        assert not denies(denied, client(client_id + "x"))
        assert denied.labels == {client_label(client_id)}


@pytest.mark.attack("O-11")
@pytest.mark.parametrize(
    ("uri", "denied"),
    [
        ("https://bad.example/cb", True),
        ("https://bad.example:8443/cb", True),
        ("https://deep.below.bad.example/cb", True),
        ("https://notbad.example/cb", False),
        ("https://bad.example.good.example/cb", False),
        ("https://example/cb", False),
        ("http://localhost:1/cb", False),
        ("bad.example:/cb", False),
    ],
)
def test_a_host_covers_those_below_it(uri: str, denied: bool) -> None:
    one = client("helpdesk", "Helpdesk", "https://a.example/cb", uri)
    assert denies(deny(hosts=["Bad.example"]), one) is denied


def test_loopback_can_be_denied_too() -> None:
    one = client("helpdesk", "Helpdesk", "http://[::1]/cb")
    assert denies(deny(hosts=["[::1]"]), one)


@pytest.mark.attack("K-12")
def test_the_host_of_a_metadata_document_counts_as_well() -> None:
    one = client(DOCUMENT, kind=ClientKind.METADATA_DOCUMENT)
    assert denies(deny(hosts=["documents.example"]), one)


@pytest.mark.attack("O-11")
@pytest.mark.parametrize(
    ("name", "denied"),
    [
        ("Bad App", True),
        ("bad APP", True),
        ("  Bad\u200b   App ", True),
        ("\uff22\uff41\uff44 App", True),
        ("Bad App 2", False),
        ("Bad", False),
    ],
)
def test_a_name_is_compared_as_it_is_shown_and_in_any_case(name: str, denied: bool) -> None:
    assert denies(deny(names=["bad app"]), client("helpdesk", name)) is denied


def test_an_empty_list_denies_nobody() -> None:
    assert not denies(read_deny_list("{}"), client())


@pytest.mark.attack("Q-07")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bad.example", "write a JSON object"),
        ('["bad.example"]', "write a JSON object"),
        ('{"host": ["bad.example"]}', "each with a list of strings"),
        ('{"hosts": "bad.example"}', "each with a list of strings"),
        ('{"names": [" "]}', "each with a list of strings"),
        ('{"clients": [7]}', "each with a list of strings"),
        ('{"hosts": ["https://bad.example"]}', "write hosts alone"),
        ('{"hosts": ["bad.example:8443"]}', "write hosts alone"),
        ('{"hosts": ["*.bad.example"]}', "write hosts alone"),
        ('{"hosts": [".bad.example"]}', "write hosts alone"),
    ],
)
def test_a_malformed_list_is_refused_with_what_to_write(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_deny_list(text)


@pytest.mark.attack("Q-09")
@given(st.text() | st.dictionaries(st.sampled_from(["hosts", "names"]), st.lists(st.text())))
def test_any_text_is_read_or_refused(given_list: object) -> None:
    text = given_list if isinstance(given_list, str) else json.dumps(given_list)
    try:
        read_deny_list(text)
    except ValueError as error:
        message = str(error)
    else:
        return
    assert message.startswith("write ")
