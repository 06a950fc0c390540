"""Sign-ins at the dev IdP without faults."""

import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from productive_dev.idp.app import dev_idp
from productive_dev.idp.config import IdpConfig, User
from productive_dev.idp.minting import at_hash

ORIGIN = "http://127.0.0.1:9400"
CALLBACK = "http://localhost:8787/callback"
VERIFIER = "v" * 64
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)
ANA = "ana.kovac@northlight.example"


class Clock:
    def __init__(self) -> None:
        self.now = 1_795_420_800.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def config(clock: Clock) -> IdpConfig:
    return IdpConfig(
        origin=ORIGIN,
        client_id="local",
        client_secret="a-secret-of-the-test",
        redirect_uris=(CALLBACK,),
        users=lambda: [User(ANA, "Ana Kovač"), User("guest@example.com", email_verified=None)],
        refresh_tokens=True,
        control=True,
        clock=clock,
    )


@pytest.fixture
async def http(config: IdpConfig) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(dev_idp(config))
    async with httpx.AsyncClient(transport=transport, base_url=config.issuer + "/") as client:
        yield client


def request(**changed: str | None) -> dict[str, str]:
    wanted = {
        "client_id": "local",
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid email profile",
        "state": "S1",
        "nonce": "N1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "login_hint": ANA,
        **changed,
    }
    return {name: value for name, value in wanted.items() if value is not None}


async def authorize(http: httpx.AsyncClient, **changed: str | None) -> dict[str, str]:
    """Return the parameters of the redirect to the client."""
    answer = await http.get("authorization", params=request(**changed))
    assert answer.status_code == 303, answer.text
    return came_back(answer)


def came_back(answer: httpx.Response) -> dict[str, str]:
    location = answer.headers["location"]
    assert location.startswith(CALLBACK + "?")
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


async def redeem(http: httpx.AsyncClient, code: str, **changed: str | None) -> httpx.Response:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "client_id": "local",
        "client_secret": "a-secret-of-the-test",
        "code_verifier": VERIFIER,
        **changed,
    }
    return await http.post("token", data={k: v for k, v in form.items() if v is not None})


async def verified(http: httpx.AsyncClient, token: str) -> dict[str, Any]:
    keys = KeySet.import_key_set((await http.get("jwks")).json())
    decoded = jwt.decode(token, keys, algorithms=["RS256"])
    assert decoded.header["typ"] == "JWT"
    return dict(decoded.claims)


async def test_discovery_names_the_issuer_with_its_path(
    http: httpx.AsyncClient, config: IdpConfig
) -> None:
    document = (await http.get(".well-known/openid-configuration")).json()
    assert document["issuer"] == f"{ORIGIN}/cdn-cgi/access/sso/oidc/local" == config.issuer
    assert document["token_endpoint"] == f"{config.issuer}/token"
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["authorization_response_iss_parameter_supported"] is True


async def test_a_headless_sign_in_gives_an_id_token_that_verifies(
    http: httpx.AsyncClient, config: IdpConfig, clock: Clock
) -> None:
    back = await authorize(http)
    assert (back["state"], back["iss"]) == ("S1", config.issuer)
    answer = (await redeem(http, back["code"])).json()
    assert answer["token_type"] == "Bearer"
    now = int(clock.now)
    assert await verified(http, answer["id_token"]) == {
        "iss": config.issuer,
        "aud": "local",
        "sub": User(ANA).sub,
        "iat": now,
        "exp": now + 300,
        "auth_time": now,
        "nonce": "N1",
        "at_hash": at_hash(answer["access_token"]),
        "email": ANA,
        "email_verified": True,
        "name": "Ana Kovač",
    }


@pytest.mark.parametrize(("typed", "claimed"), [(ANA, ANA), ("New@Else.example", None)])
async def test_one_account_has_one_subject_however_its_address_is_typed(
    http: httpx.AsyncClient, typed: str, claimed: str | None
) -> None:
    subjects = set()
    for spelling in (typed, typed.upper(), typed.lower()):
        back = await authorize(http, login_hint=spelling)
        claims = await verified(http, (await redeem(http, back["code"])).json()["id_token"])
        subjects.add(claims["sub"])
        assert claims["email"] == (claimed or spelling)
    assert len(subjects) == 1


