"""Secrets come from the operating system's randomness alone, and enough of it."""

from __future__ import annotations

import ast
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import productive_contract
import productive_gateway
import productive_kube
from harness.grantkit import RESOURCE, pending, sign_in
from harness.oauthkit import CALLBACK, authorization_server, handle_of, moved_on, query_of
from productive_contract.clock import system_clock, system_entropy
from productive_gateway.grants import transitions
from productive_gateway.grants.config import GrantConfig
from productive_gateway.grants.tokens import (
    SECRET_BYTES,
    AccessToken,
    AuthorizationCode,
    write_access,
    write_code,
)
from productive_gateway.oauth.clients.client import AuthMethod, Registration
from productive_gateway.oauth.clients.registered import register_client
from productive_gateway.sealing.keys import KEY_BYTES, new_ring

MANY = 10_000
PACKAGES = (productive_gateway, productive_contract, productive_kube)
SOURCES = sorted(path for one in PACKAGES for path in Path(one.__path__[0]).rglob("*.py"))
CLOCK = Path(productive_contract.__path__[0]) / "clock.py"
"""Defines `Chance`, for jitter."""
PREDICTABLE = frozenset({"random", "uuid1", "uuid3", "getrandbits", "numpy"})
PAUSES = frozenset({"retry_budget.py", "sweeper.py", "backoff.py"})
"""Modules that wait for a random time."""
RING = new_ring(system_clock(), system_entropy)


def predictable(tree: ast.AST) -> Iterator[str]:
    """Yield what a module imports or names that is no source for a secret."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (one.name for one in names if one.name.split(".")[0] in PREDICTABLE)
            case ast.ImportFrom(module=module, names=names):
                yield from ([module] if module and module.split(".")[0] in PREDICTABLE else [])
                yield from (one.name for one in names if one.name in PREDICTABLE)
            case ast.Attribute(attr=name) if name in PREDICTABLE:
                yield name
            case ast.Constant(value="random" | "numpy.random" as name):
                yield name


@pytest.mark.attack("Q-04")
def test_no_source_uses_predictable_randomness() -> None:
    found = {str(path): [*predictable(ast.parse(path.read_text()))] for path in SOURCES}
    assert {path for path, names in found.items() if names} <= {str(CLOCK)}
    assert system_entropy is secrets.token_bytes


@pytest.mark.attack("Q-04")
@pytest.mark.parametrize(
    "source",
    [
        "import random",
        "from random import randbytes",
        "import numpy.random",
        "import uuid\nuuid.uuid1()",
        "from uuid import uuid1",
        "import productive_contract.clock as c\nc.random.random()",
        "__import__('random')",
    ],
)
def test_the_rule_finds_each_form(source: str) -> None:
    assert [*predictable(ast.parse(source))]


@pytest.mark.attack("Q-04")
def test_jitter_is_for_pauses_only() -> None:
    users = {path.name for path in SOURCES if "system_chance" in path.read_text()}
    assert users - {CLOCK.name} == PAUSES


def code() -> str:
    secret = system_entropy(SECRET_BYTES)
    return write_code(RING, AuthorizationCode(pending().name, secret), RESOURCE, system_entropy)


def access_token() -> str:
    token = AccessToken(pending().name, 1, 0, 0, 1, frozenset({"productive:read"}))
    return write_access(RING, token, RESOURCE, system_entropy)


def salt_of_refresh_tokens() -> bytes:
    grant = transitions.issue(
        sign_in(system_clock),
        GrantConfig(RESOURCE),
        subject="s",
        code_hash="c",
        epoch=0,
        now=0.0,
        entropy=system_entropy,
    )
    return grant.salt


def client_id() -> str:
    registration = Registration("App", (CALLBACK,), AuthMethod.BASIC, True)
    client, _ = register_client(RING, registration, "https://x", system_entropy)
    return client.client_id


@pytest.mark.attack("Q-04")
@pytest.mark.parametrize("make", [code, access_token, salt_of_refresh_tokens, client_id])
def test_ten_thousand_of_one_kind_are_all_different(make: Callable[[], str | bytes]) -> None:
    assert len({make() for _ in range(MANY)}) == MANY


@pytest.mark.attack("Q-04")
async def test_each_sign_in_has_its_own_secrets() -> None:
    async with authorization_server() as server:
        client = (await server.register())["client_id"]
        names = ("handle", "cookie", "state", "nonce", "code_challenge")
        seen: dict[str, set[str]] = {name: set() for name in names}
        for _ in range(100):
            browser = server.browser()
            page = await browser.authorize(client)
            seen["handle"].add(handle_of(page))
            seen["cookie"].add(next(iter(browser.http.cookies.jar)).value or "")
            query = query_of(moved_on(await browser.decide(page)))
            for name in names[2:]:
                seen[name].add(query[name])
        assert {name: len(values) for name, values in seen.items()} == dict.fromkeys(seen, 100)


@pytest.mark.attack("Q-04")
def test_secrets_have_256_bits() -> None:
    assert (SECRET_BYTES, KEY_BYTES) == (32, 32)
    assert len(RING.sealing_key().secret) == 32
    _, secret = register_client(
        RING, Registration("App", (CALLBACK,), AuthMethod.BASIC, True), "https://x", system_entropy
    )
    assert secret is not None
    assert len(secret.reveal()) >= 43
