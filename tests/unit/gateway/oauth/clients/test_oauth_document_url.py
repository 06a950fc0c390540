"""Addresses of client documents: which are taken, and that each is read in one way only."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.oauth.clients.document_url import (
    DocumentUrlError,
    is_document_id,
    parse_document_url,
)
from productive_gateway.oauth.clients.uri_syntax import MAX_LENGTH

REFUSED = (
    "https://app.example",
    "https://app.example/",
    "https://app.example?x=1",
    "https://app.example/#top",
    "https://app.example/client.json#top",
    "https://app.example/client.json#",
    "https://user@app.example/client.json",
    "https://user:password@app.example/client.json",
    "https://app.example@evil.example/client.json",
    "https://app.example:22/client.json",
    "https://app.example:8443/client.json",
    "https://app.example:80/client.json",
    "https://app.example:/client.json",
    "https://app.example:0443/client.json",
    "https://app.example/./client.json",
    "https://app.example/../client.json",
    "https://app.example/a/%2e%2e/client.json",
    "https://app.example/a/.%2E",
    "https://app.example/..",
    "https://127.0.0.1/client.json",
    "https://10.1/client.json",
    "https://2130706433/client.json",
    "https://0x7f.0.0.1/client.json",
    "https://app.0x7f/client.json",
    "https://[::1]/client.json",
    "https://[::ffff:10.0.0.1]/client.json",
    "https://localhost/client.json",
    "https://app.localhost/client.json",
    "https://gateway.productive.svc/client.json",
    "https://gateway.productive.svc.cluster.local/client.json",
    "https://printer.local/client.json",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://router.home.arpa/client.json",
    "https://service.onion/client.json",
    "https://kubernetes/client.json",
    "https://app.example./client.json",
    "https://app..example/client.json",
    "https://.example/client.json",
    "https://-app.example/client.json",
    "https://app_1.example/client.json",
    f"https://{'a' * 64}.example/client.json",
    "https://App.example/client.json",
    "https://äpp.example/client.json",
    "https://app.example/clïent.json",
    "https://app.example\\@evil.example/client.json",
    "https://app.example/client.json\n",
    "https://app.example/cli ent.json",
    "https://app.example/%zz",
    "https://app.example/client\x00.json",
    "https:///client.json",
    "https:/app.example/client.json",
    "HTTPS://app.example/client.json",
    "http://app.example/client.json",
    "ftp://app.example/client.json",
    "javascript:alert(1)",
    "",
    "https://app.example/" + "a" * MAX_LENGTH,
)


@pytest.mark.attack("K-01")
@pytest.mark.parametrize("text", REFUSED)
def test_no_document_is_fetched_from_such_an_address(text: str) -> None:
    with pytest.raises(DocumentUrlError):
        parse_document_url(text)


@pytest.mark.parametrize(
    ("text", "host", "target"),
    [
        ("https://claude.ai/oauth/client.json", "claude.ai", "/oauth/client.json"),
        ("https://app.example:443/client.json", "app.example", "/client.json"),
        ("https://app.example/client.json?v=1", "app.example", "/client.json?v=1"),
        ("https://app.example/a%20b/", "app.example", "/a%20b/"),
        ("https://app.example/a..b/.well-known/x", "app.example", "/a..b/.well-known/x"),
        ("https://xn--pp-eka.example/c", "xn--pp-eka.example", "/c"),
        ("https://1.2.example/c", "1.2.example", "/c"),
        ("https://local.example/c", "local.example", "/c"),
    ],
)
def test_an_address_is_split_into_host_and_target(text: str, host: str, target: str) -> None:
    url = parse_document_url(text)
    assert (url.text, url.host, url.target) == (text, host, target)


@given(st.text(max_size=80) | st.from_regex(r"https://[!-~]{0,60}", fullmatch=True))
def test_what_is_accepted_is_the_same_to_other_parsers(text: str) -> None:
    try:
        url = parse_document_url(text)
    except DocumentUrlError:
        return
    parts = urlsplit(text)
    assert is_document_id(text)
    assert (parts.scheme, parts.hostname, parts.port or 443) == ("https", url.host, 443)
    assert parts.username is None
    assert not parts.fragment
    assert parts.path not in {"", "/"}
    assert url.target == parts.path + (f"?{parts.query}" if "?" in text else "")