async def test_the_page_lists_the_known_people_as_buttons(
    http: httpx.AsyncClient,
) -> None:
    page = await http.get("authorization", params=request(login_hint=None))
    assert page.status_code == 200
    assert f'value="{ANA}"' in page.text
    assert "<script" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    chosen = await http.post(str(page.url), data={"email": ANA})
    assert "code" in came_back(chosen)


async def test_the_page_accepts_any_address_and_a_refusal(http: httpx.AsyncClient) -> None:
    address = str((await http.get("authorization", params=request(login_hint=None))).url)
    anybody = came_back(await http.post(address, data={"email": "somebody@else.example"}))
    claims = await verified(http, (await redeem(http, anybody["code"])).json()["id_token"])
    assert claims["email"] == "somebody@else.example"
    refused = came_back(await http.post(address, data={"deny": "1"}))
    assert refused["error"] == "access_denied"
    assert refused["state"] == "S1"


async def test_the_login_hint_deny_refuses_the_sign_in(http: httpx.AsyncClient) -> None:
    assert (await authorize(http, login_hint="deny"))["error"] == "access_denied"


@pytest.mark.parametrize(
    "changed", [{"client_id": "other"}, {"redirect_uri": "https://evil.example/"}]
)
async def test_a_wrong_client_or_redirect_uri_is_never_redirected(
    http: httpx.AsyncClient, changed: dict[str, str]
) -> None:
    answer = await http.get("authorization", params=request(**changed))
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "email"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
    ],
)
async def test_an_invalid_request_is_redirected_with_an_error(
    http: httpx.AsyncClient, changed: dict[str, str | None], error: str
) -> None:
    back = await authorize(http, **changed)
    assert back["error"] == error
    assert "code" not in back


@pytest.mark.parametrize(
    "changed",
    [
        {"code_verifier": "w" * 64},
        {"code_verifier": None},
        {"code_verifier": CHALLENGE},
        {"redirect_uri": CALLBACK + "/"},
        {"redirect_uri": None},
        {"code": "unknown"},
    ],
)
async def test_a_code_needs_its_own_verifier_and_redirect_uri(
    http: httpx.AsyncClient, changed: dict[str, str | None]
) -> None:
    code = (await authorize(http))["code"]
    answer = await redeem(http, **{"code": code, **changed})  # type: ignore[arg-type]
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_grant"


