"""Forged ID tokens: the dev IdP lies, and the sign-in ends with nothing stored."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from harness.deployment import CLIENT_ID, Deployment
from harness.evidence import audited, idp_faults, nothing_stored
from harness.signin import Visitor, code_of, error_of, new_person, query_of

STRANGER = "another-client"


@pytest.fixture
def visitor(deployment: Deployment) -> Iterator[Visitor]:
    with Visitor(deployment) as one:
        yield one


@pytest.fixture(scope="module")
def email(deployment: Deployment) -> str:
    return new_person(deployment)


def refused(visitor: Visitor, email: str, fault: dict[str, Any], *, url: str | None = None) -> str:
    """Sign in with a forged token; return the reason why it was refused, at every replica."""
    reasons: set[str | None] = set()
    for replica, _ in enumerate(visitor.deployment.gateways):
        opened = url or visitor.approve(visitor.register())
        back = visitor.sign_in_upstream(opened, email)
        visitor.deployment.ingress.pin(replica)
        try:
            with (
                idp_faults(visitor.deployment, id_token=fault),
                audited(visitor.deployment) as trail,
                nothing_stored(visitor.deployment),
            ):
                answer = visitor.callback(back)
        finally:
            visitor.deployment.ingress.pin(None)
        assert error_of(visitor.deployment, answer) == "server_error"
        assert visitor.cookies() == []
        assert "signed_in" not in trail.events()
        (reason,) = trail.reasons()
        reasons.add(reason)
        if url is not None:
            break
    (only,) = reasons
    assert only is not None
    return only


def part(document: dict[str, Any]) -> str:
    text = json.dumps(document).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def claims_for(visitor: Visitor, url: str, email: str) -> dict[str, Any]:
    """Return all that an honest token would say: the attacker knows it, but for the key."""
    now = int(time.time())
    return {
        "iss": visitor.deployment.issuer,
        "aud": CLIENT_ID,
        "sub": "u-forged",
        "iat": now,
        "exp": now + 300,
        "nonce": query_of(url)["nonce"],
        "email": email,
        "email_verified": True,
    }


def test_an_honest_token_signs_in(visitor: Visitor, email: str) -> None:
    """What follows is refused for its one lie, then."""
    assert code_of(visitor.sign_in(visitor.register(), email))


@pytest.mark.attack("I-01")
@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE"])
def test_an_unsigned_token_is_refused(visitor: Visitor, email: str, alg: str) -> None:
    assert refused(visitor, email, {"alg": alg}) == "id_token_form"


@pytest.mark.attack("I-01")
@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", None])
def test_an_unsigned_token_with_a_signature_of_rubbish_is_refused(
    visitor: Visitor, email: str, alg: str | None
) -> None:
    url = visitor.approve(visitor.register())
    header = {"typ": "JWT"} if alg is None else {"typ": "JWT", "alg": alg}
    raw = f"{part(header)}.{part(claims_for(visitor, url, email))}.AAAA"
    assert refused(visitor, email, {"raw": raw}, url=url) == "id_token_alg"


@pytest.mark.attack("I-01")
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"signature": "empty"}, "id_token_form"),
        ({"signature": "broken"}, "id_token_signature"),
        ({"key": "other"}, "id_token_signature"),
    ],
    ids=["empty", "broken", "of-another-key"],
)
def test_a_token_without_the_right_signature_is_refused(
    visitor: Visitor, email: str, fault: dict[str, Any], reason: str
) -> None:
    assert refused(visitor, email, fault) == reason


@pytest.mark.attack("I-01")
def test_a_token_without_its_last_part_is_refused(visitor: Visitor, email: str) -> None:
    url = visitor.approve(visitor.register())
    raw = f"{part({'typ': 'JWT', 'alg': 'none'})}.{part(claims_for(visitor, url, email))}"
    assert refused(visitor, email, {"raw": raw}, url=url) == "id_token_form"


def other_tenant(issuer: str) -> str:
    return issuer.replace(CLIENT_ID, "other-tenant")


def upper_case(issuer: str) -> str:
    return issuer.upper()


def upper_case_scheme(issuer: str) -> str:
    return issuer.replace("http:", "HTTP:")


def other_scheme(issuer: str) -> str:
    return issuer.replace("http:", "https:")


def slash(issuer: str) -> str:
    return f"{issuer}/"


def other_host(issuer: str) -> str:
    return issuer.replace("127.0.0.1", "evil.example")


def longer(issuer: str) -> str:
    return f"{issuer}.evil.example"


def origin(issuer: str) -> str:
    return issuer[: issuer.index("/cdn-cgi")]


def listed(issuer: str) -> list[str]:
    return [issuer]


def spaced(issuer: str) -> str:
    return f" {issuer}"


@pytest.mark.attack("I-04")
@pytest.mark.parametrize(
    "change",
    [
        other_tenant,
        upper_case,
        upper_case_scheme,
        other_scheme,
        slash,
        other_host,
        longer,
        origin,
        listed,
        spaced,
    ],
)
def test_a_token_of_another_issuer_is_refused(visitor: Visitor, email: str, change: Any) -> None:
    forged = {"iss": change(visitor.deployment.issuer)}
    assert refused(visitor, email, {"claims": forged}) == "id_token_iss"


@pytest.mark.attack("I-04")
@pytest.mark.parametrize("fault", [{"remove_claims": ["iss"]}, {"claims": {"iss": None}}])
def test_a_token_without_an_issuer_is_refused(
    visitor: Visitor, email: str, fault: dict[str, Any]
) -> None:
    assert refused(visitor, email, fault) == "id_token_iss"


@pytest.mark.attack("I-05")
@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": STRANGER}, "id_token_aud"),
        ({"aud": ""}, "id_token_aud"),
        ({"aud": None}, "id_token_aud"),
        ({"aud": []}, "id_token_aud"),
        ({"aud": 1}, "id_token_aud"),
        ({"aud": {CLIENT_ID: True}}, "id_token_aud"),
        ({"aud": CLIENT_ID.upper()}, "id_token_aud"),
        ({"aud": f"{CLIENT_ID} {STRANGER}"}, "id_token_aud"),
        ({"aud": f"{CLIENT_ID}-2"}, "id_token_aud"),
        ({"aud": [[CLIENT_ID]]}, "id_token_aud"),
        ({"aud": [STRANGER]}, "id_token_aud"),
        ({"aud": [CLIENT_ID, STRANGER]}, "id_token_aud"),
        ({"aud": [STRANGER, CLIENT_ID]}, "id_token_aud"),
        ({"aud": [CLIENT_ID, STRANGER], "azp": CLIENT_ID}, "id_token_aud"),
        ({"aud": [CLIENT_ID, STRANGER], "azp": STRANGER}, "id_token_aud"),
        ({"aud": STRANGER, "azp": CLIENT_ID}, "id_token_aud"),
        ({"azp": STRANGER}, "id_token_azp"),
        ({"azp": ""}, "id_token_azp"),
        ({"azp": None}, "id_token_azp"),
        ({"azp": [CLIENT_ID]}, "id_token_azp"),
        ({"aud": [CLIENT_ID], "azp": STRANGER}, "id_token_azp"),
    ],
)
def test_a_token_for_another_client_is_refused(
    visitor: Visitor, email: str, claims: dict[str, Any], reason: str
) -> None:
    assert refused(visitor, email, {"claims": claims}) == reason


@pytest.mark.attack("I-05")
def test_a_token_for_nobody_is_refused(visitor: Visitor, email: str) -> None:
    assert refused(visitor, email, {"remove_claims": ["aud"]}) == "id_token_aud"


@pytest.mark.attack("I-06")
@pytest.mark.parametrize(
    "fault",
    [
        {"remove_claims": ["nonce"]},
        {"claims": {"nonce": "another"}},
        {"claims": {"nonce": ""}},
        {"claims": {"nonce": None}},
        {"claims": {"nonce": 0}},
        {"claims": {"nonce": True}},
        {"claims": {"nonce": []}},
    ],
    ids=["missing", "other", "empty", "null", "number", "true", "list"],
)
def test_a_token_without_the_nonce_of_this_sign_in_is_refused(
    visitor: Visitor, email: str, fault: dict[str, Any]
) -> None:
    assert refused(visitor, email, fault) == "id_token_nonce"


@pytest.mark.attack("I-06")
def test_the_nonce_of_an_earlier_sign_in_is_refused(visitor: Visitor, email: str) -> None:
    earlier = visitor.approve(visitor.register())
    assert code_of(visitor.callback(visitor.sign_in_upstream(earlier, email)))
    visitor.http.cookies.clear()
    fault = {"claims": {"nonce": query_of(earlier)["nonce"]}}
    assert refused(visitor, email, fault) == "id_token_nonce"


@pytest.mark.attack("I-06")
def test_the_nonce_of_an_open_sign_in_in_another_browser_is_refused(
    visitor: Visitor, email: str
) -> None:
    with Visitor(visitor.deployment) as victim:
        theirs = query_of(victim.approve(victim.register()))["nonce"]
    assert refused(visitor, email, {"claims": {"nonce": theirs}}) == "id_token_nonce"


@pytest.mark.attack("I-06")
def test_a_list_of_nonces_is_refused(visitor: Visitor, email: str) -> None:
    url = visitor.approve(visitor.register())
    fault = {"claims": {"nonce": [query_of(url)["nonce"]]}}
    assert refused(visitor, email, fault, url=url) == "id_token_nonce"
