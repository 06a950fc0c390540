"""Each fault of the dev IdP produces the token or the answer that it describes."""

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from joserfc import jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet, RSAKey

from productive_dev.idp.app import dev_idp
from productive_dev.idp.config import IdpConfig
from productive_dev.idp.faults import TokenFault
from productive_dev.idp.keys import rsa_key
from productive_dev.idp.minting import id_token, public_pem

ORIGIN = "http://127.0.0.1:9400"
CALLBACK = "http://localhost:8787/callback"
SECRET = "a-secret-of-the-test"
CLAIMS = {"iss": "i", "sub": "s", "aud": "local", "exp": 2, "iat": 1, "email": "ana@example.com"}
KEY = rsa_key("k1")


def forged(**fault: Any) -> str:
    return id_token(CLAIMS, KEY, client_secret=SECRET, fault=TokenFault(**fault))


def part(token: str, number: int) -> bytes:
    text = token.split(".")[number]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def header(token: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(part(token, 0))
    return decoded


def claims(token: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(part(token, 1))
    return decoded


def signed(token: str) -> bytes:
    return token.rpartition(".")[0].encode()


def verifies(token: str, algorithm: str = "RS256") -> bool:
    # A PEM key does not name the algorithm that it is for.
    key = RSAKey.import_key(public_pem(KEY))
    try:
        jws.deserialize_compact(token, key, algorithms=[algorithm])
    except BadSignatureError:
        return False
    return True


def test_without_a_fault_the_token_verifies() -> None:
    assert verifies(id_token(CLAIMS, KEY, client_secret=SECRET))


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE"])
def test_alg_none_in_any_letter_case_has_an_empty_signature(alg: str) -> None:
    token = forged(alg=alg)
    assert header(token)["alg"] == alg
    assert token.endswith(".")
    assert claims(token) == CLAIMS


@pytest.mark.parametrize("alg", ["RS384", "RS512", "PS256"])
def test_another_rsa_algorithm_is_signed_with_the_published_key(alg: str) -> None:
    token = forged(alg=alg)
    assert header(token)["alg"] == alg
    assert verifies(token, algorithm=alg)


def test_es256_is_signed_with_a_separate_key() -> None:
    token = forged(alg="ES256")
    assert header(token) == {"alg": "ES256", "typ": "JWT", "kid": "k1"}
    assert len(part(token, 2)) == 64


@pytest.mark.parametrize(
    ("key", "secret"), [("public-pem", public_pem(KEY)), ("client-secret", SECRET.encode())]
)
def test_hs256_uses_the_key_that_a_confused_verifier_would_use(key: str, secret: bytes) -> None:
    token = forged(alg="HS256", key=key)
    assert part(token, 2) == hmac.digest(secret, signed(token), "sha256")
    assert secret.startswith(b"-----BEGIN PUBLIC KEY") or key == "client-secret"


@pytest.mark.parametrize(
    "fault", [{"signature": "broken"}, {"signature": "empty"}, {"key": "other"}]
)
def test_a_bad_signature_does_not_verify(fault: dict[str, Any]) -> None:
    token = forged(**fault)
    assert header(token)["kid"] == "k1"
    assert not verifies(token)


def test_header_members_are_set_and_removed() -> None:
    token = forged(
        header={"jku": "https://evil.example/jwks", "crit": ["b64"], "b64": False, "kid": "../k"},
        remove_header=("typ",),
    )
    assert header(token) == {
        "alg": "RS256",
        "kid": "../k",
        "jku": "https://evil.example/jwks",
        "crit": ["b64"],
        "b64": False,
    }
    assert "kid" not in header(forged(remove_header=("kid",)))


def test_claims_are_set_and_removed_with_a_valid_signature() -> None:
    token = forged(claims={"aud": ["local", "stranger"], "nonce": "x"}, remove_claims=("exp",))
    assert claims(token)["aud"] == ["local", "stranger"]
    assert "exp" not in claims(token)
    assert verifies(token)


def test_literal_claims_are_inserted_verbatim() -> None:
    token = forged(literal_claims={"exp": "1e400"}, remove_claims=("exp",))
    assert b'"exp":1e400}' in part(token, 1)
    twice = forged(literal_claims={"email": '"mallory@example.com"'})
    assert part(twice, 1).count(b'"email":') == 2
    assert verifies(twice)


def test_raw_text_and_extra_parts_replace_the_token() -> None:
    assert len(forged(extra_parts=2).split(".")) == 5
    assert forged(raw="not.a.token") == "not.a.token"
    assert len(forged(claims={"padding": "x" * 100_000})) > 100_000


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    config = IdpConfig(ORIGIN, "local", SECRET, (CALLBACK,), control=True)
    transport = httpx.ASGITransport(dev_idp(config))
    async with httpx.AsyncClient(transport=transport, base_url=config.issuer + "/") as client:
        yield client


async def order(http: httpx.AsyncClient, **faults: Any) -> None:
    answer = await http.put(ORIGIN + "/_faults", json=faults)
    assert answer.status_code == 200, answer.text


async def sign_in(http: httpx.AsyncClient) -> httpx.Response:
    """Sign in, and return the answer of the token endpoint."""
    challenge = "7w_YNF9DSfIdPf_pRjSq646_kPr-2-o9NAl16JGghdM"
    back = await http.get(
        "authorization",
        params={
            "client_id": "local",
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid email",
            "state": "S1",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "login_hint": "ana@example.com",
        },
    )
    return await http.post(
        "token",
        data={
            "grant_type": "authorization_code",
            "code": httpx.URL(back.headers["location"]).params["code"],
            "redirect_uri": CALLBACK,
            "client_id": "local",
            "client_secret": SECRET,
            "code_verifier": "v" * 43,
        },
    )


async def test_a_token_fault_applies_as_often_as_it_says(http: httpx.AsyncClient) -> None:
    await order(http, id_token={"times": 2, "alg": "none"})
    algorithms = [header((await sign_in(http)).json()["id_token"])["alg"] for _ in range(3)]
    assert algorithms == ["none", "none", "RS256"]


async def test_a_fault_without_times_applies_until_it_is_cleared(http: httpx.AsyncClient) -> None:
    await order(http, id_token={"claims": {"iss": "https://evil.example"}})
    for _ in range(3):
        assert claims((await sign_in(http)).json()["id_token"])["iss"] == "https://evil.example"
    await http.delete(ORIGIN + "/_faults")
    assert claims((await sign_in(http)).json()["id_token"])["iss"].startswith(ORIGIN)


async def test_the_token_endpoint_applies_its_fault(http: httpx.AsyncClient) -> None:
    await order(
        http,
        token={"times": 1, "status": 500, "body": "<h1>Oops</h1>", "content_type": "text/html"},
    )
    answer = await sign_in(http)
    assert (answer.status_code, answer.text) == (500, "<h1>Oops</h1>")
    assert answer.headers["content-type"].startswith("text/html")
    await order(http, token={"size": 2_000_000})
    assert len((await sign_in(http)).content) == 2_000_000
    await order(http, token={"redirect": "https://evil.example/token"})
    assert (await sign_in(http)).headers["location"] == "https://evil.example/token"
    await order(http, token={"remove": ["id_token"], "set": {"token_type": "mac"}})
    document = (await sign_in(http)).json()
    assert "id_token" not in document
    assert document["token_type"] == "mac"
    await order(http, token={"delay": 0.05, "times": 1})
    started = time.monotonic()
    await sign_in(http)
    assert time.monotonic() - started >= 0.05


async def test_jwks_can_be_emptied_padded_broken_and_changed(http: httpx.AsyncClient) -> None:
    await order(http, jwks={"set": {"keys": []}})
    assert (await http.get("jwks")).json() == {"keys": []}
    await order(http, jwks={"status": 500})
    assert (await http.get("jwks")).status_code == 500
    await order(http, jwks={"size": 10_000_000})
    padded = await http.get("jwks")
    assert len(padded.content) == 10_000_000
    assert KeySet.import_key_set(padded.json())
    await http.delete(ORIGIN + "/_faults")
    assert (await http.get(ORIGIN + "/_counts")).json() == {"jwks": 3}


async def test_discovery_applies_its_fault(http: httpx.AsyncClient) -> None:
    await order(http, discovery={"set": {"issuer": ORIGIN, "jwks_uri": "http://evil.example/"}})
    document = (await http.get(".well-known/openid-configuration")).json()
    assert (document["issuer"], document["jwks_uri"]) == (ORIGIN, "http://evil.example/")
    await order(http, discovery={"redirect": "https://evil.example/"})
    assert (await http.get(".well-known/openid-configuration")).status_code == 302


@pytest.mark.parametrize(
    ("fault", "query"),
    [
        ({"set": {"iss": "https://evil.example"}}, "iss=https%3A%2F%2Fevil.example"),
        ({"set": {"error": "login_required"}, "remove": ["code"]}, "error=login_required"),
        ({"set": {"code": ["one", "two"]}}, "code=one&code=two"),
        ({"set": {"state": "other"}}, "state=other"),
    ],
)
async def test_the_authorization_response_applies_its_fault(
    http: httpx.AsyncClient, fault: dict[str, Any], query: str
) -> None:
    await order(http, authorize={"times": 1, **fault})
    back = await http.get(
        "authorization",
        params={
            "client_id": "local",
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid",
            "code_challenge": "c" * 43,
            "code_challenge_method": "S256",
            "login_hint": "ana@example.com",
        },
    )
    assert query in back.headers["location"]


async def test_userinfo_can_describe_another_person(http: httpx.AsyncClient) -> None:
    tokens = (await sign_in(http)).json()
    await order(http, userinfo={"set": {"sub": "somebody-else"}})
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await http.get("userinfo", headers=bearer)).json()["sub"] == "somebody-else"


@pytest.mark.parametrize(
    "document", [{"colour": {}}, {"jwks": {"colour": 1}}, {"id_token": {"colour": 1}}, []]
)
async def test_a_malformed_fault_request_changes_nothing(
    http: httpx.AsyncClient, document: Any
) -> None:
    await order(http, jwks={"status": 500})
    answer = await http.put(ORIGIN + "/_faults", json=document)
    assert answer.status_code == 400
    assert "not understood" in answer.json()["error"]
    assert (await http.get("jwks")).status_code == 500
