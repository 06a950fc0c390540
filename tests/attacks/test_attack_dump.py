"""What a reader of the grants namespace, or of a backup of it, can do with what is stored: nothing.

The reader has every Secret of the namespace and the source code, but neither the key ring nor the
mapping.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from harness.deployment import Deployment
from harness.evidence import nothing_stored
from harness.grantrequests import opens_everywhere
from harness.kube import Object, secret_data, secrets_path
from harness.signin import Registered, Visitor, new_person
from productive_contract.clock import system_entropy
from productive_contract.names import GRANT_TYPE, LABEL_STATE, LABEL_USER
from productive_gateway.grants.tokens import (
    ACCESS_PREFIX,
    CODE_PREFIX,
    REFRESH_PREFIX,
    SECRET_BYTES,
    AccessToken,
    AuthorizationCode,
    RefreshToken,
    write_access,
    write_code,
    write_refresh,
)
from productive_gateway.sealing.keys import KEY_BYTES, Key, KeyRing
from productive_gateway.sealing.seal import encode_text

SCOPES = frozenset({"productive:read", "productive:write"})
DAY = 24 * 3600


@pytest.fixture
def visitor(deployment: Deployment) -> Iterator[Visitor]:
    with Visitor(deployment) as one:
        yield one


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody with the dump, who knows the client and its code verifier as well."""

    visitor: Visitor
    client: Registered

    def tries_access(self, token: str) -> None:
        answer = self.visitor.call(token)
        assert answer.status_code == httpx.codes.UNAUTHORIZED, token

    def tries_refresh(self, token: str) -> None:
        self._is_refused({"grant_type": "refresh_token", "refresh_token": token})

    def tries_code(self, code: str) -> None:
        form = {"grant_type": "authorization_code", "code": code}
        proof = {
            "code_verifier": self.visitor.verifier,
            "redirect_uri": self.client.redirect_uri,
        }
        self._is_refused(form | proof)

    def _is_refused(self, form: dict[str, str]) -> None:
        answer = self.visitor.http.post("/token", data=form | {"client_id": self.client.id})
        assert answer.status_code == httpx.codes.BAD_REQUEST, answer.text
        assert answer.json()["error"] == "invalid_grant"


def dump_of(deployment: Deployment, email: str) -> list[Object]:
    """Return every Secret of this person in the namespace."""
    return deployment.cluster.kube.items(
        secrets_path(deployment.cluster.names.grants),
        labelSelector=f"{LABEL_USER}={email.partition('@')[0]}",
    )


def stored_values(dump: list[Object]) -> set[bytes]:
    """Return everything that is stored, also as the bytes that hexadecimal texts mean."""
    values = {value for one in dump for value in secret_data(one).values() if value}
    return values | {raw for value in values if (raw := _unhexed(value))}


def _unhexed(value: bytes) -> bytes:
    try:
        return bytes.fromhex(value.decode())
    except ValueError:
        return b""


def guessed_keys(kid: str, values: set[bytes]) -> Iterator[KeyRing]:
    """Return rings whose key is something stored, under the id of the true one."""
    for value in sorted(values):
        if len(value) >= SECRET_BYTES // 2:
            secret = value if len(value) == KEY_BYTES else hashlib.sha256(value).digest()
            yield KeyRing((Key(kid, secret, 0.0),), kid)


@pytest.mark.attack("Q-02")
def test_nothing_that_is_stored_is_a_token_or_makes_one(
    deployment: Deployment, visitor: Visitor
) -> None:
    email, client = new_person(deployment), visitor.register()
    tokens, code = visitor.tokens(client, email), visitor.code(client, email)
    dump = dump_of(deployment, email)
    grants = [one for one in dump if one["type"] == GRANT_TYPE]
    assert {one["metadata"]["labels"][LABEL_STATE] for one in grants} == {"active", "pending"}
    assert len(dump) == len(grants) + 1, "and the subject binding"
    reader, values = Reader(visitor, client), stored_values(dump)
    [kid] = {secret_data(one)["key"].decode() for one in grants}

    with nothing_stored(deployment):
        # As it is stored, and as the body of a token of each kind.
        for value in values:
            body = encode_text(value)
            for text in {value.decode("latin-1"), body, f"{kid}.{body}"}:
                if text.isascii() and text.isprintable():
                    reader.tries_refresh(REFRESH_PREFIX + text)
                    reader.tries_code(CODE_PREFIX + text)
                    reader.tries_access(ACCESS_PREFIX + text)
        # As the key of tokens that are right otherwise.
        for ring in guessed_keys(kid, values):
            for one in grants:
                name, data = one["metadata"]["name"], secret_data(one)
                generation, now = int(data["generation"]), int(time.time())
                access = AccessToken(name, generation, 0, now, now + DAY, SCOPES)
                reader.tries_access(write_access(ring, access, deployment.mcp_url, system_entropy))
                for field in ("refresh-hash", "code-hash"):
                    if not data[field]:
                        continue
                    secret = bytes.fromhex(data[field].decode())
                    refresh = RefreshToken(name, generation, secret)
                    reader.tries_refresh(
                        write_refresh(ring.sealing_key(), refresh, deployment.mcp_url)
                    )
                    forged = AuthorizationCode(name, secret)
                    reader.tries_code(write_code(ring, forged, deployment.mcp_url, system_entropy))

    # Nor did the attempts cost the person anything.
    opens_everywhere(visitor, tokens["access_token"])
    assert visitor.exchange(client, code).status_code == httpx.codes.OK
