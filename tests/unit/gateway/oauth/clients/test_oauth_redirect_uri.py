"""Redirect URIs: what may be registered, what may be used, and when two are the same."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.oauth.clients.redirect_uri import (
    RedirectKind,
    RedirectUriError,
    find_registered,
    parse_redirect_uri,
)

WEB = "https://good.example/callback"


@pytest.mark.attack("B-01")
@pytest.mark.parametrize(
    "given_uri",
    [
        "https://good.example/other",
        "https://good.example/callback/more",
        "https://good.example/callback?x=1",
        "https://good.example/callback/",
        "https://good.example/CALLBACK",
        "https://good.example:443/callback",
        "https://good.example:8443/callback",
        "http://good.example/callback",
        "https://www.good.example/callback",
        "",
    ],
)
def test_only_the_registered_text_matches(given_uri: str) -> None:
    assert find_registered([WEB], given_uri) is None


def test_the_registered_text_itself_is_found() -> None:
    uri = find_registered(["https://other.example/", WEB], WEB)
    assert uri is not None
    assert uri.text == WEB
    assert uri.shown_host == "good.example"


@pytest.mark.attack("B-02")
@pytest.mark.parametrize(
    "text",
    [
        "https://good.example@evil.example/callback",
        "https://good.example:pass@evil.example/callback",
        "https://good.example\\@evil.example/callback",
        "https://evil.example\\.good.example/callback",
        "https://good.example%2e%2eevil.example/callback",
        "https://good.example/%2e%2e/callback",
        "https://good.example/a/../callback",
        "https://good.example/a/.%2E/callback",
        "https://good\t.example/callback",
        "https://good.example/call back",
        "https://good\u3002example/callback",
        "https://\uff47ood.example/callback",
        "https://good.example;.evil.example/callback",
        "https://GOOD.example/callback",
        "HTTPS://good.example/callback",
        "https:good.example/callback",
        "https:///callback",
        "https://good.example:0/callback",
        "https://good.example:99999/callback",
        "https://good.example./callback",
        "https://-good.example/callback",
        "//good.example/callback",
        "/callback",
        "https://[::2]/callback",
        "https://good.example/%zz",
        "https://good.example/callback?code=mine",
        "https://good.example/callback?a=1&state=mine",
        'https://good.example/"onclick',
        "https://good.example/" + "a" * 500,
    ],
)
def test_ambiguous_uris_are_refused(text: str) -> None:
    with pytest.raises(RedirectUriError):
        parse_redirect_uri(text)
    assert find_registered([text], text) is None


@pytest.mark.attack("B-02")
def test_a_host_that_only_begins_like_the_registered_one_is_another() -> None:
    assert find_registered([WEB], "https://good.example.evil.example/callback") is None


@pytest.mark.attack("B-03")
@pytest.mark.parametrize("text", [WEB + "#", WEB + "#x", "http://localhost/cb#x", "cursor://a#b"])
def test_a_fragment_is_refused(text: str) -> None:
    with pytest.raises(RedirectUriError, match="fragment"):
        parse_redirect_uri(text)


@pytest.mark.attack("B-04")
@pytest.mark.parametrize(
    ("registered", "used"),
    [
        ("http://127.0.0.1/cb", "http://127.0.0.1:1234/cb"),
        ("http://127.0.0.1:9/cb", "http://127.0.0.1:1234/cb"),
        ("http://127.0.0.1:9/cb", "http://127.0.0.1/cb"),
        ("http://127.9.8.7/cb", "http://127.9.8.7:1234/cb"),
        ("http://[::1]/cb", "http://[::1]:1234/cb"),
        ("http://localhost/cb?x=1", "http://localhost:1234/cb?x=1"),
    ],
)
def test_the_port_of_a_loopback_uri_does_not_count(registered: str, used: str) -> None:
    uri = find_registered([registered], used)
    assert uri is not None
    assert uri.text == used
    assert uri.kind is RedirectKind.LOOPBACK


@pytest.mark.attack("B-04")
@pytest.mark.parametrize(
    "used",
    [
        "http://127.0.0.1:1/other",
        "http://127.0.0.1:1/cb/",
        "http://127.0.0.1:1/cb?x=1",
        "http://localhost:1/cb",
        "http://127.0.0.2:1/cb",
        "https://127.0.0.1:1/cb",
    ],
)
def test_all_but_the_port_of_a_loopback_uri_counts(used: str) -> None:
    assert find_registered(["http://127.0.0.1/cb"], used) is None


@pytest.mark.attack("B-05")
@pytest.mark.parametrize(
    "text",
    [
        "http://localhost.evil.example/cb",
        "http://127.0.0.1.nip.io/cb",
        "http://0.0.0.0/cb",
        "http://[::ffff:127.0.0.1]/cb",
        "http://[0:0:0:0:0:0:0:1]/cb",
        "http://2130706433/cb",
        "http://0x7f000001/cb",
        "http://127.1/cb",
        "http://127.0.0.01/cb",
        "http://127.0.0.256/cb",
        "http://localhost./cb",
    ],
)
def test_hosts_that_only_look_like_loopback_are_refused(text: str) -> None:
    with pytest.raises(RedirectUriError):
        parse_redirect_uri(text)


@pytest.mark.attack("B-06")
@pytest.mark.parametrize(
    "text",
    [
        "http://remote.example/cb",
        "ftp://remote.example/cb",
        "file:///etc/passwd",
        "data:text/html,x",
        "javascript:alert(1)",
        "vbscript:x",
        "intent://x#Intent;end",
        "blob:https://good.example/1",
        "ws://good.example/",
        "about:blank",
    ],
)
def test_a_scheme_that_hands_the_code_to_anybody_is_refused(text: str) -> None:
    with pytest.raises(RedirectUriError):
        parse_redirect_uri(text)


@pytest.mark.attack("Q-09", "B-02")
@given(st.text(max_size=80) | st.from_regex(r"https?://[ -~]{0,40}", fullmatch=True))
def test_any_text_is_refused_or_parsed_as_the_standard_library_parses_it(text: str) -> None:
    try:
        uri = parse_redirect_uri(text)
    except RedirectUriError:
        return
    assert uri.text == text
    assert parse_redirect_uri(uri.text) == uri
    if uri.kind is RedirectKind.PRIVATE_USE:
        return
    parts = urlsplit(text)
    assert parts.scheme == uri.scheme
    assert parts.hostname == uri.host.strip("[]")
    assert parts.username is None
    assert str(parts.port or "") == uri.port.lstrip("0")
    assert not parts.fragment
    assert uri.kind is RedirectKind.LOOPBACK or parts.scheme == "https"


@given(st.integers(1, 65535), st.integers(1, 65535))
def test_only_loopback_uris_may_differ_in_their_port(one: int, other: int) -> None:
    assert find_registered([f"http://localhost:{one}/cb"], f"http://localhost:{other}/cb")
    web = find_registered([f"https://good.example:{one}/cb"], f"https://good.example:{other}/cb")
    assert (web is not None) == (one == other)
