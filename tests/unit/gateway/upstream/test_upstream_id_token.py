"""Forged and faulty ID tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import warnings
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from harness.oidcstub import CLIENT_ID, CLIENT_SECRET, ISSUER, jwk, rsa_key, signed
from productive_gateway.upstream.errors import UnknownSigningKey, UpstreamRefused
from productive_gateway.upstream.id_token import Expectations, verify
from productive_gateway.upstream.jwks import read_keys

NOW = 1_795_000_000
NONCE = "n" * 43
EXPECTED = Expectations(ISSUER, CLIENT_ID, NONCE, access_token="upstream-access")
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": CLIENT_ID,
    "sub": "subject-of-ana",
    "iat": NOW,
    "exp": NOW + 300,
    "nonce": NONCE,
    "email": "ana@example.com",
}
ONE_KEY = read_keys({"keys": [jwk(1)]})
TWO_KEYS = read_keys({"keys": [jwk(1), jwk(2)]})


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in CLAIMS.items() if name not in names}


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw_signed(header: object, payload: object) -> str:
    """Sign header and payload as they are, with the provider's own key."""
    signing_input = f"{part(header)}.{part(payload)}"
    algorithm = jwt.get_algorithm_by_name("RS256")
    return f"{signing_input}.{part(algorithm.sign(signing_input.encode(), rsa_key(1, 2048)))}"


def unsigned(alg: str) -> str:
    return f"{part({'alg': alg, 'typ': 'JWT'})}.{part(CLAIMS)}."


def hs256(secret: bytes, **header: Any) -> str:
    signing_input = f"{part({'alg': 'HS256', 'kid': 'key-1', **header})}.{part(CLAIMS)}"
    digest = hmac.digest(secret, signing_input.encode(), "sha256")
    return f"{signing_input}.{part(digest)}"


def public_pem() -> bytes:
    return (
        rsa_key(1, 2048).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )


def reason(token: object, *, keys: Any = ONE_KEY, expected: Expectations = EXPECTED) -> str:
    with pytest.raises(UpstreamRefused) as caught:
        verify(token, keys, expected, now=NOW)
    assert "ana@example.com" not in str(caught.value)
    return caught.value.reason.removeprefix("id_token_")


def test_a_genuine_token_gives_its_claims() -> None:
    assert verify(signed(CLAIMS), ONE_KEY, EXPECTED, now=NOW) == CLAIMS


@pytest.mark.attack("I-01")
@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE"])
def test_a_token_without_a_signature_is_refused(alg: str) -> None:
    assert reason(unsigned(alg)) == "form"
    assert reason(unsigned(alg) + "AAAA") == "alg"


@pytest.mark.attack("I-01")
def test_a_stripped_signature_is_refused() -> None:
    assert reason(signed(CLAIMS).rpartition(".")[0] + ".") == "form"


@pytest.mark.attack("I-02")
@pytest.mark.parametrize(
    "secret", [public_pem(), public_pem().strip(), CLIENT_SECRET.encode(), b""]
)
def test_a_symmetric_signature_under_something_public_is_refused(secret: bytes) -> None:
    assert reason(hs256(secret)) == "alg"
    assert reason(hs256(secret, alg="RS256")) == "signature"


@pytest.mark.attack("I-03")
@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
def test_a_sibling_algorithm_of_the_same_key_is_refused(algorithm: str) -> None:
    assert reason(signed(CLAIMS, algorithm=algorithm)) == "alg"


@pytest.mark.attack("I-03")
def test_a_token_of_another_key_type_is_refused() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    assert reason(jwt.encode(CLAIMS, private, "ES256", headers={"kid": "key-1"})) == "alg"


def test_a_signature_of_another_key_under_the_right_key_id_is_refused() -> None:
    assert reason(signed(CLAIMS, number=2, headers={"kid": "key-1"})) == "signature"


@pytest.mark.attack("I-04")
@pytest.mark.parametrize(
    "issuer",
    [
        ISSUER + "/",
        ISSUER.replace("https", "http"),
        ISSUER.upper(),
        ISSUER.replace("tenant", "other"),
        "https://evil.example",
        "",
        None,
        [ISSUER],
    ],
)
def test_another_issuer_is_refused(issuer: Any) -> None:
    assert reason(raw_signed({"alg": "RS256"}, CLAIMS | {"iss": issuer})) == "iss"


