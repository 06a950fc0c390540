"""Which requests go through the company's proxy."""

from __future__ import annotations

import pytest

from productive_contract.secret import Secret
from productive_gateway.outbound.proxy import Proxy

PROXY = "http://user:canary@proxy.example.com:3128"


@pytest.mark.parametrize(
    ("url", "exempt", "serves"),
    [
        ("https://login.example.com/x", (), True),
        ("https://login.example.com:8443/x", (), True),
        ("http://login.example.com/x", (), False),
        ("https://localhost:9400/x", (), False),
        ("https://127.0.0.1/x", (), False),
        ("https://[::1]/x", (), False),
        ("https://login.example.com/x", ("*",), False),
        ("https://login.example.com/x", ("",), True),
        ("https://login.example.com/x", ("login.example.com",), False),
        ("https://LOGIN.example.com/x", ("Login.Example.com",), False),
        ("https://login.example.com/x", ("example.com",), False),
        ("https://login.example.com/x", (".example.com",), False),
        ("https://example.com/x", (".example.com",), False),
        ("https://badexample.com/x", ("example.com",), True),
        ("https://example.com.evil.test/x", ("example.com",), True),
        ("https://login.example.com/x", ("login.example.com:443",), False),
        ("https://login.example.com:8443/x", ("login.example.com:443",), True),
        ("https://10.1.2.3/x", ("10.0.0.0/8",), False),
        ("https://11.1.2.3/x", ("10.0.0.0/8",), True),
        ("https://10.1.2.3/x", ("10.1.2.3",), False),
        ("https://10.1.2.3:8443/x", ("10.1.2.3:443",), True),
        ("https://[2001:db8::1]/x", ("2001:db8::/32",), False),
        ("https://[2001:db8::1]/x", ("[2001:db8::1]:443",), False),
        ("https://[2001:db8::1]/x", ("2001:db8::2",), True),
        ("https://10.1.2.3/x", ("example.com", "2001:db8::/32"), True),
        ("https://login.example.com/x", ("10.0.0.0/8", "other.example"), True),
    ],
)
def test_only_https_to_hosts_that_are_not_exempt_goes_through_the_proxy(
    url: str, exempt: tuple[str, ...], serves: bool
) -> None:
    assert Proxy(Secret(PROXY), exempt).serves(url) is serves


@pytest.mark.attack("Q-01")
def test_the_credentials_of_the_proxy_are_not_shown() -> None:
    assert "canary" not in repr(Proxy(Secret(PROXY)))
