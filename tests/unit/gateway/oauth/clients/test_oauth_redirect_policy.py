"""Where codes may be sent to, by the policy of the administrator."""

from __future__ import annotations

import pytest

from productive_gateway.oauth.clients.redirect_policy import Obstacle, RedirectPolicy
from productive_gateway.oauth.clients.redirect_uri import RedirectKind, parse_redirect_uri

PUBLIC_URL = "https://mcp.example.test"
ALLOWED = (
    "claude.ai/api/mcp/auth_callback",
    "chatgpt.com/connector/oauth/",
    "anywhere.example",
    "ported.example:8443",
    "ported.example:9443/cb",
)


def obstacle(uri: str, *, allowed: object = ALLOWED, own: str = PUBLIC_URL) -> Obstacle | None:
    return RedirectPolicy(allowed, own).obstacle(parse_redirect_uri(uri))  # type: ignore[arg-type]


@pytest.mark.attack("B-07")
@pytest.mark.parametrize(
    "text", ["cursor://anysphere.cursor-mcp/oauth/callback", "urn:ietf:wg:oauth:2.0:oob"]
)
def test_a_private_use_scheme_parses_but_is_never_used(text: str) -> None:
    assert parse_redirect_uri(text).kind is RedirectKind.PRIVATE_USE
    assert obstacle(text, allowed="*") is Obstacle.PRIVATE_USE


@pytest.mark.attack("O-11")
@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("https://anywhere.example/cb", True),
        ("https://anywhere.example/any/path?and=query", True),
        ("https://anywhere.example:443/cb", True),
        ("https://anywhere.example:8443/cb", False),
        ("https://ported.example:8443/cb", True),
        ("https://ported.example/cb", False),
        ("https://sub.anywhere.example/cb", False),
        ("https://evil-anywhere.example/cb", False),
        ("http://localhost:1/cb", True),
        # A path is the whole path, and without a query.
        ("https://claude.ai/api/mcp/auth_callback", True),
        ("https://claude.ai:443/api/mcp/auth_callback", True),
        ("https://claude.ai/api/mcp/auth_callback/", False),
        ("https://claude.ai/api/mcp/auth_callback2", False),
        ("https://claude.ai/api/mcp/auth_callback?next=https://evil.example", False),
        ("https://claude.ai/redirect?to=https://evil.example/", False),
        ("https://claude.ai/", False),
        ("https://claude.ai", False),
        ("https://ported.example:9443/cb", True),
        ("https://ported.example:9443/other", False),
        # One that ends in a slash is the beginning of paths of plain characters.
        ("https://chatgpt.com/connector/oauth/4f2a-1_b", True),
        ("https://chatgpt.com/connector/oauth/a/b", True),
        ("https://chatgpt.com/connector/oauth/", False),
        ("https://chatgpt.com/connector/oauth", False),
        ("https://chatgpt.com/connector/oauth/a?to=https://evil.example", False),
        ("https://chatgpt.com/connector/oauth/%2e%2e%2fredirect", False),
        ("https://chatgpt.com/connector/oauth/a//b", False),
        ("https://chatgpt.com/connector/oauth/a;b", False),
        ("https://chatgpt.com/redirect", False),
    ],
)
def test_the_policy_names_hosts_and_paths_exactly(text: str, may: bool) -> None:
    assert obstacle(text) is (None if may else Obstacle.ADDRESS)


@pytest.mark.parametrize(
    ("own", "text", "is_own"),
    [
        (PUBLIC_URL, f"{PUBLIC_URL}/callback", True),
        (PUBLIC_URL, "https://mcp.example.test:443/callback", True),
        (PUBLIC_URL, "https://mcp.example.test:8443/callback", False),
        (PUBLIC_URL, "http://localhost:443/callback", False),
        ("http://localhost:8787", "http://localhost:8787/callback", True),
        ("http://localhost:8787", "http://127.0.0.1:8787/oauth/callback", True),
        ("http://localhost:8787", "http://[::1]:8787/", True),
        ("http://127.0.0.1:8787", "http://localhost:8787/callback", True),
        ("http://localhost:8787", "http://127.0.0.2:8787/callback", False),
        ("http://localhost:8787", "http://localhost:8788/callback", False),
        ("http://localhost:8787", "http://localhost/callback", False),
        ("http://localhost", "http://localhost:80/callback", True),
    ],
)
def test_no_code_is_sent_to_this_server_itself(own: str, text: str, is_own: bool) -> None:
    assert obstacle(text, allowed="*", own=own) is (Obstacle.OWN_ADDRESS if is_own else None)