@pytest.mark.attack("I-04")
def test_a_token_without_issuer_is_refused() -> None:
    assert reason(signed(without("iss"))) == "iss"


@pytest.mark.attack("I-05", "I-11")
@pytest.mark.parametrize(
    "audience",
    [
        "another-client",
        ["another-client"],
        [CLIENT_ID, "stranger"],
        ["stranger", CLIENT_ID],
        [],
        "",
        None,
        {"x": CLIENT_ID},
        [[CLIENT_ID]],
        CLIENT_ID.upper(),
    ],
)
def test_a_token_for_anybody_else_is_refused(audience: Any) -> None:
    assert reason(raw_signed({"alg": "RS256"}, CLAIMS | {"aud": audience})) == "aud"


@pytest.mark.attack("I-05")
def test_a_token_without_audience_is_refused() -> None:
    assert reason(signed(without("aud"))) == "aud"


@pytest.mark.attack("I-05")
@pytest.mark.parametrize("azp", ["another-client", "", None, [CLIENT_ID]])
@pytest.mark.parametrize("audience", [CLIENT_ID, [CLIENT_ID]])
def test_a_wrong_authorized_party_is_refused(azp: Any, audience: Any) -> None:
    assert reason(signed(CLAIMS | {"aud": audience, "azp": azp})) == "azp"


@pytest.mark.parametrize("change", [{"aud": [CLIENT_ID]}, {"azp": CLIENT_ID}])
def test_our_client_alone_in_a_list_or_as_azp_is_accepted(change: dict[str, Any]) -> None:
    verify(signed(CLAIMS | change), ONE_KEY, EXPECTED, now=NOW)


@pytest.mark.attack("I-06", "I-11", "C-12")
@pytest.mark.parametrize("nonce", ["m" * 43, NONCE + "n", NONCE[:-1], "", None, [NONCE], 1, "é"])
def test_the_nonce_of_another_transaction_is_refused(nonce: Any) -> None:
    assert reason(signed(CLAIMS | {"nonce": nonce})) == "nonce"


@pytest.mark.attack("I-06")
def test_a_token_without_nonce_is_refused() -> None:
    assert reason(signed(without("nonce"))) == "nonce"


@pytest.mark.attack("I-07")
@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"exp": NOW - 61}, "exp"),
        ({"exp": None}, "exp"),
        ({"exp": str(NOW + 300)}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": [NOW + 300]}, "exp"),
        ({"iat": None}, "iat"),
        ({"iat": False}, "iat"),
        ({"iat": str(NOW)}, "iat"),
        ({"iat": NOW + 61}, "iat_future"),
        ({"iat": NOW + 600}, "iat_future"),
        ({"iat": NOW - 86400}, "iat_old"),
        ({"iat": NOW - 661}, "iat_old"),
        ({"nbf": NOW + 61}, "nbf"),
        ({"nbf": "soon"}, "nbf"),
        ({"nbf": None}, "nbf"),
    ],
)
def test_a_token_of_another_time_is_refused(change: dict[str, Any], rule: str) -> None:
    assert reason(raw_signed({"alg": "RS256"}, CLAIMS | change)) == rule


@pytest.mark.attack("I-07")
@pytest.mark.parametrize("name", ["exp", "iat"])
def test_a_token_without_times_is_refused(name: str) -> None:
    assert reason(raw_signed({"alg": "RS256"}, without(name))) == name


@pytest.mark.attack("I-07")
@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"9" * 400, b"NaN", b"Infinity"])
def test_times_that_are_not_numbers_are_refused(number: bytes) -> None:
    payload = json.dumps(CLAIMS).encode().replace(str(NOW + 300).encode(), number)
    assert reason(raw_signed({"alg": "RS256"}, payload)) in {"exp", "encoding"}