async def test_a_code_works_once_and_a_second_use_revokes_its_tokens(
    http: httpx.AsyncClient,
) -> None:
    code = (await authorize(http))["code"]
    first = (await redeem(http, code)).json()
    bearer = {"Authorization": f"Bearer {first['access_token']}"}
    assert (await http.get("userinfo", headers=bearer)).status_code == 200
    assert (await redeem(http, code)).json()["error"] == "invalid_grant"
    assert (await http.get("userinfo", headers=bearer)).status_code == 401
    assert (await refresh(http, first["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_code_expires(http: httpx.AsyncClient, clock: Clock) -> None:
    code = (await authorize(http))["code"]
    clock.now += 60
    assert (await redeem(http, code)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("form", "auth", "status"),
    [
        ({"client_id": None, "client_secret": None}, ("local", "a-secret-of-the-test"), 200),
        ({}, None, 200),
        ({"client_secret": "wrong"}, None, 401),
        ({"client_secret": None}, None, 401),
        ({"client_id": None, "client_secret": None}, ("local", "wrong"), 401),
        ({}, ("local", "a-secret-of-the-test"), 400),
    ],
)
async def test_the_client_authenticates_by_post_or_basic_but_not_both(
    http: httpx.AsyncClient,
    form: dict[str, str | None],
    auth: tuple[str, str] | None,
    status: int,
) -> None:
    code = (await authorize(http))["code"]
    if auth is not None:
        http.auth = auth
    assert (await redeem(http, code, **form)).status_code == status


async def refresh(http: httpx.AsyncClient, token: str) -> httpx.Response:
    form = {
        "grant_type": "refresh_token",
        "refresh_token": token,
        "client_id": "local",
        "client_secret": "a-secret-of-the-test",
    }
    return await http.post("token", data=form)


async def test_a_refresh_token_is_used_once_and_replaced(http: httpx.AsyncClient) -> None:
    first = (await redeem(http, (await authorize(http))["code"])).json()
    second = (await refresh(http, first["refresh_token"])).json()
    claims = await verified(http, second["id_token"])
    assert claims["email"] == ANA
    assert "nonce" not in claims
    assert (await refresh(http, first["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await refresh(http, second["refresh_token"])).status_code == 200


@pytest.mark.parametrize("scope", ["openid email", "openid email offline_access"])
async def test_a_refresh_token_is_issued_to_those_who_ask_for_it(
    config: IdpConfig, scope: str
) -> None:
    transport = httpx.ASGITransport(dev_idp(replace(config, refresh_tokens=False)))
    async with httpx.AsyncClient(transport=transport, base_url=config.issuer + "/") as http:
        tokens = (await redeem(http, (await authorize(http, scope=scope))["code"])).json()
        assert ("refresh_token" in tokens) == ("offline_access" in scope)
        if "refresh_token" in tokens:
            renewed = (await refresh(http, tokens["refresh_token"])).json()
            assert renewed["refresh_token"] != tokens["refresh_token"]


async def test_a_refresh_can_fail_before_and_after_its_token_is_used_up(
    http: httpx.AsyncClient,
) -> None:
    token = (await redeem(http, (await authorize(http))["code"])).json()["refresh_token"]
    for unspent in (True, False):
        fault = {"token": {"status": 500, "times": 1, "unspent": unspent}}
        await http.put(ORIGIN + "/_faults", json=fault)
        assert (await refresh(http, token)).status_code == 500
        again = await refresh(http, token)
        assert again.is_success == unspent
        token = again.json().get("refresh_token", token)
    assert again.json()["error"] == "invalid_grant"


async def test_a_disabled_person_neither_signs_in_nor_refreshes(http: httpx.AsyncClient) -> None:
    tokens = (await redeem(http, (await authorize(http))["code"])).json()
    await http.put(ORIGIN + "/_users", json={"email": ANA, "disabled": True})
    assert (await authorize(http))["error"] == "access_denied"
    assert (await refresh(http, tokens["refresh_token"])).json()["error"] == "invalid_grant"
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await http.get("userinfo", headers=bearer)).status_code == 401


async def test_people_have_their_own_claims(http: httpx.AsyncClient) -> None:
    changed = {"email": ANA, "email_verified": False, "claims": {"hd": "northlight.example"}}
    await http.put(ORIGIN + "/_users", json=changed)
    tokens = (await redeem(http, (await authorize(http))["code"])).json()
    claims = await verified(http, tokens["id_token"])
    assert (claims["email_verified"], claims["hd"]) == (False, "northlight.example")
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    info = (await http.get("userinfo", headers=bearer)).json()
    assert info == {key: claims[key] for key in ("sub", "email", "email_verified", "hd")}
    code = (await authorize(http, login_hint="guest@example.com"))["code"]
    guest = await verified(http, (await redeem(http, code)).json()["id_token"])
    assert "email_verified" not in guest


async def test_after_a_rotation_old_and_new_tokens_verify(http: httpx.AsyncClient) -> None:
    old = (await redeem(http, (await authorize(http))["code"])).json()["id_token"]
    assert (await http.post(ORIGIN + "/_keys/rotate")).json() == {"kid": "k2"}
    new = (await redeem(http, (await authorize(http))["code"])).json()["id_token"]
    assert await verified(http, old)
    assert await verified(http, new)
    await http.post(ORIGIN + "/_keys/rotate", json={"keep": False})
    keys = (await http.get("jwks")).json()["keys"]
    assert [key["kid"] for key in keys] == ["k3"]
    assert not {"d", "p", "q"} & keys[0].keys()


async def test_an_idp_without_control_has_no_test_endpoints(config: IdpConfig) -> None:
    quiet = IdpConfig(ORIGIN, "local", "s", (CALLBACK,), issuer_parameter=False)
    transport = httpx.ASGITransport(dev_idp(quiet))
    async with httpx.AsyncClient(transport=transport, base_url=config.issuer + "/") as http:
        for path in ("/_faults", "/_users", "/_counts"):
            assert (await http.get(ORIGIN + path)).status_code == 404
        assert "iss" not in await authorize(http)
        document = (await http.get(".well-known/openid-configuration")).json()
        assert document["authorization_response_iss_parameter_supported"] is False
        tokens = (await redeem(http, (await authorize(http))["code"], client_secret="s")).json()
        assert "refresh_token" not in tokens
