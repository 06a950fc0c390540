"""Which address the provider vouches for, and which is refused."""

from __future__ import annotations

from typing import Any

import pytest

from harness.oidcstub import ISSUER
from productive_contract.secret import Secret
from productive_gateway.upstream.config import UpstreamConfig
from productive_gateway.upstream.errors import IdentityRefused
from productive_gateway.upstream.identity import require_claims, verified_email


@pytest.mark.attack("M-01", "M-06")
@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        ("ALICE@Example.COM", "alice@example.com"),
        ("alice@example.com", "alice@example.com"),
        ("Alice+Tag@example.com", "alice+tag@example.com"),
        ("a.l.i.c.e@example.com", "a.l.i.c.e@example.com"),
        ("alice@xn--exmple-cua.com", "alice@xn--exmple-cua.com"),
    ],
)
def test_addresses_are_lowercased_in_ascii_only(sent: str, canonical: str) -> None:
    assert verified_email({"email": sent, "email_verified": True}, "claim") == canonical


@pytest.mark.attack("M-02", "M-03", "M-05")
@pytest.mark.parametrize(
    "email",
    [
        "\u0430lice@example.com",
        "al\u0131ce@example.com",
        "alice@example.\u017fom",
        "alice@\u212aexample.com",
        "\uff41lice@example.com",
        "alice\u0301@example.com",
        "ali\u200dce@example.com",
        "\u202ealice@example.com",
        "alice@ex\u00e4mple.com",
        "a@b@example.com",
        '"a@evil"@example.com',
        "alice@example.com\n",
        " alice@example.com",
        "alice@example.com,evil@example.com",
        "alice@" + "x" * 300 + ".com",
        "",
        "alice",
        "@example.com",
        "alice@",
    ],
)
def test_confusable_addresses_are_refused(email: str) -> None:
    with pytest.raises(IdentityRefused) as caught:
        verified_email({"email": email, "email_verified": True}, "claim")
    assert caught.value.reason == "email_form"
    assert "\n" not in (caught.value.email or "")


@pytest.mark.attack("M-05")
@pytest.mark.parametrize("email", [["alice@example.com"], {"a": 1}, 7, None, True])
def test_an_address_that_is_not_a_string_is_missing(email: Any) -> None:
    with pytest.raises(IdentityRefused) as caught:
        verified_email({"email": email, "email_verified": True}, "claim")
    assert caught.value.reason == "email_missing"


@pytest.mark.attack("M-04")
@pytest.mark.parametrize("trust", ["claim", "issuer"])
@pytest.mark.parametrize("verified", [False, "true", "false", 1, None, [], "yes"])
def test_only_a_literal_true_counts_as_verified(trust: Any, verified: Any) -> None:
    with pytest.raises(IdentityRefused) as caught:
        verified_email({"email": "alice@example.com", "email_verified": verified}, trust)
    assert caught.value.reason == "email_unverified"
    assert caught.value.email == "alice@example.com"


@pytest.mark.attack("M-04")
def test_a_missing_email_verified_is_accepted_only_from_a_trusted_issuer() -> None:
    assert verified_email({"email": "a@example.com"}, "issuer") == "a@example.com"
    with pytest.raises(IdentityRefused):
        verified_email({"email": "a@example.com"}, "claim")


CONFIG = UpstreamConfig(
    ISSUER, "c", Secret("s"), required_claims={"hd": ("acme.com", "acme.de"), "tid": ("t1",)}
)


@pytest.mark.attack("M-16")
@pytest.mark.parametrize(
    "claims",
    [
        {"hd": "acme.com"},
        {"tid": "t1"},
        {"hd": "evil.com", "tid": "t1"},
        {"hd": ["acme.com"], "tid": "t1"},
        {"hd": ["evil.com", "acme.com"], "tid": "t1"},
        {"hd": "ACME.com", "tid": "t1"},
        {"hd": None, "tid": "t1"},
        {},
    ],
)
def test_a_required_claim_must_have_one_of_its_values(claims: dict[str, Any]) -> None:
    with pytest.raises(IdentityRefused) as caught:
        require_claims(claims | {"email": "a@acme.com"}, CONFIG)
    assert caught.value.reason == "required_claim"
    assert caught.value.email == "a@acme.com"


@pytest.mark.attack("M-16")
@pytest.mark.parametrize("domain", ["acme.com", "acme.de"])
def test_all_required_claims_with_accepted_values_pass(domain: str) -> None:
    require_claims({"hd": domain, "tid": "t1"}, CONFIG)