@pytest.mark.attack("I-07")
@pytest.mark.parametrize(
    "change",
    [
        {"exp": NOW - 59},
        {"iat": NOW + 59},
        {"nbf": NOW + 59},
        {"iat": NOW - 600},
        {"exp": NOW + 300.5},
    ],
)
def test_clocks_may_differ_by_less_than_a_minute(change: dict[str, Any]) -> None:
    verify(raw_signed({"alg": "RS256"}, CLAIMS | change), ONE_KEY, EXPECTED, now=NOW)


@pytest.mark.attack("I-08")
@pytest.mark.parametrize(
    "kid", ["key-9", "../../etc/passwd", "x' OR '1'='1", "", "key-1 ", "KEY-1", "k" * 256]
)
def test_an_unknown_key_id_is_reported_as_such(kid: str) -> None:
    with pytest.raises(UnknownSigningKey):
        verify(signed(CLAIMS, headers={"kid": kid}), ONE_KEY, EXPECTED, now=NOW)


@pytest.mark.attack("I-08")
@pytest.mark.parametrize("kid", ["k" * 10_000, 1, None, ["key-1"], {"key": 1}])
def test_a_key_id_that_is_not_a_short_string_is_refused(kid: Any) -> None:
    assert reason(raw_signed({"alg": "RS256", "kid": kid}, CLAIMS)) == "kid_form"


@pytest.mark.attack("I-08")
def test_without_a_key_id_there_must_be_exactly_one_key() -> None:
    token = raw_signed({"alg": "RS256"}, CLAIMS)
    verify(token, ONE_KEY, EXPECTED, now=NOW)
    assert reason(token, keys=TWO_KEYS) == "kid_missing"


@pytest.mark.attack("I-08")
def test_two_keys_with_the_same_id_are_refused() -> None:
    keys = read_keys({"keys": [jwk(1), jwk(2, kid="key-1")]})
    assert reason(signed(CLAIMS), keys=keys) == "kid_ambiguous"


@pytest.mark.attack("I-09")
@pytest.mark.parametrize(
    "header",
    [
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/cert"},
        {"jwk": jwk(2)},
        {"x5c": ["MIIB"]},
    ],
)
def test_a_key_in_the_token_itself_is_ignored(header: dict[str, Any]) -> None:
    verify(signed(CLAIMS, headers=header), ONE_KEY, EXPECTED, now=NOW)
    forged = signed(CLAIMS, number=2, headers=header | {"kid": "key-1"})
    assert reason(forged) == "signature"


@pytest.mark.attack("I-10")
@pytest.mark.parametrize(
    ("header", "rule"),
    [
        ({"alg": "RS256", "crit": ["exp"], "exp": 1}, "header"),
        ({"alg": "RS256", "crit": []}, "header"),
        ({"alg": "RS256", "b64": False, "crit": ["b64"]}, "header"),
        ({"alg": "RS256", "b64": True}, "header"),
        ({"alg": "RS256", "enc": "A256GCM"}, "header"),
        ({"alg": "RS256", "zip": "DEF"}, "header"),
        ({"alg": "RS256", "cty": "JWT"}, "typ"),
        ({"alg": "RS256", "typ": "at+jwt"}, "typ"),
        ({"alg": "RS256", "typ": "logout+jwt"}, "typ"),
        ({"alg": "RS256", "typ": 1}, "typ"),
        ({}, "alg"),
        ({"alg": ["RS256"]}, "alg"),
        ([], "encoding"),
        (b'{"alg":"RS256","alg":"RS256"}', "encoding"),
        (b'{"alg":"RS256"', "encoding"),
        (b"\xff", "encoding"),
    ],
)
def test_forbidden_headers_are_refused(header: Any, rule: str) -> None:
    assert reason(raw_signed(header, CLAIMS)) == rule


@pytest.mark.attack("I-10")
@pytest.mark.parametrize(
    ("token", "rule"),
    [
        ("a.b.c.d", "form"),
        ("a.b.c.d.e", "form"),
        ("a.b", "form"),
        ("", "form"),
        ("..", "form"),
        ("é.b.c", "missing"),
        (None, "missing"),
        (7, "missing"),
        (b"a.b.c", "missing"),
        ("a" * 100_000, "too_long"),
    ],
)
def test_malformed_tokens_are_refused(token: object, rule: str) -> None:
    assert reason(token) == rule


@pytest.mark.attack("I-10")
@pytest.mark.parametrize(
    "payload",
    [
        b'{"sub":"a","sub":"b"}',
        b"[]",
        b"not json",
        b"[" * 5000,
        json.dumps(CLAIMS).encode("utf-16"),
    ],
)
def test_an_ambiguous_payload_is_refused(payload: bytes) -> None:
    assert reason(raw_signed({"alg": "RS256"}, payload)) == "encoding"


@pytest.mark.attack("I-10")
def test_a_token_in_a_token_is_refused() -> None:
    assert reason(raw_signed({"alg": "RS256"}, signed(CLAIMS).encode())) == "encoding"


@pytest.mark.attack("I-12")
@pytest.mark.parametrize("subject", ["", "x" * 256, "x" * 4096, 7, None, ["a"], "a\nb"])
def test_a_malformed_subject_is_refused(subject: Any) -> None:
    assert reason(raw_signed({"alg": "RS256"}, CLAIMS | {"sub": subject})) == "sub"


@pytest.mark.attack("I-12")
def test_a_token_without_subject_is_refused() -> None:
    assert reason(signed(without("sub"))) == "sub"


def at_hash(access_token: str) -> str:
    return part(hashlib.sha256(access_token.encode()).digest()[:16])


@pytest.mark.attack("I-12")
@pytest.mark.parametrize("value", [at_hash("another"), "", "é", 1, None])
def test_the_access_token_of_another_sign_in_is_refused(value: Any) -> None:
    assert reason(signed(CLAIMS | {"at_hash": value})) == "at_hash"


@pytest.mark.attack("I-12")
def test_an_at_hash_without_an_access_token_is_refused() -> None:
    token = signed(CLAIMS | {"at_hash": at_hash("upstream-access")})
    verify(token, ONE_KEY, EXPECTED, now=NOW)
    bare = Expectations(ISSUER, CLIENT_ID, NONCE)
    assert reason(token, expected=bare) == "at_hash"


@pytest.mark.attack("Q-09")
@given(st.integers(0, 10_000), st.sampled_from(["A", "_", "9", "."]))
def test_no_changed_token_is_accepted(position: int, character: str) -> None:
    token = signed(CLAIMS)
    at = position % len(token)
    changed = token[:at] + character + token[at + 1 :]
    if changed == token:
        return
    with pytest.raises(UpstreamRefused):
        verify(changed, ONE_KEY, EXPECTED, now=NOW)


@pytest.mark.attack("Q-09")
@given(st.text(max_size=200) | st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*", fullmatch=True))
def test_any_text_is_refused_without_another_error(text: str) -> None:
    with pytest.raises(UpstreamRefused):
        verify(text, ONE_KEY, EXPECTED, now=NOW)


def usable(*keys: Any) -> bool:
    try:
        read_keys({"keys": list(keys)})
    except UpstreamRefused:
        return False
    return True


def weak() -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return jwk(3, bits=1024)


@pytest.mark.attack("I-08")
@pytest.mark.parametrize(
    "key",
    [
        {"kty": "oct", "kid": "key-1", "k": "c2VjcmV0"},
        jwk(1, use="enc"),
        jwk(1, alg="RS512"),
        jwk(1, alg="RSA-OAEP"),
        jwk(1, key_ops=["encrypt"]),
        jwk(1, key_ops="verify"),
        jwk(1, kid=7),
        jwk(1, d="AAAA"),
        jwk(1, n=None),
        jwk(1, n="!!"),
        jwk(1, n=7),
        weak(),
        "key",
        None,
    ],
)
def test_unusable_keys_are_ignored(key: Any) -> None:
    assert not usable(key)
    assert len(read_keys({"keys": [key, jwk(2)]}).keys) == 1


@pytest.mark.parametrize("key", [jwk(1), jwk(1, use=None, alg=None), jwk(1, key_ops=["verify"])])
def test_a_plain_rsa_key_is_usable(key: dict[str, Any]) -> None:
    assert usable(key)


@pytest.mark.parametrize("document", [{}, {"keys": {}}, {"keys": []}, {"keys": [jwk(1)] * 51}])
def test_a_key_set_without_usable_keys_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(UpstreamRefused):
        read_keys(document)
